// What tests of pictures ask of one, and a small chart.
#pragma once

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tools/report/chart.h"

namespace rz::test {

inline constexpr double inf = std::numeric_limits<double>::infinity(),
                        not_a_number = std::numeric_limits<double>::quiet_NaN();

// Tags that close in the order in which they opened, quoted attributes, no bare & or control character.
inline bool well_formed(const std::string& xml) {
  std::vector<std::string> open;
  for (std::size_t i = 0; i < xml.size(); ++i) {
    const auto c = static_cast<unsigned char>(xml[i]);
    if (c < 0x20 && c != '\n' && c != '\t' && c != '\r') return false;
    if (c == '&' && xml.find(';', i) - i > 6) return false;
    if (c != '<') continue;
    std::size_t end = i + 1;
    for (char quote = 0; end < xml.size() && (quote || xml[end] != '>'); ++end) {
      if (quote ? xml[end] == quote : xml[end] == '"' || xml[end] == '\'') quote = quote ? '\0' : xml[end];
    }
    if (end == xml.size()) return false;
    const std::string tag = xml.substr(i + 1, end - i - 1), name = tag.substr(0, tag.find_first_of(" \t\r\n"));
    if (name[0] == '/') {
      if (open.empty() || open.back() != name.substr(1)) return false;
      open.pop_back();
    } else if (name[0] != '?' && name[0] != '!' && tag.back() != '/') {
      open.push_back(name);
    }
    i = end;
  }
  return open.empty();
}

inline bool holds(const std::string& text, const std::string& part) { return text.find(part) != text.npos; }

inline std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
  return n;
}

// Width and height of a PNG, from its header.
inline std::pair<int, int> size_of_png(const std::string& png) {
  REQUIRE(png.size() > 24);
  REQUIRE(png.starts_with("\x89PNG\r\n"));
  const auto number = [&](std::size_t at) {
    int value = 0;
    for (std::size_t i = at; i < at + 4; ++i) value = value << 8 | static_cast<unsigned char>(png[i]);
    return value;
  };
  return {number(16), number(20)};
}

inline const report::LineChart two_runs{"Training loss",
                                        "epoch",
                                        "loss",
                                        {},
                                        {{"deep", {1, 2, 3}, {2.3, 2.2, 2.1}}, {"rezero", {1, 2, 3}, {1.7, 0.9, 0.5}}}};

}  // namespace rz::test
