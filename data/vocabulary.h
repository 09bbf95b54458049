// Vocabularies: what the tokens of a text stand for.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rz {

inline constexpr std::size_t largest_vocabulary = 65536;  // tokens are kept in 16 bits

// 256 names: a printable ASCII character is its own, but for the backslash, other bytes are \n, \t or as \x1b.
std::vector<std::string> byte_names();

// The words between blanks; each line end is the word <eos>. They point into `text`.
std::vector<std::string_view> words_of(std::string_view text);
// The different words, the most frequent first, equally frequent ones as they come, at most 65,536 of them; with <unk>
// for all others, last unless it is a word of the text.
std::vector<std::string> vocabulary_of(std::span<const std::string_view> words);
// The place of each word in the vocabulary, which has <unk>.
std::vector<std::uint16_t> encode(std::span<const std::string_view> words, std::span<const std::string> vocabulary);

}  // namespace rz
