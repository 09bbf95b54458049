// CIFAR-100 (Krizhevsky 2009) in its published binary layout: train.bin and test.bin, records of 3074 bytes: a coarse
// label 0 ... 19, a fine label 0 ... 99, then 32x32 bytes of red, green and blue. The published files hold 50,000 and
// 10,000 records; subsets of whole records are read too.
#pragma once

#include <string_view>

#include "data/dataset.h"

namespace rz {

enum class Cifar100Labels { fine, coarse };

// Throws: file (a file missing, not of whole records, a label out of range)
DataSplits load_cifar100(std::string_view folder, Cifar100Labels labels = Cifar100Labels::fine);
// Appends the records of one file to `data`. `what` opens messages.   Throws: file
void parse_cifar100(std::string_view bytes, std::string_view what, Cifar100Labels labels, Dataset& data);

}  // namespace rz
