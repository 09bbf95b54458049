#include "data/entropy.h"

#include <cmath>
#include <unordered_map>
#include <vector>

namespace rz {

double unigram_entropy(std::span<const std::uint16_t> tokens) {
  std::vector<std::int64_t> counts(65536);
  for (const std::uint16_t token : tokens) ++counts[token];
  double sum = 0;
  for (const std::int64_t count : counts)
    if (count > 0)
      sum -= static_cast<double>(count) * std::log2(static_cast<double>(count) / static_cast<double>(tokens.size()));
  return tokens.empty() ? 0 : sum / static_cast<double>(tokens.size());
}

double bigram_entropy(std::span<const std::uint16_t> tokens) {
  if (tokens.size() < 2) return 0;
  std::vector<std::int64_t> before(65536);
  std::unordered_map<std::uint32_t, std::int64_t> pairs;
  for (std::size_t i = 1; i < tokens.size(); ++i) {
    ++before[tokens[i - 1]];
    ++pairs[std::uint32_t{tokens[i - 1]} << 16 | tokens[i]];
  }
  double sum = 0;
  for (const auto& [pair, count] : pairs)
    sum -= static_cast<double>(count) * std::log2(static_cast<double>(count) / static_cast<double>(before[pair >> 16]));
  return sum / static_cast<double>(tokens.size() - 1);
}

}  // namespace rz
