#include "data/loader.h"

#include <condition_variable>
#include <exception>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/random.h"

namespace rz {

void shuffle_order(std::uint64_t seed, std::int64_t epoch, std::span<std::int32_t> order) {
  std::iota(order.begin(), order.end(), 0);
  Random random(seed, stream_named("loader") + static_cast<std::uint64_t>(epoch));
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
}

// The thread fills slots in turn, the consumer empties them in turn. A slot keeps its memory; it hands out a slice, and
// is written again only when no one else holds that. There are two slots more than batches ahead: one is in the
// consumer's hands, one may be on its way back.
struct Loader::State {
  struct Slot {
    Tensor inputs, labels;  // of a full batch
    Batch batch;
  };

  const Dataset& data;
  const LoaderOptions options;
  const std::int64_t batches;
  const DType dtype;  // of inputs
  std::optional<Decoder<float>> decode_f32;
  std::optional<Decoder<double>> decode_f64;
  std::optional<Augmenter> augment;  // the thread's own

  std::mutex mutex;
  std::condition_variable changed;
  std::int64_t run = 0;  // counts start(): what the thread made for an older run is dropped
  std::int64_t epoch = 0;
  std::int64_t produced = 0;  // batches of this epoch that are ready, or were
  std::int64_t consumed = 0;
  std::exception_ptr failure;
  bool stop = false;
  std::vector<Slot> slots;
  std::vector<std::int32_t> order;  // the thread's own
  std::thread thread;

  State(const Dataset& set, const LoaderOptions& given);
  ~State();
  void work();
  void fill(Slot& slot, std::int64_t of_epoch, std::int64_t index);
  void write_example(const Slot& slot, std::int64_t row, std::int64_t of_epoch, std::int64_t i);
  template <class T>
  void write_numbers(const Decoder<T>& decode, std::int64_t of_epoch, std::int64_t i, T* numbers);
  void write_window(const Slot& slot, std::int64_t row, std::int64_t of_epoch, std::int64_t at);
  Slot& slot_of(std::int64_t index) { return slots[static_cast<std::size_t>(index) % slots.size()]; }
};

namespace {

void check_examples(const Dataset& data) {
  const std::int64_t stored = data.real() ? data.values.elements() : std::ssize(data.pixels);
  RZ_CHECK(value, stored == data.size() * data.features(),
           "loader: {} has {} labels and {} {}, {} per image of {} are needed", data.name, data.size(), stored,
           data.real() ? "values" : "pixels", data.features(), data.image_shape);
  RZ_CHECK(value, !data.real() || data.pixels.empty(), "loader: {} has both pixels and values", data.name);
}

std::int64_t count_batches(const Dataset& data, const LoaderOptions& options) {
  RZ_CHECK(value, options.batch_size >= 1, "loader: a batch needs at least 1 example, not {}", options.batch_size);
  RZ_CHECK(value, options.prefetch >= 1 && options.prefetch <= 1000, "loader: {} batches ahead are not 1 to 1000",
           options.prefetch);
  RZ_CHECK(value, data.size() > 0 && data.size() <= INT32_MAX,
           "loader: {} has {} examples, 1 to 2^31 - 1 can be loaded", data.name, data.size());
  RZ_CHECK(dtype, is_real(options.dtype), "loader: inputs are f32 or f64, not {}", options.dtype);
  if (!data.is_text()) check_examples(data);
  return (data.size() + (options.drop_last ? 0 : options.batch_size - 1)) / options.batch_size;
}

}  // namespace

Loader::State::State(const Dataset& set, const LoaderOptions& given)
    : data(set),
      options(given),
      batches(count_batches(set, given)),
      dtype(set.is_text() ? DType::i64 : given.dtype),
      slots(static_cast<std::size_t>(given.prefetch) + 2),
      order(static_cast<std::size_t>(set.size())) {
  if (dtype == DType::f32) decode_f32.emplace(data, options.normalisation);
  if (dtype == DType::f64) decode_f64.emplace(data, options.normalisation);
  if (options.augment.any()) augment.emplace(data, options.augment);
  const std::int64_t rows = options.batch_size < data.size() ? options.batch_size : data.size();
  for (Slot& slot : slots) {
    slot.inputs = Tensor({rows, data.features()}, dtype);
    slot.labels = Tensor(data.is_text() ? Shape{rows, data.windows.labels} : Shape{rows}, DType::i64);
  }
  produced = consumed = batches;  // nothing to do before start()
  thread = std::thread([this] { work(); });
}

Loader::State::~State() {
  {
    const std::lock_guard lock(mutex);
    stop = true;
  }
  changed.notify_all();
  thread.join();
}

void Loader::State::work() {
  std::int64_t ordered_epoch = -1;
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait(lock,
                 [&] { return stop || (!failure && produced < batches && produced - consumed < options.prefetch); });
    if (stop) return;
    const std::int64_t my_run = run, my_epoch = epoch, index = produced;
    lock.unlock();
    std::exception_ptr problem;
    try {
      if (ordered_epoch != my_epoch) {
        if (options.shuffle) {
          shuffle_order(options.seed, my_epoch, order);
        } else if (ordered_epoch < 0) {
          std::iota(order.begin(), order.end(), 0);
        }
        ordered_epoch = my_epoch;
      }
      fill(slot_of(index), my_epoch, index);
    } catch (...) {
      problem = std::current_exception();
    }
    lock.lock();
    if (run != my_run) continue;
    failure = problem;
    if (!problem) ++produced;
    changed.notify_all();
  }
}

