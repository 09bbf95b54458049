// A job is (function, context, pieces). One 64-bit word holds the job's generation and how many of its pieces nobody
// has claimed yet; a thread claims a piece by lowering that count with compare-and-swap. A thread that comes late
// therefore sees either no piece or a piece of the present job, and the caller need not wait for helpers that claimed
// nothing: a sleeping helper costs no time. The fields of a job change only while no piece is left, so a successful
// claim proves that they were read whole.
#include "core/parallel.h"

#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "core/error.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace rz {

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto helper_spin = std::chrono::microseconds(500);  // within a step there is always work sooner than that
constexpr auto caller_spin = std::chrono::microseconds(100);  // longer waits mean that the helper has lost its core
constexpr int max_threads = 1024;

thread_local bool inside_piece = false;

void pause() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

// Returns early when `done` holds; looks at the clock now and then only.
template <class F>
void spin(std::chrono::microseconds limit, F&& done) {
  for (int i = 0; i < 64; ++i) {
    if (done()) return;
    pause();
  }
  for (const auto end = Clock::now() + limit; Clock::now() < end;) {
    for (int i = 0; i < 64; ++i) {
      if (done()) return;
      pause();
    }
  }
}

class ThreadPool {
 public:
  ThreadPool() : threads_(cores()) {}
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_.load(std::memory_order_relaxed); }
  void set_threads(int count);
  // False if the pool works for another caller, or if there is nobody to help: nothing was run.
  bool run(std::int64_t pieces, detail::PieceFunction function, void* context);
  void forget_helpers();  // in a forked child, which has none of them

 private:
  void start_helpers();
  void stop_helpers();
  void help();
  std::uint32_t run_claimed();
  void keep_exception(std::int64_t piece);

  // Written by the caller and polled by helpers: one cache line, so that a job travels in one transfer.
  alignas(64) std::atomic<std::uint64_t> word_{0};  // generation << 32 | pieces not yet claimed
  std::atomic<std::uint32_t> epoch_{0};             // changes with every job; helpers sleep on it
  std::atomic<std::int32_t> sleepers_{0};
  std::atomic<detail::PieceFunction> function_{nullptr};
  std::atomic<void*> context_{nullptr};
  std::atomic<std::uint32_t> pieces_{0};
  std::atomic<bool> stop_{false};
  alignas(64) std::atomic<std::uint32_t> finished_{0};  // pieces that helpers have run

  alignas(64) std::mutex owner_;  // held by the caller for whom the pool works
  std::atomic<int> threads_;
  std::vector<std::thread> helpers_;
  bool helpers_spin_ = true;
  std::mutex exception_mutex_;
  std::exception_ptr exception_;  // of the first piece that threw
  std::int64_t exception_piece_ = 0;
};

std::atomic<bool> pool_gone{false};  // the process is ending

ThreadPool& thread_pool() {
  static ThreadPool& pool = []() -> ThreadPool& {
    static ThreadPool only;
    pthread_atfork(nullptr, nullptr, [] { only.forget_helpers(); });
    return only;
  }();
  return pool;
}

ThreadPool::~ThreadPool() {
  pool_gone = true;
  stop_helpers();
}

void ThreadPool::set_threads(int count) {
  const std::lock_guard lock(owner_);
  stop_helpers();
  threads_ = count;
}

void ThreadPool::start_helpers() {
  helpers_spin_ = threads() <= cores();
  stop_ = false;
  try {
    for (int k = 1; k < threads(); ++k) helpers_.emplace_back([this] { help(); });
  } catch (const std::system_error&) {  // the system gives no more threads: fewer do the same work
    threads_ = static_cast<int>(helpers_.size()) + 1;
  }
}

void ThreadPool::stop_helpers() {
  stop_ = true;
  epoch_.fetch_add(1);
  epoch_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
  helpers_.clear();
}

// The handles are left where they are: a thread that is not there can be neither joined nor let go. Whoever held the
// mutexes is gone too.
void ThreadPool::forget_helpers() {
  static_cast<void>(new std::vector<std::thread>(std::move(helpers_)));
  helpers_.clear();
  new (&owner_) std::mutex;
  new (&exception_mutex_) std::mutex;
  word_ = word_.load() >> 32 << 32;  // no piece of the parent's work
  sleepers_ = 0;
}

void ThreadPool::keep_exception(std::int64_t piece) {
  const std::lock_guard lock(exception_mutex_);
  if (exception_ && exception_piece_ < piece) return;
  exception_ = std::current_exception();
  exception_piece_ = piece;
}

