#include "data/loader.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <set>
#include <vector>

#include "core/memory.h"
#include "support/close.h"

using namespace rz;
using namespace rz::test;

namespace {

// Example i has pixels i and label i % 10.
Dataset numbered(std::int64_t size) {
  Dataset data{.name = "numbered",
               .image_shape = {1, 2, 2},
               .class_names = std::vector<std::string>(10),
               .pixels = {},
               .labels = {}};
  for (std::int64_t i = 0; i < size; ++i) {
    data.labels.push_back(static_cast<std::uint8_t>(i % 10));
    data.pixels.insert(data.pixels.end(), 4, static_cast<std::uint8_t>(i));
  }
  return data;
}

// With it a decoded pixel is the number of its example.
const Normalisation raw{.mean = {0, 0, 0}, .std = {1 / 255.0, 1 / 255.0, 1 / 255.0}};

std::vector<std::int64_t> examples(const Batch& batch) {
  std::vector<std::int64_t> out;
  const std::vector<double> pixels = batch.inputs.to_vector();
  for (std::size_t k = 0; k < pixels.size(); k += 4) out.push_back(std::lround(pixels[k]));
  return out;
}

// All batches from a place to the end of the epoch, one after the other.
std::vector<std::int64_t> rest(Loader& loader, std::int64_t epoch, std::int64_t first = 0) {
  std::vector<std::int64_t> out;
  Batch batch;
  std::int64_t index = first;
  for (loader.start(epoch, first); loader.next(batch); ++index) {
    const std::vector<std::int64_t> here = examples(batch), labels = batch.labels.to_integers();
    CHECK(batch.epoch == epoch);
    CHECK(batch.index == index);
    CHECK(loader.position() == index + 1);
    CHECK(std::ranges::equal(here, labels, {}, [](std::int64_t i) { return i % 10; }));
    out.insert(out.end(), here.begin(), here.end());
  }
  CHECK(index == loader.batches());
  CHECK(!batch.inputs.defined());
  return out;
}

}  // namespace

