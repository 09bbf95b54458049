#include "data/augment.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/parallel.h"
#include "core/random.h"
#include "data/datasets.h"
#include "data/file.h"
#include "data/loader.h"
#include "data/normalisation.h"
#include "support/close.h"
#include "support/temporary_folder.h"

using namespace rz;
using namespace rz::test;

namespace {

constexpr Normalisation cifar10_constants{.mean = {0.4914, 0.4822, 0.4465}, .std = {0.2470, 0.2435, 0.2616}};

// Images of random bytes, none of them 0.
Dataset random_images(std::int64_t size, const Shape& shape) {
  Dataset data{
      .name = "random", .image_shape = shape, .class_names = std::vector<std::string>(10), .pixels = {}, .labels = {}};
  Random random(3, stream_named("random images"));
  for (std::int64_t i = 0; i < size; ++i) data.labels.push_back(static_cast<std::uint16_t>(i % 10));
  for (std::int64_t k = 0; k < size * shape.elements(); ++k)
    data.pixels.push_back(static_cast<std::uint8_t>(1 + random.below(255)));
  return data;
}

template <class T>
std::vector<T> augmented(const Dataset& data, const AugmentOptions& options, std::int64_t epoch, std::int64_t i) {
  std::vector<T> pixels(static_cast<std::size_t>(data.features()));
  Augmenter(data, options)(i, 1, epoch, Decoder<T>(data, cifar10_constants), pixels.data());
  return pixels;
}

// Step by step, each on a whole array of its own: mirrored, padded, cropped, normalised, cut out.
std::vector<double> reference(const Dataset& data, const AugmentOptions& o, std::int64_t epoch, std::int64_t i) {
  const Augmentation drawn = draw_augmentation(o, data.image_shape, 1, epoch, i);
  const std::int64_t height = data.image_shape[1], width = data.image_shape[2], p = o.crop_padding;
  const auto padded_from = [&](std::int64_t at, std::int64_t extent) {  // a walk that turns round at both ends
    std::int64_t inside = p - at > 0 ? p - at : at - p;
    while (inside >= extent) inside = extent - 1 - (inside - extent + 1);
    return inside;
  };
  std::vector<double> out;
  for (std::int64_t c = 0; c < data.image_shape[0]; ++c) {
    std::vector<std::vector<int>> padded;
    for (std::int64_t y = 0; y < height + 2 * p; ++y) {
      padded.emplace_back();
      for (std::int64_t x = 0; x < width + 2 * p; ++x) {
        const std::int64_t column = padded_from(x, width), mirrored = drawn.flipped ? width - 1 - column : column;
        const bool outside = y < p || y >= height + p || x < p || x >= width + p;
        padded.back().push_back(outside && o.crop_fill == CropFill::zero
                                    ? 0
                                    : data.image(i)[(c * height + padded_from(y, height)) * width + mirrored]);
      }
    }
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        const std::int64_t dy = y - (drawn.cutout_row - o.cutout / 2), dx = x - (drawn.cutout_column - o.cutout / 2);
        const bool cut = dy >= 0 && dy < o.cutout && dx >= 0 && dx < o.cutout;
        const int byte = padded[static_cast<std::size_t>(y + drawn.top)][static_cast<std::size_t>(x + drawn.left)];
        const auto channel = static_cast<std::size_t>(c);
        out.push_back(cut ? 0 : (byte / 255.0 - cifar10_constants.mean[channel]) / cifar10_constants.std[channel]);
      }
    }
  }
  return out;
}

// The first epoch in which this is drawn for example 0.
template <class F>
std::int64_t epoch_with(const AugmentOptions& options, const Shape& shape, F&& wanted) {
  for (std::int64_t epoch = 0; epoch < 100000; ++epoch)
    if (wanted(draw_augmentation(options, shape, 1, epoch, 0))) return epoch;
  FAIL("never drawn");
  return 0;
}

// Counts of equally likely cells, each within 4 standard errors of its share.
bool uniform(const std::vector<std::int64_t>& counts) {
  const auto all = static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
  const double share = 1 / static_cast<double>(counts.size());
  return std::ranges::all_of(counts, [&](std::int64_t count) {
    return std::abs(static_cast<double>(count) - all * share) < 4 * std::sqrt(all * share * (1 - share));
  });
}

const AugmentOptions everything{.flip = true, .crop_padding = 4, .crop_fill = CropFill::zero, .cutout = 8};

std::vector<Tensor> batches(const Dataset& data, const LoaderOptions& options, std::int64_t epoch,
                            std::int64_t first = 0) {
  std::vector<Tensor> out;
  Loader loader(data, options);
  Batch batch;
  for (loader.start(epoch, first); loader.next(batch);) out.push_back(batch.inputs.clone());
  return out;
}

