#include "core/trace.h"

#include "core/error.h"

namespace rz {

namespace {
thread_local Trace* tracing = nullptr;
}

Trace::Trace() {
  RZ_CHECK(value, !tracing, "trace: this thread has a trace already");
  tracing = this;
}
Trace::~Trace() { tracing = nullptr; }

std::int64_t Trace::bytes() const {
  std::int64_t total = 0;
  for (const TracedOperation& o : operations_) total += o.bytes;
  return total;
}

std::int64_t Trace::flops() const {
  std::int64_t total = 0;
  for (const TracedOperation& o : operations_) total += o.flops;
  return total;
}

void trace_operation(const char* name, const Shape& result, std::int64_t bytes, std::int64_t flops) {
  if (tracing) tracing->operations_.push_back({name, result, bytes, flops});
}

}  // namespace rz