TEST_SUITE("data/loader") {
  TEST_CASE("loader: an epoch shows every example once, the next one in another order [threads]") {
    const Dataset data = numbered(103);
    Loader loader(data, {.batch_size = 10, .seed = 7, .normalisation = raw});
    CHECK(loader.batches() == 11);
    const std::vector<std::int64_t> first = rest(loader, 0), second = rest(loader, 1);
    CHECK(first.size() == 103);
    CHECK(std::set(first.begin(), first.end()).size() == 103);
    CHECK(std::set(second.begin(), second.end()).size() == 103);
    CHECK(first != second);
    CHECK(rest(loader, 0) == first);
    Loader other(data, {.batch_size = 25, .seed = 7, .normalisation = raw, .dtype = DType::f64, .prefetch = 5});
    CHECK(rest(other, 1) == second);  // the order does not depend on the batches
    Loader seeded(data, {.batch_size = 10, .seed = 8, .normalisation = raw});
    CHECK(rest(seeded, 0) != first);
  }

  TEST_CASE("loader: goes on in the middle of an epoch [threads]") {
    const Dataset data = numbered(100);
    Loader loader(data, {.batch_size = 8, .normalisation = raw});
    const std::vector<std::int64_t> whole = rest(loader, 4);
    for (std::int64_t first : {0, 1, 5, 12, 13}) {
      Loader resumed(data, {.batch_size = 8, .normalisation = raw});
      const std::vector<std::int64_t> after = rest(resumed, 4, first);
      CHECK(std::equal(after.begin(), after.end(), whole.end() - std::max<std::int64_t>(0, 100 - 8 * first),
                       whole.end()));
    }
    // Starting again at once, with batches of the old place on their way.
    Batch batch;
    for (std::int64_t k = 0; k < 50; ++k) {
      loader.start(k, k % 12);
      REQUIRE(loader.next(batch));
      CHECK((batch.epoch == k && batch.index == k % 12));
    }
    CHECK(rest(loader, 4) == whole);
  }

  TEST_CASE("loader: without shuffling, with and without the last batch [threads]") {
    const Dataset data = numbered(25);
    std::vector<std::int64_t> all(25);
    std::iota(all.begin(), all.end(), 0);
    Loader validation(data, {.batch_size = 10, .shuffle = false, .normalisation = raw});
    CHECK(rest(validation, 0) == all);
    CHECK(rest(validation, 3) == all);
    Loader whole_batches(data, {.batch_size = 10, .shuffle = false, .drop_last = true, .normalisation = raw});
    CHECK(whole_batches.batches() == 2);
    CHECK(rest(whole_batches, 0).size() == 20);
    Loader one(data, {.batch_size = 1000, .shuffle = false, .normalisation = raw});
    CHECK(rest(one, 0) == all);
    Loader none(data, {.batch_size = 1000, .drop_last = true});
    CHECK(rest(none, 0).empty());
    Batch batch;
    Loader not_started(data, {});
    CHECK(!not_started.next(batch));
  }

  TEST_CASE("loader: a batch that is kept is not overwritten, memory is reused otherwise [threads]") {
    const Dataset data = numbered(200);
    Loader loader(data, {.batch_size = 10, .shuffle = false, .normalisation = raw});
    Batch batch;
    std::vector<Batch> kept;
    for (loader.start(0); loader.next(batch);) kept.push_back(batch);
    bool right = true;
    for (const Batch& b : kept) right = right && examples(b)[0] == 10 * b.index;
    CHECK(right);
    kept.clear();

    rest(loader, 1);
    const std::int64_t requests = pool({}).statistics().requests;
    for (loader.start(2); loader.next(batch);) {
    }
    CHECK(pool({}).statistics().requests == requests);
  }

  TEST_CASE("loader: what the thread throws arrives at the consumer [threads]") {
    Dataset data = numbered(50);
    data.labels[33] = 77;
    Loader loader(data, {.batch_size = 10, .shuffle = false, .normalisation = raw});
    Batch batch;
    loader.start(0);
    for (int k = 0; k < 3; ++k) REQUIRE(loader.next(batch));
    for (int k = 0; k < 2; ++k) {
      CHECK(
          mentions(message_of(ErrorCode::value, [&] { loader.next(batch); }), {"example 33 of numbered has label 77"}));
    }
    loader.start(1, 4);
    CHECK(loader.next(batch));
    CHECK(!loader.next(batch));
  }

  TEST_CASE("loader: options and places out of range [threads]") {
    const Dataset data = numbered(20);
    const auto refused = [](const Dataset& set, const LoaderOptions& options) {
      return message_of(ErrorCode::value, [&] { Loader loader(set, options); });
    };
    CHECK(mentions(refused(data, {.batch_size = 0}), {"at least 1 example"}));
    CHECK(mentions(refused(data, {.prefetch = 0}), {"0 batches ahead"}));
    CHECK(mentions(refused(numbered(0), {}), {"numbered has 0 examples"}));
    Dataset broken = numbered(20);
    broken.pixels.pop_back();
    CHECK(mentions(refused(broken, {}), {"20 labels and 79 pixels"}));
    CHECK(mentions(message_of(ErrorCode::dtype, [&] { Loader loader(data, {.dtype = DType::u8}); }), {"u8"}));
    Loader loader(data, {.batch_size = 10});
    CHECK(mentions(message_of(ErrorCode::value, [&] { loader.start(0, 3); }), {"batch 3", "2 batches"}));
    CHECK(mentions(message_of(ErrorCode::value, [&] { loader.start(-1); }), {"epoch -1"}));
    loader.start(0);  // and goes away with work under way
  }

  TEST_CASE("loader: every order of three is as likely") {
    std::vector<double> count(27);
    std::vector<std::int32_t> order(3);
    for (std::int64_t epoch = 0; epoch < 6000; ++epoch) {
      shuffle_order(1, epoch, order);
      ++count[static_cast<std::size_t>(9 * order[0] + 3 * order[1] + order[2])];
    }
    std::ranges::sort(count, std::greater());
    CHECK(count[6] == 0);
    CHECK(std::abs(count[0] - 1000) < 4 * std::sqrt(1000 * 5 / 6.0));
    CHECK(std::abs(count[5] - 1000) < 4 * std::sqrt(1000 * 5 / 6.0));
  }
}
