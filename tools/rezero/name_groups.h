// Names that differ in a layer's number alone, put together for tables: linear_layers.{0..63}.weight.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rz::tool {

struct NamedKind {
  std::string_view name;
  std::string kind;  // only names of one kind (shape and role, say) are put together
};

struct NameGroup {
  std::string name;                  // one name, or with {FIRST..LAST} in place of its number
  std::vector<std::size_t> members;  // places in what was given, by number
};

// The number of a name is its first part between dots that is one. A group has numbers without a gap; groups stand
// where their first member stood.
std::vector<NameGroup> group_names(std::span<const NamedKind> names);

}  // namespace rz::tool
