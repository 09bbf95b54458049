// Tables of options: a row per name, in which exactly the keys that the name uses have a value, its default. Private.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace rz::optim {

// "sgd, rmsprop and muon"
inline std::string listed(std::span<const std::string_view> names) {
  std::string text;
  for (std::size_t k = 0; k < names.size(); ++k)
    text += (k == 0 ? "" : k + 1 == names.size() ? " and " : ", ") + std::string(names[k]);
  return text;
}

// Takes the row's default for a key that was not given.   Throws: value (it was, and the row does not use it; `section`
// opens the message)
template <class Options, class Key>
void resolve_key(std::string_view section, const Key& key, const Options& row, std::span<const Options> rows,
                 Options& options) {
  auto& value = options.*key.member;
  const auto& standard = row.*key.member;
  if (!standard && value) {
    std::vector<std::string_view> users;
    for (const Options& other : rows)
      if (other.*key.member) users.push_back(other.name);
    RZ_FAIL(value, "{}.{} belongs to {}, but {}.name is {}", section, key.name, listed(users), section, row.name);
  }
  if (!value) value = standard;
}

}  // namespace rz::optim