// Claims and runs pieces until none is left; returns how many.
std::uint32_t ThreadPool::run_claimed() {
  std::uint32_t count = 0;
  for (std::uint64_t word = word_.load(std::memory_order_acquire); static_cast<std::uint32_t>(word) != 0;) {
    const auto function = function_.load(std::memory_order_relaxed);
    void* const context = context_.load(std::memory_order_relaxed);
    const std::int64_t piece = std::int64_t{pieces_.load(std::memory_order_relaxed)} - static_cast<std::uint32_t>(word);
    if (!word_.compare_exchange_weak(word, word - 1, std::memory_order_acquire, std::memory_order_acquire)) continue;
    try {
      function(context, piece);
    } catch (...) {
      keep_exception(piece);
    }
    ++count;
    word = word_.load(std::memory_order_acquire);
  }
  return count;
}

void ThreadPool::help() {
  inside_piece = true;
  for (;;) {
    const std::uint32_t epoch = epoch_.load();
    if (stop_.load()) return;
    if (const std::uint32_t count = run_claimed()) {
      finished_.fetch_add(count, std::memory_order_release);
      finished_.notify_one();
    }
    const auto changed = [&] { return epoch_.load(std::memory_order_relaxed) != epoch; };
    if (helpers_spin_) spin(helper_spin, changed);
    if (changed()) continue;
    sleepers_.fetch_add(1);
    epoch_.wait(epoch);
    sleepers_.fetch_sub(1);
  }
}

bool ThreadPool::run(std::int64_t pieces, detail::PieceFunction function, void* context) {
  const std::unique_lock lock(owner_, std::try_to_lock);
  if (!lock.owns_lock() || threads() == 1) return false;
  if (helpers_.empty()) start_helpers();
  if (helpers_.empty()) return false;

  finished_.store(0, std::memory_order_relaxed);
  function_.store(function, std::memory_order_relaxed);
  context_.store(context, std::memory_order_relaxed);
  pieces_.store(static_cast<std::uint32_t>(pieces), std::memory_order_relaxed);
  const std::uint64_t generation = (word_.load(std::memory_order_relaxed) >> 32) + 1;
  word_.store(generation << 32 | static_cast<std::uint64_t>(pieces), std::memory_order_release);
  epoch_.fetch_add(1);
  if (const std::int32_t asleep = sleepers_.load(); asleep >= pieces) {
    for (std::int64_t k = 1; k < pieces; ++k) epoch_.notify_one();
  } else if (asleep > 0) {
    epoch_.notify_all();
  }

  inside_piece = true;
  const std::uint32_t others = static_cast<std::uint32_t>(pieces) - run_claimed();
  inside_piece = false;
  if (helpers_spin_) spin(caller_spin, [&] { return finished_.load(std::memory_order_relaxed) == others; });
  for (std::uint32_t n; (n = finished_.load(std::memory_order_acquire)) != others;) finished_.wait(n);

  if (exception_) std::rethrow_exception(std::exchange(exception_, nullptr));
  return true;
}

}  // namespace

int cores() {
  static const int count = [] {
    cpu_set_t set;
    const int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 0;
    return n > 0 ? n : static_cast<int>(std::thread::hardware_concurrency() ? std::thread::hardware_concurrency() : 1);
  }();
  return count;
}

int threads() { return pool_gone ? 1 : thread_pool().threads(); }

void set_threads(int count) {
  RZ_CHECK(value, count >= 0 && count <= max_threads,
           "threads: {} was given, but it must be between 0 (all cores) and {}", count, max_threads);
  RZ_CHECK(value, !inside_piece, "threads: {} was given while work was running on the pool", count);
  thread_pool().set_threads(count == 0 ? cores() : count);
}

void detail::parallel_run(std::int64_t pieces, PieceFunction function, void* context) {
  constexpr std::int64_t most = std::int64_t{1} << 31;
  const bool parallel = pieces > 1 && pieces < most && !inside_piece && !pool_gone.load(std::memory_order_relaxed);
  if (parallel && thread_pool().run(pieces, function, context)) return;
  for (std::int64_t piece = 0; piece < pieces; ++piece) function(context, piece);
}

#if defined(__x86_64__)
FlushDenormals::FlushDenormals(bool on) : on_(on) {
  constexpr unsigned flush_to_zero = 0x8000, denormals_are_zero = 0x0040;
  if (!on_) return;
  saved_ = _mm_getcsr();
  _mm_setcsr(saved_ | flush_to_zero | denormals_are_zero);
}
FlushDenormals::~FlushDenormals() {
  if (on_) _mm_setcsr(saved_);
}
#else
FlushDenormals::FlushDenormals(bool on) : on_(on) {}
FlushDenormals::~FlushDenormals() = default;
#endif

}  // namespace rz
