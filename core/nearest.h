// For messages about a name that is not known.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace rz {

// The candidate with the fewest edits (insert, delete, replace, swap neighbours), ignoring case and '-' against '_';
// the first of equals. Empty when even that one differs in more than a third of the longer word (words below 4 letters
// may differ in one).
std::string nearest(std::string_view word, std::span<const std::string_view> candidates);

// " (did you mean 'x'?)" with the nearest candidate, or `otherwise` when none is near.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates,
                         std::string_view otherwise = "");

// "'rezro' is not known (did you mean 'rezero'?); there are deep, residual, ..."
std::string unknown_name(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace rz
