// What the tokens of a language model stand for, as it is read and written by `sample`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rz::tool {

class Alphabet {
 public:
  Alphabet() = default;                                                                      // a byte is its own token
  explicit Alphabet(std::vector<std::string> vocabulary) : words_(std::move(vocabulary)) {}  // data/vocabulary.h

  bool bytes() const { return words_.empty(); }
  std::int64_t size() const;
  std::vector<std::int64_t> tokens_of(std::string_view text) const;     // of an unknown word that of <unk>
  std::vector<std::string> unknown_words(std::string_view text) const;  // each once, as they come
  std::int64_t line_end() const;  // what text starts after, if there is nothing before it
  // A token as it is written after `before`, the last character so far (a line end if there is none): words with a
  // blank between them, <eos> as a line end.
  std::string text_of(std::int64_t token, char before) const;

 private:
  std::vector<std::string> words_;
};

}  // namespace rz::tool
