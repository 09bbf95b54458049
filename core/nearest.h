// For messages about a name that is not known: the known name that the user most likely meant.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace rz {

// The candidate with the fewest edits (insert, delete, replace, swap neighbours), ignoring case and '-' against '_';
// the first of equals. Empty when even that one differs in more than a third of the longer word (words below 4 letters
// may differ in one).
std::string nearest(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace rz
