#include "core/step.h"

#include <cstring>
#include <vector>

#include "core/error.h"

namespace rz {

struct Step::Signature {
  struct Call {
    const char* name;
    Shape result;
  };
  std::vector<Call> calls;
  std::size_t position = 0;
  bool complete = false;  // the first run is over
};

namespace {
thread_local Step::Signature* running = nullptr;
}

Step::Step() : signature_(std::make_unique<Signature>()) {}
Step::~Step() = default;
Step::Step(Step&&) noexcept = default;
Step& Step::operator=(Step&&) noexcept = default;

std::int64_t Step::operations() const { return static_cast<std::int64_t>(signature_->calls.size()); }

void Step::begin() {
  RZ_CHECK(value, !running, "step: a step cannot run inside another");
  signature_->position = 0;
  running = signature_.get();
}

void Step::end() {
  running = nullptr;
  Signature& s = *signature_;
  if (s.complete)
    RZ_CHECK(value, s.position == s.calls.size(),
             "step: this run ended after {} operations, the first had {}; the next would have been {}", s.position,
             s.calls.size(), s.calls[s.position].name);
  s.complete = true;
}

void Step::abandon() {
  running = nullptr;
  if (!signature_->complete) signature_->calls.clear();
}

bool inside_step() { return running != nullptr; }

void forbid_in_step(const char* what) {
  RZ_CHECK(value, !running, "step: {} is not possible inside a step (read it after the step)", what);
}

void note_operation(const char* name, const Shape& result) {
  if (!running) return;
  Step::Signature& s = *running;
  if (!s.complete) {
    s.calls.push_back({name, result});
    return;
  }
  RZ_CHECK(value, s.position < s.calls.size(),
           "step: {} -> {} comes after the {} operations of the first run (each run must be the same)", name, result,
           s.calls.size());
  const Step::Signature::Call& first = s.calls[s.position++];
  RZ_CHECK(value, std::strcmp(first.name, name) == 0 && first.result == result,
           "step: {} -> {} where the first run had {} -> {} (each run must be the same)", name, result, first.name,
           first.result);
}

StepState::StepState(Device device) : values_(Tensor::zeros({state_slots}, DType::f64, device)) { set(0, 0); }

void StepState::set(std::int64_t step, double rate) {
  forbid_in_step("setting the step's state");
  double values[state_slots] = {};
  values[state_step] = static_cast<double>(step);
  values[state_rate] = rate;
  values[state_gradient_scale] = 1;
  values_.from_host(values);
}

double StepState::get(StepStateSlot slot) const {
  double values[state_slots];
  values_.to_host(values);
  return values[slot];
}

}  // namespace rz