std::vector<double> numbers(const std::vector<Tensor>& batches) {
  std::vector<double> out;
  for (const Tensor& batch : batches) {
    const std::vector<double> here = batch.to_vector();
    out.insert(out.end(), here.begin(), here.end());
  }
  return out;
}

bool same_bits(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return std::ranges::equal(a, b, [](const Tensor& x, const Tensor& y) { return identical(x, y).holds; });
}

}  // namespace

TEST_SUITE("data/augment") {
  TEST_CASE("augment: what is drawn is a function of seed, epoch and example") {
    const Shape shape{3, 32, 32};
    int same_seed = 0, same_epoch = 0, same_example = 0;
    for (std::int64_t i = 0; i < 1000; ++i) {
      const Augmentation here = draw_augmentation(everything, shape, 1, 5, i);
      CHECK(here == draw_augmentation(everything, shape, 1, 5, i));
      same_seed += here == draw_augmentation(everything, shape, 2, 5, i);
      same_epoch += here == draw_augmentation(everything, shape, 1, 6, i);
      same_example += here == draw_augmentation(everything, shape, 1, 5, i + 1);
    }
    // Chance is 1 in 165,888.
    CHECK(same_seed == 0);
    CHECK(same_epoch == 0);
    CHECK(same_example == 0);
  }

  TEST_CASE("augment: to switch one part on leaves the others alone") {
    const Shape shape{3, 32, 32};
    for (std::int64_t i = 0; i < 100; ++i) {
      const Augmentation all = draw_augmentation(everything, shape, 1, 2, i);
      CHECK(draw_augmentation({.flip = true}, shape, 1, 2, i).flipped == all.flipped);
      const Augmentation crop = draw_augmentation({.crop_padding = 4}, shape, 1, 2, i);
      CHECK((crop.top == all.top && crop.left == all.left && !crop.flipped));
      const Augmentation cutout = draw_augmentation({.cutout = 16}, shape, 1, 2, i);
      CHECK((cutout.cutout_row == all.cutout_row && cutout.cutout_column == all.cutout_column && cutout.top == 0));
    }
  }

  TEST_CASE("augment: flips, offsets and centres are uniform over examples, and over epochs of one example") {
    constexpr std::int64_t draws = 50000;
    for (const bool over_epochs : {false, true}) {
      std::vector<std::int64_t> flips(2), crops(2 * 81), rows(20), columns(32);
      for (std::int64_t k = 0; k < draws; ++k) {
        const Augmentation a = draw_augmentation(everything, {3, 20, 32}, 1, over_epochs ? k : 3, over_epochs ? 17 : k);
        ++flips[a.flipped];
        ++crops[static_cast<std::size_t>(2 * (9 * a.top + a.left) + a.flipped)];
        ++rows[static_cast<std::size_t>(a.cutout_row)];
        ++columns[static_cast<std::size_t>(a.cutout_column)];
      }
      CHECK(uniform(flips));
      CHECK(uniform(crops));  // with or without a flip: the two are independent
      CHECK(uniform(rows));
      CHECK(uniform(columns));
    }
  }

  TEST_CASE("augment: equals mirroring, padding, cropping, normalising and cutting out one after the other") {
    const Dataset data = random_images(5, {3, 6, 9});
    const AugmentOptions many[] = {
        {.flip = true},
        {.crop_padding = 2},
        {.crop_padding = 5, .crop_fill = CropFill::reflect},
        {.cutout = 3},
        {.flip = true, .crop_padding = 3, .crop_fill = CropFill::reflect, .cutout = 9},
        {.flip = true, .crop_padding = 5, .cutout = 4},
    };
    for (const AugmentOptions& options : many) {
      bool right = true;
      for (std::int64_t epoch = 0; epoch < 200; ++epoch) {
        const std::vector<double> expected = reference(data, options, epoch, epoch % 5);
        const std::vector<float> narrow = augmented<float>(data, options, epoch, epoch % 5);
        right = right && close(augmented<double>(data, options, epoch, epoch % 5), expected, 1e-15).holds &&
                std::ranges::equal(narrow, expected, {}, {}, [](double x) { return static_cast<float>(x); });
      }
      CHECK(right);
    }
  }

  TEST_CASE("augment: reflected padding does not repeat the edge, black padding is byte 0 before it is normalised") {
    Dataset data = random_images(1, {1, 3, 4});
    std::iota(data.pixels.begin(), data.pixels.end(), std::uint8_t{1});  // 1 2 3 4 | 5 6 7 8 | 9 10 11 12
    const Decoder<double> raw(data, {.mean = {}, .std = {1 / 255.0, 1, 1}});
    const auto top_left = [&](const AugmentOptions& options) {
      const auto corner = [](const Augmentation& a) { return a.top == 0 && a.left == 0; };
      std::vector<double> pixels(12);
      Augmenter(data, options)(0, 1, epoch_with(options, data.image_shape, corner), raw, pixels.data());
      return pixels;
    };
    // numpy.pad(x, 2, mode="reflect")[:3, :4]
    CHECK(close(top_left({.crop_padding = 2, .crop_fill = CropFill::reflect}), {11, 10, 9, 10, 7, 6, 5, 6, 3, 2, 1, 2},
                1e-14));
    CHECK(close(top_left({.crop_padding = 2}), {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2}, 1e-14));

    const Dataset colours = random_images(1, {3, 8, 8});
    const AugmentOptions options{.crop_padding = 4};
    const auto bottom = [](const Augmentation& a) { return a.top == 8; };
    const std::vector<double> pixels =
        augmented<double>(colours, options, epoch_with(options, colours.image_shape, bottom), 0);
    for (std::size_t c = 0; c < 3; ++c)
      CHECK(close(pixels[64 * c + 63], -cifar10_constants.mean[c] / cifar10_constants.std[c], 1e-15));
  }

  TEST_CASE("augment: the cutout is 0 after normalisation, and clipped at the border") {
    const Dataset data = random_images(1, {3, 10, 12});
    const auto zeros = [&](std::int64_t side, std::int64_t row, std::int64_t column) {
      const AugmentOptions options{.cutout = side};
      const std::int64_t epoch = epoch_with(options, data.image_shape, [&](const Augmentation& a) {
        return a.cutout_row == row && a.cutout_column == column;
      });
      const std::vector<float> pixels = augmented<float>(data, options, epoch, 0);
      return std::ranges::count(pixels, 0.0F);
    };
    CHECK(zeros(4, 5, 6) == 3 * 16);
    CHECK(zeros(4, 0, 0) == 3 * 4);
    CHECK(zeros(4, 9, 11) == 3 * 9);  // from row 7 and column 9 on
    CHECK(zeros(5, 9, 0) == 3 * 9);
    CHECK(zeros(1, 9, 11) == 3);
    CHECK(zeros(12, 5, 6) == 3 * 120);
  }

  TEST_CASE("augment: a loader goes on in the middle of an epoch as if it had never stopped [threads]") {
    const Dataset data = random_images(50, {3, 12, 12});
    for (const DType dtype : {DType::f32, DType::f64}) {
      const LoaderOptions options{
          .batch_size = 8, .seed = 9, .normalisation = cifar10_constants, .augment = everything, .dtype = dtype};
      const std::vector<Tensor> whole = batches(data, options, 2);
      REQUIRE(whole.size() == 7);
      for (const std::int64_t first : {1, 3, 6}) {
        CHECK(same_bits(batches(data, options, 2, first), {whole.begin() + first, whole.end()}));
      }
      CHECK(!same_bits(batches(data, options, 3), whole));
    }
  }

  TEST_CASE("augment: neither threads nor batches nor batches ahead change an image [threads]") {
    const Dataset data = random_images(50, {3, 12, 12});
    LoaderOptions options{.batch_size = 8, .seed = 9, .augment = everything};
    const int before = threads();
    set_threads(1);
    const std::vector<Tensor> one = batches(data, options, 1);
    set_threads(3);
    CHECK(same_bits(batches(data, options, 1), one));
    set_threads(before);
    options.prefetch = 5;
    CHECK(same_bits(batches(data, options, 1), one));
    options.batch_size = 13;
    CHECK(numbers(batches(data, options, 1)) == numbers(one));

    // Row by row: the example that the order of the epoch has there, under its own index.
    std::vector<std::int32_t> order(50);
    shuffle_order(9, 1, order);
    Augmenter augment(data, everything);
    const Decoder<float> decode(data, {});
    std::vector<double> expected;
    std::vector<float> pixels(static_cast<std::size_t>(data.features()));
    for (const std::int32_t i : order) {
      augment(i, 9, 1, decode, pixels.data());
      expected.insert(expected.end(), pixels.begin(), pixels.end());
    }
    CHECK(numbers(one) == expected);
  }

  TEST_CASE("augment: a loader without it gives the images as they are [threads]") {
    const Dataset data = random_images(10, {3, 12, 12});
    const AugmentOptions off{.crop_fill = CropFill::reflect};
    CHECK(!off.any());
    const std::vector<Tensor> plain = batches(data, {.batch_size = 10, .shuffle = false, .augment = off}, 4);
    CHECK(identical(plain.at(0), decode_images(data, 0, 10)));
  }

  TEST_CASE("augment: CIFAR-100 is loaded with augmentation and its own constants [threads]") {
    const TemporaryFolder folder;
    std::string records;
    for (int fine = 0; fine < 100; ++fine)
      records += std::string{static_cast<char>(fine / 5), static_cast<char>(fine)} +
                 std::string(3072, static_cast<char>(100 + fine));
    write_atomically(folder / "train.bin", records);
    write_atomically(folder / "test.bin", records);
    const DataSplits splits = load_dataset({.name = "cifar100", .path = folder.path(), .shapes = {}});
    const Normalisation constants = normalisation_named("dataset", "cifar100", splits.train.image_shape);
    Loader loader(splits.train, {.batch_size = 100, .normalisation = constants, .augment = everything});
    Batch batch;
    loader.start(0);
    REQUIRE(loader.next(batch));
    CHECK(batch.inputs.shape() == Shape{100, 3072});
    const std::vector<double> pixels = batch.inputs.to_vector();
    const std::vector<std::int64_t> labels = batch.labels.to_integers();
    std::int64_t own = 0, black = 0, cut = 0;
    for (std::size_t k = 0; k < pixels.size(); ++k) {
      const std::size_t c = k % 3072 / 1024;
      const auto is = [&](double byte) {
        return std::abs(pixels[k] - (byte / 255 - constants.mean[c]) / constants.std[c]) < 1e-6;
      };
      own += is(100.0 + static_cast<double>(labels[k / 3072]));
      black += is(0);
      cut += pixels[k] == 0;
    }
    CHECK(own + black + cut == 307200);
    CHECK((own > 200000 && black > 10000 && cut > 10000));
  }

  TEST_CASE("augment: what cannot be augmented is refused") {
    const Dataset images = random_images(10, {3, 8, 6});
    const auto refused = [](const Dataset& data, const AugmentOptions& options) {
      return message_of(ErrorCode::value, [&] { Loader loader(data, {.augment = options}); });
    };
    CHECK(mentions(refused(images, {.crop_padding = 6}), {"augmentation: crop_padding is 6", "[3, 8, 6]", "0 to 5"}));
    CHECK(mentions(refused(images, {.crop_padding = -1}), {"crop_padding is -1"}));
    CHECK(mentions(refused(images, {.cutout = 9}), {"a square of 9 pixels", "[3, 8, 6]", "0 to 8"}));
    CHECK(mentions(refused(images, {.cutout = -2}), {"a square of -2"}));
    Dataset flat = images;
    flat.image_shape = {144};
    CHECK(mentions(refused(flat, {.flip = true}), {"the examples of random are [144]", "leave flip"}));
    Dataset real = images;
    real.pixels.clear();
    real.values = Tensor::zeros({10, 3, 8, 6});
    CHECK(mentions(refused(real, {.flip = true}), {"the examples of random are real values", "leave flip"}));
    Dataset text = images;
    text.tokens.assign(100, 1);
    text.windows = {.context = 4, .labels = 4, .step = 4};
    CHECK(mentions(refused(text, {.cutout = 2}), {"the examples of random are tokens", "leave flip"}));
    for (const Dataset* data : {&flat, &real}) Loader(*data, {.augment = {}});
  }

  TEST_CASE("normalisation: constants by name") {
    const Shape colour{3, 32, 32}, grey{1, 28, 28};
    CHECK(normalisation_named("notebook", "csv").mean == std::array{0.5, 0.5, 0.5});
    CHECK(normalisation_named("dataset", "cifar10", colour).std == cifar10_constants.std);
    CHECK(normalisation_named("dataset", "cifar100", colour).mean == std::array{0.5071, 0.4865, 0.4409});
    CHECK(normalisation_named("dataset", "mnist", grey).mean[0] == 0.1307);
    CHECK(normalisation_named("dataset", "fashion_mnist", grey).std[0] == 0.3530);
    CHECK(normalisation_named("imagenet", "cifar10", colour).std == std::array{0.229, 0.224, 0.225});
    const auto refused = [](std::string_view name, std::string_view dataset, const Shape& shape) {
      return message_of(ErrorCode::value, [&] { normalisation_named(name, dataset, shape); });
    };
    CHECK(mentions(refused("dataset", "shapes", colour),
                   {"normalisation: shapes has no published constants", "cifar10, cifar100, mnist, fashion_mnist"}));
    CHECK(mentions(refused("imagenet", "mnist", grey), {"3 channels", "mnist are [1, 28, 28]"}));
    CHECK(mentions(refused("imagnet", "cifar10", colour), {"'imagnet' is not known", "'imagenet'"}));
  }
}
