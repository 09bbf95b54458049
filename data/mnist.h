// MNIST (LeCun, Cortes and Burges) and Fashion-MNIST (Xiao, Rasul and Vollgraf 2017), which share their layout: IDX
// files train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each also
// with a dot in place of the second hyphen (train-images.idx3-ubyte), and each plain or with .gz; plain files win.
#pragma once

#include <string_view>

#include "data/dataset.h"

namespace rz {

// Images [1, 28, 28]; validation is the t10k pair.   Throws: file (a file missing or damaged, another shape, counts
// that differ, a label over 9)
DataSplits load_mnist(std::string_view folder);
DataSplits load_fashion_mnist(std::string_view folder);

}  // namespace rz
