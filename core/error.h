// Errors: one exception type with a code, and checks that format their message.
// A message reads: operation, what was given (both shapes), the rule in words, what to do. User mistakes throw through
// RZ_CHECK, our own through RZ_ASSERT; nothing aborts. fmt stays in error.cpp, and the number of {} is checked while
// compiling.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "core/device.h"
#include "core/dtype.h"
#include "core/shape.h"

namespace rz {

enum class ErrorCode { shape, dtype, device, value, file, memory, library, internal };

class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message, const char* source_file = "", int source_line = 0)
      : code_(code), message_(std::move(message)), source_file_(source_file), source_line_(source_line) {}
  const char* what() const noexcept override { return message_.c_str(); }
  const std::string& message() const { return message_; }
  ErrorCode code() const { return code_; }
  const char* source_file() const { return source_file_; }  // where the check stands, for developers
  int source_line() const { return source_line_; }

 private:
  ErrorCode code_;
  std::string message_;
  const char* source_file_;
  int source_line_;
};

std::string text(const Shape& shape);  // "[128, 256]"

namespace detail {

struct Arg {
  enum Kind { integer, real, string, shape } kind;
  union {
    std::int64_t i;
    double r;
    std::string_view s;
    const Shape* shape_given;
  };
  template <class T>
    requires std::is_integral_v<T>
  Arg(T v) : kind(integer), i(static_cast<std::int64_t>(v)) {}
  Arg(double v) : kind(real), r(v) {}
  Arg(std::string_view v) : kind(string), s(v) {}
  Arg(const char* v) : kind(string), s(v) {}
  Arg(const std::string& v) : kind(string), s(v) {}
  Arg(DType v) : kind(string), s(name(v)) {}
  Arg(const Shape& v) : kind(shape), shape_given(&v) {}
};

template <class... A>
struct Format {
  std::string_view text;
  template <std::size_t N>
  consteval Format(const char (&s)[N]) : text(s, N - 1) {
    std::size_t n = 0;
    for (std::size_t k = 0; k + 1 < N; ++k) n += s[k] == '{' && s[k + 1] == '}';
    if (n != sizeof...(A)) throw "the number of {} differs from the number of arguments";
  }
};

[[noreturn]] void fail(ErrorCode code, const char* file, int line, std::string_view format, const Arg* args, int count);
template <class... A>
[[noreturn]] void fail(ErrorCode code, const char* file, int line, std::type_identity_t<Format<A...>> format,
                       const A&... args) {
  const Arg list[] = {Arg(args)..., Arg(0)};
  fail(code, file, line, format.text, list, static_cast<int>(sizeof...(A)));
}

}  // namespace detail
}  // namespace rz

// RZ_CHECK(shape, a == b, "linear: x {} needs as many columns as weight {} has", x.shape(), weight.shape());
#define RZ_CHECK(code, condition, ...) \
  ((condition) ? void(0) : ::rz::detail::fail(::rz::ErrorCode::code, __FILE__, __LINE__, __VA_ARGS__))
#define RZ_FAIL(code, ...) ::rz::detail::fail(::rz::ErrorCode::code, __FILE__, __LINE__, __VA_ARGS__)
#define RZ_ASSERT(condition) \
  ((condition)               \
       ? void(0)             \
       : ::rz::detail::fail(::rz::ErrorCode::internal, __FILE__, __LINE__, "internal: {} does not hold", #condition))
