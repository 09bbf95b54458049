#include "tools/rezero/confusion.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "data/csv.h"
#include "data/file.h"
#include "data/npy.h"
#include "data/text.h"
#include "tools/rezero/command.h"
#include "tools/rezero/json.h"
#include "tools/rezero/numbers.h"
#include "tools/rezero/terminal.h"

namespace rz::tool {
namespace {

constexpr std::int64_t most_listed = 20;       // classes whose table and matrix are printed
constexpr std::size_t worst_listed = 10;       // of more
constexpr std::size_t longest_line = 100;      // columns
constexpr int longest_name = 24;               // in the table of classes
constexpr int longest_row_name = 16;           // beside the matrix
constexpr std::int64_t most_named = 200;       // along the axes of a picture
constexpr std::int64_t most_with_counts = 20;  // in the cells of a picture

using ClassNames = std::vector<std::string>;

std::string file_kind(const std::string& path) { return std::filesystem::path(path).extension().string(); }

std::string class_name(const ClassNames& names, std::int64_t c, int longest = longest_name) {
  return fitted(printable(names[static_cast<std::size_t>(c)]), longest);
}

// All classes, or of many the worst; of those alike the first.
std::vector<std::int64_t> listed_classes(const Classification& c) {
  std::vector<std::int64_t> list(static_cast<std::size_t>(c.classes()));
  std::iota(list.begin(), list.end(), 0);
  if (c.classes() <= most_listed) return list;
  std::erase_if(list, [&](std::int64_t k) { return !c.accuracy(k); });
  std::ranges::sort(list, {}, [&](std::int64_t k) { return std::pair(*c.accuracy(k), k); });
  list.resize(std::min(list.size(), worst_listed));
  return list;
}

std::string table_of_classes(const Classification& c, const ClassNames& names) {
  std::vector<std::vector<std::string>> rows{{"class", "examples", "accuracy", "most often taken for"}};
  for (const std::int64_t k : listed_classes(c)) {
    const std::optional<double> accuracy = c.accuracy(k);
    const std::optional<std::int64_t> other = c.mistaken_for(k);
    rows.push_back(
        {class_name(names, k), count_text(c.examples[static_cast<std::size_t>(k)]),
         accuracy ? fmt::format("{:.2f} %", 100 * *accuracy) : "-",
         other ? fmt::format("{} ({})", class_name(names, *other), count_text(c.confused(k, *other))) : "-"});
  }
  return table_text(rows, "lrrl");
}

// The matrix as a table, its columns by name or by number.
std::string matrix_table(const Classification& c, const ClassNames& names, bool by_name, int gap) {
  const std::int64_t n = c.classes();
  std::vector<std::vector<std::string>> rows{{"true class"}};
  for (std::int64_t k = 0; k < n; ++k) {
    const std::string name = class_name(names, k, longest_row_name);
    rows.front().push_back(by_name ? name : std::to_string(k));
    std::vector<std::string>& row = rows.emplace_back(1, by_name ? name : fmt::format("{:>2} {}", k, name));
    for (std::int64_t other = 0; other < n; ++other) row.push_back(std::to_string(c.confused(k, other)));
  }
  return table_text(rows, "l" + std::string(static_cast<std::size_t>(n), 'r'), gap);
}

// "" where it does not fit a line.
std::string matrix_text(const Classification& c, const ClassNames& names) {
  if (c.classes() > most_listed) return "";
  struct Form {
    bool by_name;
    int gap;
  };
  for (const Form& form : {Form{true, 2}, Form{false, 2}, Form{false, 1}}) {
    const std::string table = matrix_table(c, names, form.by_name, form.gap);
    const std::size_t header = table.find('\n') + 1, width = table.find('\n', header) - header;  // of the dashes
    if (width <= longest_line) return table;
  }
  return "";
}

// The share of a true class, in per cent, as its square root: what is seldom confused is seen, too.
std::vector<double> root_shares(const Classification& c) {
  std::vector<double> roots;
  for (std::int64_t k = 0; k < c.classes(); ++k) {
    const auto all = static_cast<double>(c.examples[static_cast<std::size_t>(k)]);
    for (std::int64_t other = 0; other < c.classes(); ++other)
      roots.push_back(std::sqrt(100 * static_cast<double>(c.confused(k, other)) / all));  // NaN for a class without
  }
  return roots;
}

}  // namespace

std::string classes_text(const Classification& c, const ClassNames& names, bool written) {
  std::string text;
  const bool all = c.classes() <= most_listed;
  if (c.unpredicted > 0)
    text += fmt::format("{} of the examples have a logit that is not a number: they count as wrong\n\n",
                        count_text(c.unpredicted));
  if (!all) text += fmt::format("The worst of {} classes\n", count_text(c.classes()));
  text += table_of_classes(c, names);
  const std::string matrix = matrix_text(c, names);
  if (!matrix.empty())
    return text + "\nConfusion matrix: examples by true class (rows) and what they are taken for (columns)\n" + matrix;
  if (written) return text;
  return text + fmt::format("\n{}: --confusion FILE.png, .svg, .csv or .npy\n",
                            all ? "the confusion matrix" : "all classes and the confusion matrix");
}

std::string classes_json(const Classification& c) {
  std::vector<double> accuracies;
  for (std::int64_t k = 0; k < c.classes(); ++k) accuracies.push_back(c.accuracy(k).value_or(nan));
  std::string matrix;
  for (std::size_t i = 0; i < c.confusion.size(); ++i) {
    const bool first = i % c.examples.size() == 0;  // of its row
    matrix += first ? (i == 0 ? "[" : "], [") : ", ";
    matrix += std::to_string(c.confusion[i]);
  }
  return fmt::format("\"top5\": {}, \"per_class_accuracy\": {}, \"confusion_matrix\": {}", json_number(c.top5),
                     json_list(accuracies), c.confusion.empty() ? "null" : "[" + matrix + "]]");
}

void check_confusion_file(const std::string& path) {
  constexpr std::array kinds{".png", ".svg", ".csv", ".npy"};
  if (path.empty() || std::ranges::find(kinds, file_kind(path)) != kinds.end()) return;
  throw UsageError(
      fmt::format("--confusion: the name {} does not say what to write (it must end with .png, .svg, .csv or .npy)",
                  printable(path)));
}

std::string confusion_csv(const Classification& c, const ClassNames& names) {
  std::string text = "true_class";
  for (const std::string& name : names) text += "," + csv_cell(name);
  for (std::int64_t k = 0; k < c.classes(); ++k) {
    text += "\n" + csv_cell(names[static_cast<std::size_t>(k)]);
    for (std::int64_t other = 0; other < c.classes(); ++other) text += "," + std::to_string(c.confused(k, other));
  }
  return text + "\n";
}

report::HeatMap confusion_map(const Classification& c, const ClassNames& names, const std::string& title) {
  const auto n = static_cast<std::size_t>(c.classes());
  const bool holes = std::ranges::count(c.examples, 0) > 0;
  report::HeatMap map{.title = title,
                      .x_label = "taken for",
                      .y_label = "true class",
                      .scale_label = holes ? "% of true class; hatched: no examples" : "% of the true class",
                      .columns = n,
                      .rows = n,
                      .values = root_shares(c),
                      .x_first = 0,
                      .x_last = static_cast<double>(n) - 1,
                      .y_first = 0,
                      .y_last = static_cast<double>(n) - 1,
                      .root = true,
                      .downwards = true,
                      .square = true};
  if (c.classes() <= most_named) map.x_names = map.y_names = names;
  if (c.classes() <= most_with_counts)
    for (const std::int64_t count : c.confusion) map.cells.push_back(count == 0 ? "" : std::to_string(count));
  return map;
}

void write_confusion(const std::string& path, const Classification& c, const ClassNames& names,
                     const std::string& title) {
  RZ_ASSERT(!c.confusion.empty());
  const std::string kind = file_kind(path);
  if (kind == ".csv") return write_atomically(path, confusion_csv(c, names));
  if (kind == ".npy") return save_npy(path, Tensor::of_integers({c.classes(), c.classes()}, c.confusion));
  const report::HeatMap map = confusion_map(c, names, title);
  write_atomically(path, kind == ".svg" ? report::svg(map) : report::png(map));
}

}  // namespace rz::tool
