// CIFAR-10 (Krizhevsky 2009) in its published binary layout: data_batch_1.bin ... data_batch_5.bin and test_batch.bin,
// records of 3073 bytes: a label 0 ... 9, then 32x32 bytes of red, green and blue. The published files hold 10,000
// records each; subsets of whole records are read too.
#pragma once

#include <string_view>

#include "data/dataset.h"

namespace rz {

DataSplits load_cifar10(
    std::string_view folder);  // Throws: file (a file missing, not of whole records, a label over 9)
// Appends the records of one file to `data`. `what` opens messages.   Throws: file
void parse_cifar10(std::string_view bytes, std::string_view what, Dataset& data);

}  // namespace rz
