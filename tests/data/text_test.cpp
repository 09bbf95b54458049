// Texts: bytes and words, splits, windows, and what is refused.
#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <numeric>
#include <set>

#include "data/checksum.h"
#include "data/datasets.h"
#include "data/embedded_sources.h"
#include "data/entropy.h"
#include "data/file.h"
#include "data/loader.h"
#include "data/vocabulary.h"
#include "support/close.h"
#include "support/temporary_folder.h"

using namespace rz;
using namespace rz::test;

namespace {

using Integers = std::vector<std::int64_t>;

// A stream 0, 1, 2, ... of which token i is i.
Dataset counted(std::int64_t tokens, const Windows& windows) {
  Dataset data{.name = "counted",
               .image_shape = {windows.context},
               .class_names = std::vector<std::string>(1000),
               .pixels = {},
               .labels = {},
               .tokens = std::vector<std::uint16_t>(static_cast<std::size_t>(tokens)),
               .windows = windows};
  std::iota(data.tokens.begin(), data.tokens.end(), std::uint16_t{0});
  return data;
}

struct Epoch {
  std::vector<Integers> inputs, labels;
};
Epoch epoch_of(const Dataset& data, const LoaderOptions& options, std::int64_t epoch = 0, std::int64_t first = 0) {
  Loader loader(data, options);
  Epoch out;
  Batch batch;
  for (loader.start(epoch, first); loader.next(batch);) {
    CHECK(batch.inputs.shape() == Shape{batch.labels.shape()[0], data.windows.context});
    CHECK(batch.inputs.dtype() == DType::i64);
    for (std::int64_t k = 0; k < batch.inputs.shape()[0]; ++k) {
      out.inputs.push_back(batch.inputs.rows(k, 1).to_integers());
      out.labels.push_back(batch.labels.rows(k, 1).to_integers());
    }
  }
  return out;
}

std::string letters(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += static_cast<char>('a' + i * i % 26);
  return text;
}

std::string refused(const std::string& path, const TextOptions& options = {}, ErrorCode code = ErrorCode::file) {
  return message_of(code, [&] { load_text(path, options); });
}

}  // namespace

