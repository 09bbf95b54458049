// Constants of normalisation by name.
//   notebook   mean 0.5, std 0.5, pixels in [-1, 1]: the ReZero authors' notebook on fully connected networks
//   imagenet   mean (0.485, 0.456, 0.406), std (0.229, 0.224, 0.225), red, green and blue, of ImageNet: the authors'
//              notebook on ResNets, for CIFAR-10 too
//   dataset    mean and standard deviation of the published set's training pixels, to four decimals: cifar10, cifar100,
//              mnist, fashion_mnist
#pragma once

#include <span>
#include <string_view>

#include "data/dataset.h"

namespace rz {

std::span<const std::string_view> normalisation_names();
// `image_shape`: of an example of the set, of rank 0 where it is not known yet.
// Throws: value (an unknown name, dataset for a set without published constants, imagenet for images that have not 3
// channels)
Normalisation normalisation_named(std::string_view name, std::string_view dataset, const Shape& image_shape = {});

}  // namespace rz
