// Trace: lists the operations of a step with bytes and FLOPs while it lives on a thread.
#pragma once

#include <cstdint>
#include <vector>

#include "core/shape.h"

namespace rz {

struct TracedOperation {
  const char* name;
  Shape result;
  std::int64_t bytes;  // read and written, counted once each
  std::int64_t flops;
};

class Trace {
 public:
  Trace();  // Throws: value (there is one on this thread already)
  ~Trace();
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;
  const std::vector<TracedOperation>& operations() const { return operations_; }
  std::int64_t bytes() const;
  std::int64_t flops() const;

 private:
  friend void trace_operation(const char*, const Shape&, std::int64_t, std::int64_t);
  std::vector<TracedOperation> operations_;
};

void trace_operation(const char* name, const Shape& result, std::int64_t bytes,
                     std::int64_t flops);  // does nothing without a Trace

}  // namespace rz
