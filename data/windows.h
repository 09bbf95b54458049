// Windows: how examples lie in a stream of tokens. An example's input is `context` tokens in a row, its labels are the
// tokens that follow each of the last `labels` of them. Windows start `step` tokens apart; the last one is moved back
// so that it is whole. A token is the label of the first window alone that predicts it: the others have the ignored
// label there, so that every token but the first is scored exactly once.
#pragma once

#include <cstdint>
#include <span>

namespace rz {

struct Windows {
  std::int64_t context = 0;
  std::int64_t labels = 0;  // 1 ... context
  std::int64_t step = 0;    // 1 ... context; context + 1 where windows are rows that have nothing to do with each other
  bool random = false;      // shuffled, they start anywhere: for training

  std::int64_t count(std::int64_t tokens) const;  // 0 where there are fewer than context + 1
  std::int64_t tokens(std::int64_t count) const;  // which so many windows need
  // Window i of a stream: inputs [context], label_row [labels].
  void write(std::span<const std::uint16_t> stream, std::int64_t i, std::int64_t* inputs,
             std::int64_t* label_row) const;
  // A window from a start that is a function of (seed, epoch, i), uniform over all; every label counts.
  void write_random(std::span<const std::uint16_t> stream, std::uint64_t seed, std::int64_t epoch, std::int64_t i,
                    std::int64_t* inputs, std::int64_t* label_row) const;

 private:
  void copy(std::span<const std::uint16_t> stream, std::int64_t start, std::int64_t* inputs,
            std::int64_t* label_row) const;
};

}  // namespace rz
