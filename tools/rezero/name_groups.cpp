#include "tools/rezero/name_groups.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <unordered_map>

namespace rz::tool {
namespace {

struct Parts {
  std::string_view before, after;  // of the number
  std::int64_t number = -1;        // -1: there is none, and before is the name
};

// "12", but not "012", which would not come back from its number.
bool is_number(std::string_view word) {
  return !word.empty() && word.size() < 18 && (word == "0" || word[0] != '0') &&
         std::ranges::all_of(word, [](char c) { return c >= '0' && c <= '9'; });
}

Parts parts_of(std::string_view name) {
  for (std::size_t at = 0; at < name.size();) {
    const std::size_t end = std::min(name.find('.', at), name.size());
    const std::string_view word = name.substr(at, end - at);
    if (is_number(word)) {
      Parts parts{name.substr(0, at), name.substr(end)};
      std::from_chars(word.data(), word.data() + word.size(), parts.number);
      return parts;
    }
    at = end + 1;
  }
  return {name, ""};
}

struct Numbered {
  std::int64_t number;
  std::size_t place;
};

struct Family {  // names alike but for the number
  Parts parts;
  std::vector<Numbered> members;
};

void add_groups(Family& family, std::vector<NameGroup>& groups) {
  const auto& [before, after, number] = family.parts;
  std::vector<Numbered>& members = family.members;
  std::ranges::stable_sort(members, {}, &Numbered::number);
  for (std::size_t first = 0, end = 0; first < members.size(); first = end) {
    NameGroup group;
    do group.members.push_back(members[end++].place);
    while (number >= 0 && end < members.size() && members[end].number == members[end - 1].number + 1);
    const std::int64_t low = members[first].number, high = members[end - 1].number;
    group.name = number < 0    ? std::string(before)
                 : low == high ? fmt::format("{}{}{}", before, low, after)
                               : fmt::format("{}{{{}..{}}}{}", before, low, high, after);
    groups.push_back(std::move(group));
  }
}

}  // namespace

std::vector<NameGroup> group_names(std::span<const NamedKind> names) {
  std::vector<Family> families;
  std::unordered_map<std::string, std::size_t> places;
  for (std::size_t k = 0; k < names.size(); ++k) {
    const Parts parts = parts_of(names[k].name);
    const std::string key = fmt::format("{}\n{}\n{}\n{}", parts.before, parts.after, parts.number >= 0, names[k].kind);
    const auto [place, added] = places.emplace(key, families.size());
    if (added) families.push_back({parts, {}});
    families[place->second].members.push_back({parts.number, k});
  }
  std::vector<NameGroup> groups;
  for (Family& family : families) add_groups(family, groups);
  return groups;
}

}  // namespace rz::tool