TEST_SUITE("data/text") {
  TEST_CASE("windows: every token but the first is scored once, whatever stride and length") {
    for (const std::int64_t tokens : {7, 8, 20, 21, 22, 23, 24, 100})
      for (const std::int64_t stride : {1, 2, 5, 6}) {
        const Dataset data = counted(tokens, {.context = 6, .labels = 6, .step = stride});
        const Epoch all = epoch_of(data, {.batch_size = 4, .shuffle = false, .normalisation = {}});
        REQUIRE(std::ssize(all.inputs) == data.size());
        std::map<std::int64_t, int> scored;
        for (std::size_t w = 0; w < all.inputs.size(); ++w)
          for (std::size_t k = 0; k < 6; ++k) {
            const std::int64_t label = all.labels[w][k];
            CHECK((label == -100 || label == all.inputs[w][k] + 1));
            if (label >= 0) ++scored[label];
            // Those that count are the window's last ones: they have the most context.
            CHECK((k == 0 || label >= 0 || all.labels[w][k - 1] < 0));
          }
        CHECK(std::ssize(scored) == tokens - 1);
        for (const auto& [token, times] : scored) CHECK(times == 1);
        CHECK(all.inputs.back().back() == tokens - 2);
      }
    const Epoch two = epoch_of(counted(12, {.context = 4, .labels = 4, .step = 3}), {.shuffle = false});
    CHECK(two.inputs == std::vector<Integers>{{0, 1, 2, 3}, {3, 4, 5, 6}, {6, 7, 8, 9}, {7, 8, 9, 10}});
    CHECK(two.labels == std::vector<Integers>{{1, 2, 3, 4}, {-100, 5, 6, 7}, {-100, 8, 9, 10}, {-100, -100, -100, 11}});
  }

  TEST_CASE("windows: training starts are random, and a function of (seed, epoch, index) [threads]") {
    const Dataset data = counted(500, {.context = 8, .labels = 8, .step = 8, .random = true});
    CHECK(data.size() == 63);
    const LoaderOptions options{.batch_size = 10, .seed = 7, .normalisation = {}};
    const Epoch all = epoch_of(data, options, 3);
    CHECK(std::ssize(all.inputs) == 63);
    std::set<std::int64_t> starts;
    for (std::size_t w = 0; w < all.inputs.size(); ++w) {
      for (std::size_t k = 0; k < 8; ++k)
        CHECK(all.labels[w][k] == all.inputs[w][0] + static_cast<std::int64_t>(k) + 1);
      starts.insert(all.inputs[w][0]);
    }
    CHECK(starts.size() > 50);
    LoaderOptions other = options;
    other.batch_size = 7;
    other.prefetch = 5;
    CHECK(epoch_of(data, other, 3).inputs == all.inputs);
    const Epoch resumed = epoch_of(data, options, 3, 4);
    CHECK(std::equal(resumed.inputs.begin(), resumed.inputs.end(), all.inputs.begin() + 40, all.inputs.end()));
    CHECK(epoch_of(data, options, 4).inputs != all.inputs);
    other.seed = 8;
    CHECK(epoch_of(data, other, 3).inputs != all.inputs);
  }

  TEST_CASE("windows: random starts are uniform over all, the first and the last among them") {
    const Dataset data = counted(14, {.context = 4, .labels = 4, .step = 4, .random = true});
    std::vector<int> hits(10);
    for (std::int64_t epoch = 0; epoch < 1000; ++epoch)
      for (std::int64_t i = 0; i < 10; ++i) {
        Integers inputs(4), labels(4);
        data.windows.write_random(data.tokens, 1, epoch, i, inputs.data(), labels.data());
        ++hits.at(static_cast<std::size_t>(inputs[0]));
      }
    for (const int count : hits) CHECK(close(count, 1000, 4 * 30 / 1000.0));  // 4 standard errors
  }

  TEST_CASE("text: bytes, 90 : 5 : 5, names and checksums") {
    const TemporaryFolder folder;
    const std::string text = letters(2000);
    write_atomically(folder / "a.txt", text);
    const DatasetOptions options{.name = "text", .path = folder / "a.txt", .shapes = {}, .text = {.context = 20}};
    const DatasetDescription known = describe_dataset(options);
    CHECK(known.is_text);
    CHECK(known.image_shape == Shape{20});
    CHECK(known.classes == 256);
    DataSplits data = load_dataset(options);
    CHECK(data.train.name == "text train");
    CHECK(data.train.tokens.size() == 1800);
    CHECK(data.validation.tokens.size() == 100);
    CHECK(data.test.tokens.size() == 100);
    CHECK(data.train.size() == 90);
    CHECK(data.validation.size() == 5);
    CHECK(data.validation.tokens[0] == static_cast<unsigned char>(text[1800]));
    CHECK(data.train.checksum() == checksum_of(text.data(), 1800));
    CHECK(data.train.class_names['a'] == "a");
    CHECK(data.train.class_names['\n'] == "\\n");
    CHECK(data.train.class_names[0xE9] == "\\xe9");
    data.train.keep(10);
    CHECK(data.train.size() == 10);
    CHECK(mentions(message_of(ErrorCode::dtype, [&] { decode_images(data.train, 0, 1); }), {"text train has tokens"}));
    CHECK(load_text(folder / "a.txt", {.context = 20, .stride = 3}).validation.size() == 28);
  }

  TEST_CASE("text: words, their vocabulary, and folders with splits") {
    const std::vector<std::string_view> words = words_of("b a\n\n  a\tc\r\nb d");
    CHECK(words == std::vector<std::string_view>{"b", "a", "<eos>", "<eos>", "a", "c", "<eos>", "b", "d"});
    CHECK(vocabulary_of(words) == std::vector<std::string>{"<eos>", "b", "a", "c", "d", "<unk>"});
    CHECK(vocabulary_of(words_of("x <unk> <unk>")) == std::vector<std::string>{"<unk>", "x"});
    std::string many;
    for (int i = 0; i < 70000; ++i) many += std::to_string(i) + " ";
    const std::vector<std::string> names = vocabulary_of(words_of(many));
    CHECK(names.size() == 65536);
    CHECK(names[65534] == "65534");
    CHECK(names[65535] == "<unk>");
    CHECK(encode(words_of("7 69999 65534"), names) == std::vector<std::uint16_t>{7, 65535, 65534});

    const TemporaryFolder folder;
    write_atomically(folder / "wiki.train.tokens", "a b\na c\n");
    write_atomically(folder / "wiki.valid.tokens", "a z\nb\n");
    const TextOptions word{.level = "word", .context = 2};
    const DataSplits wiki = load_text(folder.path(), word);
    CHECK(wiki.train.class_names == std::vector<std::string>{"a", "<eos>", "b", "c", "<unk>"});
    CHECK(wiki.train.tokens == std::vector<std::uint16_t>{0, 2, 1, 0, 3, 1});
    CHECK(wiki.validation.tokens == std::vector<std::uint16_t>{0, 4, 1, 2, 1});
    CHECK(wiki.test.size() == 0);
    write_atomically(folder / "train.txt", "aaaa");
    write_atomically(folder / "validation.txt", "bcdef");
    write_atomically(folder / "test.txt", "ghijk");
    CHECK(load_text(folder.path(), {.context = 3}).test.tokens[4] == 'k');
    write_atomically(folder / "one.txt",
                     "a b c d e f g h i j k l m n o p q r s t u v w x y z 1 2 3 4 5 6 7 8 9 10 11 12 13 14");
    CHECK(load_text(folder / "one.txt", {.level = "word", .context = 1, .stride = 1}).train.tokens.size() == 36);
  }

  TEST_CASE("text: what is refused names the file") {
    const TemporaryFolder folder;
    const std::string file = folder / "a.txt";
    CHECK(mentions(refused(file), {file + ": cannot be read: No such file"}));
    write_atomically(file, "");
    CHECK(refused(file) == file + ": is empty");
    CHECK(refused(file, {.level = "word"}) == file + ": is empty");
    CHECK(mentions(refused("/dev/zero"), {"/dev/zero", "a pipe or a device"}));
    write_atomically(file, "x");
    CHECK(refused(file) == file + ": 0 of its 1 tokens are for train, but one window needs 129 (data.context is 128)");
    write_atomically(file, letters(2000));
    CHECK(refused(file) ==
          file + ": 100 of its 2,000 tokens are for validation, but one window needs 129 (data.context is 128)");
    write_atomically(file, " \t ");
    CHECK(mentions(refused(file, {.level = "word"}), {file + ": 0 of its 0 tokens"}));
    CHECK(mentions(refused(folder.path()), {folder / "train.txt: cannot be read"}));
    const auto bad = [&](const TextOptions& options) { return refused(file, options, ErrorCode::value); };
    CHECK(mentions(bad({.level = "char"}), {"the level is byte or word, not char"}));
    CHECK(mentions(bad({.context = 0}), {"a context of 0 is not 1 to 1,000,000"}));
    CHECK(mentions(bad({.context = 8, .stride = 9}), {"a stride of 9 is not 1 to the context, 8"}));
  }

  TEST_CASE("enwik8 and text8: the file or its folder") {
    const TemporaryFolder folder;
    const DatasetOptions options{.name = "enwik8", .path = folder.path(), .shapes = {}, .text = {.context = 10}};
    CHECK(mentions(message_of(ErrorCode::file, [&] { load_dataset(options); }),
                   {folder / "enwik8: cannot be read", "(rezero data fetch enwik8 --out " + folder.path() + ")"}));
    write_atomically(folder / "enwik8", letters(400));
    CHECK(load_dataset(options).train.tokens.size() == 360);
    CHECK(load_published_text(folder / "enwik8", "enwik8", {.context = 10}).train.checksum() ==
          load_dataset(options).train.checksum());
    CHECK(mentions(message_of(ErrorCode::file, [&] { load_published_text(folder / "none", "text8"); }),
                   {folder / "none: is no folder", "rezero data fetch text8"}));
  }

  TEST_CASE("sources: the project's own text is in the library") {
    const std::string_view text = embedded_sources();
    CHECK(text.size() > 1'000'000);
    for (const char* file : {"==== core/tensor.h\n", "==== data/embedded_sources.cpp\n", "==== README.md\n"})
      CHECK(text.find(file) != std::string_view::npos);
    const std::string self = read_file(RZ_TEST_SOURCE_DIR "/../data/windows.cpp");
    CHECK(text.find("==== data/windows.cpp\n" + self + "\n") != std::string_view::npos);
    const DataSplits data = make_sources();
    CHECK(data.train.tokens.size() + data.validation.tokens.size() + data.test.tokens.size() == text.size());
  }

  TEST_CASE("entropy: closed forms") {
    const std::vector<std::uint16_t> alternating{0, 1, 0, 1, 0, 1, 0, 1}, one{5, 5, 5};
    CHECK(unigram_entropy(alternating) == 1);
    CHECK(bigram_entropy(alternating) == 0);
    CHECK(unigram_entropy(one) == 0);
    CHECK(bigram_entropy({}) == 0);
    // After 0: 0 or 1, each once of two; after 1: always 0. Pairs 00, 01, 10.
    CHECK(close(bigram_entropy(std::vector<std::uint16_t>{0, 0, 1, 0}), 2.0 / 3, 1e-15));
  }

  TEST_CASE("reverse: rows, labels, and examples that are functions of (seed, index)") {
    const ReverseOptions options{.seed = 3, .train = 50, .validation = 20, .length = 5, .symbols = 7};
    const DataSplits data = make_reverse(options);
    CHECK(data.train.size() == 50);
    CHECK(data.validation.size() == 20);
    CHECK(data.train.image_shape == Shape{10});
    CHECK(data.train.classes() == 8);
    CHECK(data.train.class_names[7] == "<start>");
    const Epoch all = epoch_of(data.train, {.batch_size = 8, .shuffle = false});
    for (std::size_t i = 0; i < 50; ++i) {
      const Integers& row = all.inputs[i];
      const Integers reversed(row.rend() - 5, row.rend());
      CHECK(row[5] == 7);
      CHECK(all.labels[i] == reversed);
      CHECK(std::equal(row.begin() + 6, row.end(), reversed.begin()));
    }
    ReverseOptions fewer = options;
    fewer.train = 20;
    CHECK(epoch_of(make_reverse(fewer).train, {.shuffle = false}).inputs ==
          std::vector<Integers>(all.inputs.begin(), all.inputs.begin() + 20));
    fewer.seed = 4;
    CHECK(make_reverse(fewer).train.checksum() !=
          make_reverse({.seed = 3, .train = 20, .length = 5, .symbols = 7}).train.checksum());
    Epoch shuffled = epoch_of(data.train, {.batch_size = 8});
    CHECK(shuffled.inputs != all.inputs);
    CHECK(std::set(shuffled.inputs.begin(), shuffled.inputs.end()) == std::set(all.inputs.begin(), all.inputs.end()));
    Dataset cut = data.train;
    cut.keep(7);
    CHECK(cut.size() == 7);
    const auto bad = [](const ReverseOptions& o) { return message_of(ErrorCode::value, [&] { make_reverse(o); }); };
    CHECK(mentions(bad({.length = 0}), {"a length of 0"}));
    CHECK(mentions(bad({.symbols = 65536}), {"65536 symbols are not 1 to 65,535"}));
    CHECK(mentions(bad({.train = 0}), {"0 examples of length 20"}));
    CHECK(mentions(bad({.length = 100000}), {"examples of length 100000 are not 1 to"}));
  }
}
