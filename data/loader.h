// Loader: batches of a data set, decoded ahead by a thread. The order of an epoch is a function of (seed, epoch), the
// augmentation of an example one of (seed, epoch, its index), so the whole state is (epoch, batch): start(epoch, batch)
// goes on in the middle of an epoch at once.
//   for (loader.start(epoch); loader.next(batch);) step(batch.inputs, batch.labels);
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "core/tensor.h"
#include "data/augment.h"
#include "data/dataset.h"

namespace rz {

struct LoaderOptions {
  std::int64_t batch_size = 100;
  std::uint64_t seed = 1;
  bool shuffle = true;     // false: in the order of the set, as for validation; random windows then are its parts
  bool drop_last = false;  // leave out a last batch that is smaller
  Normalisation normalisation{};
  AugmentOptions augment{};  // for training on images of bytes; by (seed, epoch, index in the set)
  DType dtype = DType::f32;  // or f64; tokens are i64
  int prefetch = 2;          // batches decoded ahead
};

struct Batch {
  Tensor inputs;  // [n, features], bytes are normalised; of text [n, context], i64
  Tensor labels;  // i64: [n]; of text [n, windows.labels], -100 where none is to be predicted
  std::int64_t epoch = 0;
  std::int64_t index = 0;  // within the epoch, from 0
};

class Loader {
 public:
  // `data` must outlive the loader.   Throws: value (an option out of its range, examples that cannot be augmented),
  // dtype
  explicit Loader(const Dataset& data, const LoaderOptions& options = {});
  ~Loader();
  Loader(Loader&&) noexcept;
  Loader& operator=(Loader&&) noexcept;

  std::int64_t batches() const;  // of an epoch
  // Goes to a place. `first_batch` = batches() is the end of the epoch.   Throws: value
  void start(std::int64_t epoch, std::int64_t first_batch = 0);
  // False at the end of the epoch. Lets go of the batch given and reuses its memory, unless other handles hold it.
  // An exception of the thread is thrown here.
  bool next(Batch& batch);

  // Where the next batch comes from: what start() needs to go on here.
  std::int64_t epoch() const;
  std::int64_t position() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The order of an epoch: a permutation of 0 ... size - 1 from (seed, epoch), by Fisher and Yates.
void shuffle_order(std::uint64_t seed, std::int64_t epoch, std::span<std::int32_t> order);

}  // namespace rz