void Loader::State::fill(Slot& slot, std::int64_t of_epoch, std::int64_t index) {
  slot.batch = {};
  if (!slot.inputs.unique()) slot.inputs = Tensor(slot.inputs.shape(), dtype);
  if (!slot.labels.unique()) slot.labels = Tensor(slot.labels.shape(), DType::i64);
  const std::int64_t first = index * options.batch_size;
  const std::int64_t count = first + options.batch_size <= data.size() ? options.batch_size : data.size() - first;
  for (std::int64_t row = 0; row < count; ++row) {
    if (data.is_text()) {
      write_window(slot, row, of_epoch, first + row);
    } else {
      write_example(slot, row, of_epoch, order[static_cast<std::size_t>(first + row)]);
    }
  }
  slot.batch = {slot.inputs.rows(0, count), slot.labels.rows(0, count), of_epoch, index};
}

template <class T>
void Loader::State::write_numbers(const Decoder<T>& decode, std::int64_t of_epoch, std::int64_t i, T* numbers) {
  if (augment) return (*augment)(i, options.seed, of_epoch, decode, numbers);
  decode(data, i, numbers);
}

void Loader::State::write_example(const Slot& slot, std::int64_t row, std::int64_t of_epoch, std::int64_t i) {
  const std::int64_t at = row * data.features();
  if (decode_f32) {
    write_numbers(*decode_f32, of_epoch, i, slot.inputs.data<float>() + at);
  } else {
    write_numbers(*decode_f64, of_epoch, i, slot.inputs.data<double>() + at);
  }
  RZ_CHECK(value, data.label(i) < data.classes(), "loader: example {} of {} has label {}, labels are 0 to {}", i,
           data.name, data.label(i), data.classes() - 1);
  slot.labels.data<std::int64_t>()[row] = data.label(i);
}

void Loader::State::write_window(const Slot& slot, std::int64_t row, std::int64_t of_epoch, std::int64_t at) {
  std::int64_t* const inputs = slot.inputs.data<std::int64_t>() + row * data.windows.context;
  std::int64_t* const labels = slot.labels.data<std::int64_t>() + row * data.windows.labels;
  if (options.shuffle && data.windows.random) {
    data.windows.write_random(data.tokens, options.seed, of_epoch, at, inputs, labels);
  } else {
    data.windows.write(data.tokens, order[static_cast<std::size_t>(at)], inputs, labels);
  }
}

Loader::Loader(const Dataset& data, const LoaderOptions& options) : state_(std::make_unique<State>(data, options)) {}
Loader::~Loader() = default;
Loader::Loader(Loader&&) noexcept = default;
Loader& Loader::operator=(Loader&&) noexcept = default;

std::int64_t Loader::batches() const { return state_->batches; }
std::int64_t Loader::epoch() const { return state_->epoch; }
std::int64_t Loader::position() const { return state_->consumed; }

void Loader::start(std::int64_t epoch, std::int64_t first_batch) {
  RZ_CHECK(value, epoch >= 0, "loader: epoch {} is negative", epoch);
  RZ_CHECK(value, first_batch >= 0 && first_batch <= state_->batches,
           "loader: batch {} is not in an epoch of {} batches", first_batch, state_->batches);
  {
    const std::lock_guard lock(state_->mutex);
    ++state_->run;
    state_->epoch = epoch;
    state_->produced = state_->consumed = first_batch;
    state_->failure = nullptr;
  }
  state_->changed.notify_all();
}

bool Loader::next(Batch& batch) {
  State& s = *state_;
  batch = {};
  std::unique_lock lock(s.mutex);
  if (s.consumed == s.batches) return false;
  s.changed.wait(lock, [&] { return s.failure || s.produced > s.consumed; });
  if (s.produced == s.consumed) std::rethrow_exception(s.failure);
  batch = std::exchange(s.slot_of(s.consumed).batch, {});
  ++s.consumed;
  lock.unlock();
  s.changed.notify_all();
  return true;
}

}  // namespace rz
