#include "support/guarded_device.h"

#include <sys/mman.h>

#include <cstring>
#include <map>
#include <mutex>
#include <stdexcept>

#include "core/backend.h"

namespace rz::test {
namespace {

// One range of addresses, handed out first fit. It is accessible while at least one thread is in a backend call.
class Arena {
 public:
  Arena() {
    void* memory = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::runtime_error("guarded device: mmap failed");
    base_ = static_cast<char*>(memory);
    free_[0] = size;
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { munmap(base_, size); }

  void* allocate(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    bytes = rounded(bytes);
    for (const auto& [offset, length] : free_) {
      if (length < bytes) continue;
      const std::size_t start = offset, rest = length - bytes;
      free_.erase(start);
      if (rest) free_[start + bytes] = rest;
      return base_ + start;
    }
    return nullptr;
  }

  void release(void* data, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    auto at = free_.emplace(static_cast<std::size_t>(static_cast<char*>(data) - base_), rounded(bytes)).first;
    const auto next = std::next(at);
    if (next != free_.end() && at->first + at->second == next->first) {
      at->second += next->second;
      free_.erase(next);
    }
    if (at == free_.begin()) return;
    const auto previous = std::prev(at);
    if (previous->first + previous->second == at->first) {
      previous->second += at->second;
      free_.erase(at);
    }
  }

  void enter() {
    const std::lock_guard lock(mutex_);
    if (calls_++ == 0) protect(PROT_READ | PROT_WRITE);
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    if (--calls_ == 0) protect(PROT_NONE);
  }

 private:
  static constexpr std::size_t size = std::size_t{512} << 20;
  static std::size_t rounded(std::size_t bytes) { return (bytes + 63) / 64 * 64; }
  void protect(int protection) const {
    if (mprotect(base_, size, protection) != 0) throw std::runtime_error("guarded device: mprotect failed");
  }

  std::mutex mutex_;
  char* base_ = nullptr;
  std::map<std::size_t, std::size_t> free_;  // offset -> length, never adjacent
  int calls_ = 0;
};

class Unlocked {
 public:
  explicit Unlocked(Arena& arena) : arena_(arena) { arena_.enter(); }
  ~Unlocked() { arena_.leave(); }
  Unlocked(const Unlocked&) = delete;
  Unlocked& operator=(const Unlocked&) = delete;

 private:
  Arena& arena_;
};

// A function added to Backend with a default body works without a line here, but then its CPU override is not the one
// that is guarded.
class GuardedBackend final : public Backend {
 public:
  Device device() const override { return {DeviceKind::guarded, 0}; }
  std::string description() const override { return "guarded memory over " + host_.description(); }

