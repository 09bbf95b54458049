#include "tools/rezero/token_blocks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <span>
#include <utility>

#include "data/csv.h"
#include "data/file.h"
#include "data/npy.h"
#include "data/text.h"
#include "tools/report/chart.h"
#include "tools/rezero/command.h"

namespace rz::tool {
namespace {

std::string ending(const std::string& path) { return std::filesystem::path(path).extension().string(); }

std::string table_of(const isometry::BlockNorms& blocks) {
  Csv csv({"output_token", "input_token", "norm"});
  const std::vector<double> norms = blocks.norms();
  auto norm = norms.begin();
  for (std::int64_t i = 0; i < blocks.tokens(); ++i)
    for (std::int64_t j = 0; j < blocks.tokens(); ++j)
      csv.row({static_cast<double>(i), static_cast<double>(j), *norm++});
  return csv.text();
}

report::HeatMap map_of(const isometry::BlockNorms& blocks, std::string_view title) {
  std::vector<double> logarithms = blocks.norms();
  for (double& norm : logarithms) norm = std::log10(norm);
  const bool zeros = std::ranges::any_of(logarithms, [](double v) { return std::isinf(v); });
  const auto tokens = static_cast<std::size_t>(blocks.tokens());
  return {.title = std::string(title),
          .x_label = "input token",
          .y_label = "output token",
          .scale_label = zeros ? "|J_ij| / sqrt(d); hatched: 0" : "|J_ij| / sqrt(d)",
          .columns = tokens,
          .rows = tokens,
          .values = std::move(logarithms),
          .x_first = 0,
          .x_last = static_cast<double>(tokens - 1),
          .y_first = 0,
          .y_last = static_cast<double>(tokens - 1),
          .log10 = true,
          .downwards = true,
          .square = true};
}

}  // namespace

void check_blocks_file(const std::string& path) {
  constexpr std::array kinds{".csv", ".npz", ".svg", ".png"};
  if (path.empty() || std::ranges::find(kinds, ending(path)) != kinds.end()) return;
  throw UsageError(
      fmt::format("--blocks: the name {} does not say what to write (it must end with .csv, .npz, .svg "
                  "or .png)",
                  printable(path)));
}

void write_blocks(const std::string& path, const isometry::BlockNorms& blocks, std::string_view title) {
  const std::string kind = ending(path);
  if (kind == ".csv") return write_atomically(path, table_of(blocks));
  const NamedTensor array{"block_norms", Tensor::of({blocks.tokens(), blocks.tokens()}, blocks.norms())};
  if (kind == ".npz") return save_npz(path, std::span(&array, 1));
  const report::HeatMap map = map_of(blocks, title);
  write_atomically(path, kind == ".svg" ? report::svg(map) : report::png(map));
}

}  // namespace rz::tool
