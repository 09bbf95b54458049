// Step: a function that is run again and again with the same operations, such as a training step.
// On a GPU the second run is captured into one graph and later runs replay it. On the CPU it just runs, but under the
// same rules, so that code that works here can be captured there: inside a Step a value may not be read on the host,
// and each run must issue the operations of the first, with the same shapes. What breaks a rule throws and names the
// operation. What changes from run to run (rate, step number, batch) is read from tensors on the device: a StepState,
// and inputs that are overwritten in place.
#pragma once

#include <cstdint>
#include <memory>

#include "core/backend.h"
#include "core/tensor.h"

namespace rz {

class Step {
 public:
  Step();
  ~Step();
  Step(Step&&) noexcept;
  Step& operator=(Step&&) noexcept;

  template <class F>
  void run(F&& f) {
    begin();
    try {
      f();
    } catch (...) {
      abandon();
      throw;
    }
    end();
  }
  std::int64_t operations() const;  // backend calls of one run

  struct Signature;  // one per backend call of the first run

 private:
  void begin();
  void end();      // Throws: value (fewer operations than in the first run)
  void abandon();  // leaves without judging
  std::unique_ptr<Signature> signature_;
};

// The values that change from step to step, on the device. Slots: StepStateSlot.
class StepState {
 public:
  explicit StepState(Device device = {});
  void set(std::int64_t step, double rate);  // also gradient_scale = 1; not inside a Step
  double get(StepStateSlot slot) const;      // reads on the host; not inside a Step
  const Tensor& tensor() const { return values_; }

 private:
  Tensor values_;
};

bool inside_step();
// Called by core/ops.cpp for every backend call, and by host reads.
void note_operation(const char* name, const Shape& result);
void forbid_in_step(const char* what);  // Throws: value, inside a Step

}  // namespace rz
