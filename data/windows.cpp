#include "data/windows.h"

#include <algorithm>

#include "core/backend.h"
#include "core/random.h"

namespace rz {

std::int64_t Windows::count(std::int64_t tokens) const {
  return tokens <= context ? 0 : 1 + (tokens - 1 - context + step - 1) / step;
}

std::int64_t Windows::tokens(std::int64_t count) const { return (count - 1) * step + context + 1; }

void Windows::copy(std::span<const std::uint16_t> stream, std::int64_t start, std::int64_t* inputs,
                   std::int64_t* label_row) const {
  const std::uint16_t* const first = stream.data() + start;
  std::copy_n(first, context, inputs);
  std::copy_n(first + 1 + context - labels, labels, label_row);
}

void Windows::write(std::span<const std::uint16_t> stream, std::int64_t i, std::int64_t* inputs,
                    std::int64_t* label_row) const {
  const std::int64_t start = std::min(i * step, std::ssize(stream) - 1 - context);
  copy(stream, start, inputs, label_row);
  if (i == 0) return;
  const std::int64_t scored = (i - 1) * step + context;  // the last token that the windows before have predicted
  const std::int64_t first = start + 1 + context - labels;
  std::fill_n(label_row, std::clamp<std::int64_t>(scored + 1 - first, 0, labels), CrossEntropyOptions().ignored_label);
}

void Windows::write_random(std::span<const std::uint16_t> stream, std::uint64_t seed, std::int64_t epoch,
                           std::int64_t i, std::int64_t* inputs, std::int64_t* label_row) const {
  Random draws(seed, stream_named("windows") + static_cast<std::uint64_t>(epoch));
  draws.seek(static_cast<std::uint64_t>(i) << 8);  // a draw takes one position, rarely more
  const auto starts = static_cast<std::uint64_t>(std::ssize(stream) - context);
  copy(stream, static_cast<std::int64_t>(draws.below(starts)), inputs, label_row);
}

}  // namespace rz
