#include "data/reverse.h"

#include "core/error.h"
#include "core/random.h"

namespace rz {
namespace {

constexpr std::int64_t first_of_validation = std::int64_t{1} << 40, most_tokens = 1'000'000'000;

Dataset make_rows(const ReverseOptions& options, const char* name, std::int64_t first, std::int64_t count) {
  const std::int64_t n = options.length;
  Dataset data{.name = name, .image_shape = {2 * n}, .class_names = {}, .pixels = {}, .labels = {}};
  for (std::int64_t k = 0; k < options.symbols; ++k) data.class_names.push_back(std::to_string(k));
  data.class_names.emplace_back("<start>");
  data.windows = {.context = 2 * n, .labels = n, .step = 2 * n + 1};
  data.tokens.reserve(static_cast<std::size_t>(count * data.windows.step));
  for (std::int64_t i = 0; i < count; ++i) {
    Random random(options.seed, stream_named("reverse") + static_cast<std::uint64_t>(first + i));
    for (std::int64_t k = 0; k < n; ++k)
      data.tokens.push_back(static_cast<std::uint16_t>(random.below(static_cast<std::uint64_t>(options.symbols))));
    const std::size_t start = data.tokens.size();
    data.tokens.push_back(static_cast<std::uint16_t>(options.symbols));
    for (std::size_t k = 1; k <= static_cast<std::size_t>(n); ++k) data.tokens.push_back(data.tokens[start - k]);
  }
  return data;
}

}  // namespace

void check_reverse_options(const ReverseOptions& options) {
  RZ_CHECK(value, options.length >= 1 && options.length <= 100'000, "reverse: a length of {} is not 1 to 100,000",
           options.length);
  RZ_CHECK(value, options.symbols >= 1 && options.symbols <= 65535, "reverse: {} symbols are not 1 to 65,535",
           options.symbols);
  for (const std::int64_t size : {options.train, options.validation})
    RZ_CHECK(value, size >= 1 && size <= most_tokens / (2 * options.length + 1),
             "reverse: {} examples of length {} are not 1 to {}", size, options.length,
             most_tokens / (2 * options.length + 1));
}

DataSplits make_reverse(const ReverseOptions& options) {
  check_reverse_options(options);
  return {make_rows(options, "reverse train", 0, options.train),
          make_rows(options, "reverse validation", first_of_validation, options.validation)};
}

}  // namespace rz
