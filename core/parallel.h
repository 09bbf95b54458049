// The thread pool. Work is cut into pieces by shape alone; which thread runs a piece does not matter, so results never
// depend on the number of threads. Helper threads spin for a short time after work and then sleep. Nested calls run on
// the calling thread.
#pragma once

#include <cstdint>
#include <type_traits>

namespace rz {

void set_threads(int count);  // 0: all cores.   Throws: value (negative, more than 1024). Not while work is running.
int threads();                // in use
int cores();                  // present (of this process)

// Denormal results and operands count as 0 on this thread while the object lives: f32 work only (an FMA with a denormal
// result is 30 times slower).
class FlushDenormals {
 public:
  explicit FlushDenormals(bool on);
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  unsigned saved_ = 0;
  bool on_;
};

namespace detail {
using PieceFunction = void (*)(void* context, std::int64_t piece);
void parallel_run(std::int64_t pieces, PieceFunction function, void* context);
}  // namespace detail

// f(piece) for piece = 0 ... pieces - 1, in any order, on all threads; returns when all are done. The first exception
// is thrown again here.
template <class F>
void parallel_for(std::int64_t pieces, F&& f) {
  using Callable = std::remove_reference_t<F>;
  if (pieces == 1) return f(std::int64_t{0});
  detail::parallel_run(
      pieces, [](void* context, std::int64_t piece) { (*static_cast<Callable*>(context))(piece); },
      const_cast<void*>(static_cast<const void*>(&f)));
}

// Cuts [0, n) into ranges of `grain` (the last may be shorter) and runs f(begin, end) for each.
template <class F>
void parallel_ranges(std::int64_t n, std::int64_t grain, F&& f) {
  if (n <= 0) return;
  const std::int64_t pieces = (n + grain - 1) / grain;
  parallel_for(pieces, [&](std::int64_t piece) {
    const std::int64_t begin = piece * grain, end = begin + grain < n ? begin + grain : n;
    f(begin, end);
  });
}

}  // namespace rz
