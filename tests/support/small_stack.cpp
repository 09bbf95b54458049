#include "support/small_stack.h"

#include <pthread.h>

#include <exception>
#include <stdexcept>

namespace rz::test {

void on_small_stack(const std::function<void()>& f) {
  struct Call {
    const std::function<void()>& f;
    std::exception_ptr error;
  } call{f, nullptr};
  const auto run = [](void* context) -> void* {
    Call& c = *static_cast<Call*>(context);
    try {
      c.f();
    } catch (...) {
      c.error = std::current_exception();
    }
    return nullptr;
  };
  pthread_attr_t attributes;
  pthread_t thread{};
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, std::size_t{1} << 20);
  const int failure = pthread_create(&thread, &attributes, run, &call);
  pthread_attr_destroy(&attributes);
  if (failure != 0) throw std::runtime_error("no thread with a stack of 1 MiB could be started");
  pthread_join(thread, nullptr);
  if (call.error) std::rethrow_exception(call.error);
}

}  // namespace rz::test
