// What the two CIFAR sets share (Krizhevsky 2009): files of whole records, each of one or two label bytes and 32x32
// bytes of red, green and blue. The size of a file tells the sets apart.
#pragma once

#include <cstdint>
#include <string_view>

#include "data/dataset.h"

namespace rz {

struct CifarLayout {
  std::string_view title, dataset;  // "CIFAR-10" and its name in recipes, "cifar10"
  std::int64_t label_bytes;         // of a record
  std::array<int, 2> classes;       // of each label
  std::int64_t record_bytes() const { return label_bytes + 3 * 32 * 32; }
};

inline constexpr CifarLayout cifar10_layout{"CIFAR-10", "cifar10", 1, {10, 0}};
inline constexpr CifarLayout cifar100_layout{"CIFAR-100", "cifar100", 2, {20, 100}};

// Appends the records of one file to `data`, label number `which` of each. `what` opens messages.   Throws: file
void parse_cifar(std::string_view bytes, std::string_view what, const CifarLayout& layout, std::int64_t which,
                 Dataset& data);

}  // namespace rz
