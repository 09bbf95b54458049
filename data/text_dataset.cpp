#include "data/text_dataset.h"

#include <array>
#include <filesystem>
#include <span>
#include <vector>

#include "core/error.h"
#include "data/embedded_sources.h"
#include "data/file.h"
#include "data/published.h"
#include "data/text.h"
#include "data/vocabulary.h"

namespace rz {
namespace {

constexpr std::array<const char*, 3> split_names{"train", "validation", "test"};
constexpr std::array<std::array<const char*, 3>, 2> layouts{
    {{"train.txt", "validation.txt", "test.txt"}, {"wiki.train.tokens", "wiki.valid.tokens", "wiki.test.tokens"}}};

// A split, and where it comes from.
template <class T>
struct Part {
  std::vector<T> tokens;
  std::string file;
};
template <class T>
using Parts = std::array<Part<T>, 3>;

template <class T>
Parts<T> cut(std::span<const T> all, const std::string& file) {
  const std::size_t train = all.size() / 100 * 90 + all.size() % 100 * 90 / 100, validation = all.size() / 20;
  const std::array<std::span<const T>, 3> pieces{all.first(train), all.subspan(train, validation),
                                                 all.subspan(train + validation)};
  Parts<T> parts;
  for (std::size_t k = 0; k < 3; ++k) parts[k] = {{pieces[k].begin(), pieces[k].end()}, file};
  return parts;
}

std::string name_of(std::string_view dataset, std::size_t split) {
  return std::string(dataset) + " " + split_names[split];
}

DataSplits make_text(std::string_view name, Parts<std::uint16_t> parts, const std::vector<std::string>& vocabulary,
                     const TextOptions& options) {
  DataSplits splits;
  const std::array<Dataset*, 3> sets{&splits.train, &splits.validation, &splits.test};
  std::array<std::size_t, 3> in_file{};  // tokens of a split's file
  for (std::size_t k = 0; k < 3; ++k)
    for (const Part<std::uint16_t>& part : parts) in_file[k] += part.file == parts[k].file ? part.tokens.size() : 0;
  for (std::size_t k = 0; k < 3; ++k) {
    if (parts[k].file.empty()) continue;
    const std::size_t size = parts[k].tokens.size();
    RZ_CHECK(file, std::ssize(parts[k].tokens) > options.context,
             "{}: {} of its {} tokens are for {}, but one window needs {} (data.context is {})", parts[k].file,
             grouped(size), grouped(in_file[k]), split_names[k],
             grouped(static_cast<std::uint64_t>(options.context) + 1), options.context);
    const std::int64_t step = k == 0 || options.stride == 0 ? options.context : options.stride;
    *sets[k] = {.name = name_of(name, k),
                .image_shape = {options.context},
                .class_names = vocabulary,
                .pixels = {},
                .labels = {},
                .tokens = std::move(parts[k].tokens),
                .windows = {options.context, options.context, step, k == 0}};
  }
  return splits;
}

std::vector<std::uint16_t> bytes_of(std::string_view text) {
  const auto* first = reinterpret_cast<const std::uint8_t*>(text.data());
  return {first, first + text.size()};
}

DataSplits make_bytes(std::string_view name, std::string_view text, const std::string& file,
                      const TextOptions& options) {
  check_text_options(options);
  RZ_CHECK(file, !text.empty(), "{}: is empty", file);
  return make_text(name, cut<std::uint16_t>(bytes_of(text), file), byte_names(), options);
}

// The files of the splits; "" for a test file that is not there. Without any of them: of the first layout.
std::array<std::string, 3> files_in(const std::string& folder) {
  std::array<std::string, 3> files;
  const bool wiki = !is_file(folder + "/" + layouts[0][0]) && is_file(folder + "/" + layouts[1][0]);
  for (std::size_t k = 0; k < 3; ++k) files[k] = folder + "/" + layouts[wiki ? 1 : 0][k];
  if (!is_file(files[2])) files[2].clear();
  return files;
}

std::string read_text(const std::string& file) {
  if (file.empty()) return "";
  std::error_code ignored;  // of what is not there, read_file gives the reason
  const std::filesystem::file_type type = std::filesystem::status(file, ignored).type();
  RZ_CHECK(file, type != std::filesystem::file_type::fifo && type != std::filesystem::file_type::character,
           "{}: is a pipe or a device, but a run reads its text again later (copy it to a file)", file);
  std::string text = read_file(file);
  RZ_CHECK(file, !text.empty(), "{}: is empty", file);
  return text;
}

DataSplits encode_words(Parts<std::string_view> words, const TextOptions& options) {
  const std::vector<std::string> vocabulary = vocabulary_of(words[0].tokens);
  Parts<std::uint16_t> parts;
  for (std::size_t k = 0; k < 3; ++k) parts[k] = {encode(words[k].tokens, vocabulary), words[k].file};
  return make_text("text", std::move(parts), vocabulary, options);
}

DataSplits load_file(const std::string& file, const TextOptions& options) {
  const std::string text = read_text(file);
  if (options.level == "byte") return make_bytes("text", text, file, options);
  const std::vector<std::string_view> words = words_of(text);
  return encode_words(cut<std::string_view>(words, file), options);
}

DataSplits load_folder(const std::string& folder, const TextOptions& options) {
  const std::array<std::string, 3> files = files_in(folder);
  std::array<std::string, 3> texts;
  Parts<std::uint16_t> bytes;
  Parts<std::string_view> words;
  for (std::size_t k = 0; k < 3; ++k) {
    texts[k] = read_text(files[k]);
    bytes[k].file = words[k].file = files[k];
    if (options.level == "byte") {
      bytes[k].tokens = bytes_of(texts[k]);
    } else {
      words[k].tokens = words_of(texts[k]);
    }
  }
  if (options.level == "byte") return make_text("text", std::move(bytes), byte_names(), options);
  return encode_words(std::move(words), options);
}

}  // namespace

void check_text_options(const TextOptions& options) {
  RZ_CHECK(value, options.level == "byte" || options.level == "word", "text: the level is byte or word, not {}",
           printable(options.level));
  RZ_CHECK(value, options.context >= 1 && options.context <= 1'000'000, "text: a context of {} is not 1 to 1,000,000",
           options.context);
  RZ_CHECK(value, options.stride >= 0 && options.stride <= options.context,
           "text: a stride of {} is not 1 to the context, {} (0 stands for it)", options.stride, options.context);
}

DataSplits load_text(std::string_view path, const TextOptions& options) {
  check_text_options(options);
  const std::string full = absolute(path);
  return is_folder(full) ? load_folder(full, options) : load_file(full, options);
}

DataSplits load_published_text(std::string_view path, std::string_view dataset, const TextOptions& options) {
  std::string file = absolute(path);
  if (!is_file(file)) file = require_folder(file, dataset, dataset) + "/" + std::string(dataset);
  const std::size_t slash = file.rfind('/');
  const std::string text = read_published(file.substr(0, slash), file.substr(slash + 1), dataset);
  return make_bytes(dataset, text, file, options);
}

DataSplits make_sources(const TextOptions& options) {
  return make_bytes("sources", embedded_sources(), "sources", options);
}

}  // namespace rz
