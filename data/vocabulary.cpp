#include "data/vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

namespace rz {
namespace {

constexpr std::string_view line_end = "<eos>", unknown_word = "<unk>";

std::string byte_name(int byte) {
  if (byte == '\n') return "\\n";
  if (byte == '\t') return "\\t";
  if (byte < ' ' || byte > '~' || byte == '\\') return fmt::format("\\x{:02x}", byte);
  return {static_cast<char>(byte)};
}

}  // namespace

std::vector<std::string> byte_names() {
  std::vector<std::string> names;
  for (int byte = 0; byte < 256; ++byte) names.push_back(byte_name(byte));
  return names;
}

std::vector<std::string_view> words_of(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\v\f\n";
  std::vector<std::string_view> words;
  for (std::size_t at = 0; at < text.size();) {
    if (blanks.find(text[at]) == std::string_view::npos) {
      const std::size_t end = std::min(text.find_first_of(blanks, at), text.size());
      words.push_back(text.substr(at, end - at));
      at = end;
    } else {
      if (text[at] == '\n') words.push_back(line_end);
      ++at;
    }
  }
  return words;
}

std::vector<std::string> vocabulary_of(std::span<const std::string_view> words) {
  struct Word {
    std::string_view text;
    std::int64_t count = 0;
  };
  std::unordered_map<std::string_view, std::size_t> places;
  std::vector<Word> found;
  for (const std::string_view word : words) {
    const auto [place, is_new] = places.try_emplace(word, found.size());
    if (is_new) found.push_back({word});
    ++found[place->second].count;
  }
  std::ranges::stable_sort(found, std::ranges::greater(), &Word::count);
  found.resize(std::min(found.size(), largest_vocabulary));
  if (std::ranges::find(found, unknown_word, &Word::text) == found.end()) {
    found.resize(std::min(found.size(), largest_vocabulary - 1));
    found.push_back({unknown_word});
  }
  std::vector<std::string> names;
  for (const Word& word : found) names.emplace_back(word.text);
  return names;
}

std::vector<std::uint16_t> encode(std::span<const std::string_view> words, std::span<const std::string> vocabulary) {
  std::unordered_map<std::string_view, std::uint16_t> places;
  for (std::size_t k = 0; k < vocabulary.size(); ++k) places.emplace(vocabulary[k], static_cast<std::uint16_t>(k));
  const std::uint16_t unknown = places.at(unknown_word);
  std::vector<std::uint16_t> tokens;
  tokens.reserve(words.size());
  for (const std::string_view word : words) {
    const auto place = places.find(word);
    tokens.push_back(place == places.end() ? unknown : place->second);
  }
  return tokens;
}

}  // namespace rz