  void* allocate(std::size_t bytes) override {
    void* data = arena_.allocate(bytes);
    if (!data) return nullptr;
    const Unlocked unlocked(arena_);
    std::memset(data, 0xFF, bytes);
    return data;
  }
  void release(void* data, std::size_t bytes) override { arena_.release(data, bytes); }

#define RZ_FORWARD(name, parameters, arguments) \
  void name parameters override {               \
    const Unlocked unlocked(arena_);            \
    host_.name arguments;                       \
  }
  RZ_FORWARD(upload, (void* device_memory, const void* host_memory, std::size_t bytes),
             (device_memory, host_memory, bytes))
  RZ_FORWARD(download, (void* host_memory, const void* device_memory, std::size_t bytes),
             (host_memory, device_memory, bytes))
  RZ_FORWARD(fill, (double value, const Target& y), (value, y))
  RZ_FORWARD(convert, (const Operand& x, const Target& y), (x, y))
  RZ_FORWARD(scale, (double a, const Operand& x, const Target& y), (a, x, y))
  RZ_FORWARD(scalar, (Scalar f, int order, const Operand& x, const Target& y), (f, order, x, y))
  RZ_FORWARD(scalar_vjp, (Scalar f, const Operand& kept, const Operand& d_y, const Target& d_x), (f, kept, d_y, d_x))
  RZ_FORWARD(binary, (Binary op, const Operand& a, const Operand& b, const Target& y), (op, a, b, y))
  RZ_FORWARD(reduce, (Reduction op, const Operand& x, const Target& y, Workspace& w), (op, x, y, w))
  RZ_FORWARD(argmax_rows, (const Operand& x, const Target& y), (x, y))
  RZ_FORWARD(sum_of_squares, (const Operand& x, const Target& y, Workspace& w), (x, y, w))
  RZ_FORWARD(permute, (const Operand& x, std::span<const int> axes, const Target& y), (x, axes, y))
  RZ_FORWARD(copy_block,
             (const Operand& x, const Shape& x_origin, const Target& y, const Shape& y_origin, const Shape& extent),
             (x, x_origin, y, y_origin, extent))
  RZ_FORWARD(gather_rows, (const Operand& table, const Operand& indices, const Target& y), (table, indices, y))
  RZ_FORWARD(scatter_add_rows, (const Operand& d_y, const Operand& indices, const Target& d_table),
             (d_y, indices, d_table))
  RZ_FORWARD(gemm,
             (Transpose op_a, const Operand& a, Transpose op_b, const Operand& b, double alpha, const Target& c,
              Workspace& w),
             (op_a, a, op_b, b, alpha, c, w))
  RZ_FORWARD(softmax_cross_entropy,
             (const Operand& logits, const Operand& labels, const CrossEntropyOptions& options, const Target& losses,
              const Target& counted, const Target& d_logits),
             (logits, labels, options, losses, counted, d_logits))
  RZ_FORWARD(layer_norm,
             (const Operand& x, const Operand& gain, const Operand& bias, double eps, const Target& y,
              const Target& mean, const Target& inverse_deviation),
             (x, gain, bias, eps, y, mean, inverse_deviation))
  RZ_FORWARD(layer_norm_vjp,
             (const Operand& x, const Operand& gain, const Operand& mean, const Operand& inverse_deviation,
              const Operand& d_y, const Target& d_x, const Target& d_gain, const Target& d_bias, Workspace& w),
             (x, gain, mean, inverse_deviation, d_y, d_x, d_gain, d_bias, w))
  RZ_FORWARD(uniform, (const RandomKey& key, const Operand& state, const Target& y), (key, state, y))
  RZ_FORWARD(dropout_mask, (const RandomKey& key, const Operand& state, double p, const Target& mask),
             (key, state, p, mask))
  RZ_FORWARD(sgd,
             (const UpdateOptions& options, const Operand& state, const Operand& gradient, const Target& value,
              const Target& momentum),
             (options, state, gradient, value, momentum))
  RZ_FORWARD(adagrad,
             (const UpdateOptions& options, const Operand& state, const Operand& gradient, const Target& value,
              const Target& sum),
             (options, state, gradient, value, sum))
  RZ_FORWARD(clip_scale, (const Operand& sum_of_squares, double max_norm, const Target& state),
             (sum_of_squares, max_norm, state))
  RZ_FORWARD(linear,
             (const Operand& x, const Operand& weight, const Operand& bias, Scalar f, const Target& y, Workspace& w),
             (x, weight, bias, f, y, w))
  RZ_FORWARD(residual_add,
             (const Operand& x, const Operand& f, const Operand& gates, std::int64_t index, const Target& y,
              Workspace& w),
             (x, f, gates, index, y, w))
  RZ_FORWARD(residual_add_vjp,
             (const Operand& f, const Operand& gates, std::int64_t index, const Operand& d_y, const Target& d_f,
              const Target& d_gates, Workspace& w),
             (f, gates, index, d_y, d_f, d_gates, w))
#undef RZ_FORWARD

 private:
  Arena arena_;
  Backend& host_ = backend(Device::cpu());
};

}  // namespace

Device use_guarded_device() {
  const Device device{DeviceKind::guarded, 0};
  static const bool registered = [device] {
    register_backend(device, std::make_unique<GuardedBackend>());
    return true;
  }();
  static_cast<void>(registered);
  return device;
}

}  // namespace rz::test
