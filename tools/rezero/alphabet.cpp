#include "tools/rezero/alphabet.h"

#include <set>

#include "data/vocabulary.h"

namespace rz::tool {

std::int64_t Alphabet::size() const { return bytes() ? 256 : std::ssize(words_); }

std::vector<std::int64_t> Alphabet::tokens_of(std::string_view text) const {
  if (bytes()) {
    const auto* first = reinterpret_cast<const std::uint8_t*>(text.data());
    return {first, first + text.size()};
  }
  const std::vector<std::uint16_t> tokens = encode(words_of(text), words_);
  return {tokens.begin(), tokens.end()};
}

std::vector<std::string> Alphabet::unknown_words(std::string_view text) const {
  if (bytes()) return {};
  const std::set<std::string_view> known(words_.begin(), words_.end());
  std::set<std::string_view> told;
  std::vector<std::string> unknown;
  for (const std::string_view word : words_of(text))
    if (!known.contains(word) && told.insert(word).second) unknown.emplace_back(word);
  return unknown;
}

std::int64_t Alphabet::line_end() const {
  if (bytes()) return '\n';
  return tokens_of("\n").front();
}

std::string Alphabet::text_of(std::int64_t token, char before) const {
  if (bytes()) return {static_cast<char>(token)};
  const std::string& word = words_[static_cast<std::size_t>(token)];
  if (word == words_of("\n").front()) return "\n";
  return (before == '\n' || before == ' ' ? "" : " ") + word;
}

}  // namespace rz::tool
