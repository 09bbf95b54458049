#include "core/error.h"

#include <fmt/args.h>
#include <fmt/format.h>

namespace rz {

std::string_view name(DType t) {
  switch (t) {
    case DType::f32:
      return "f32";
    case DType::f64:
      return "f64";
    case DType::bf16:
      return "bf16";
    case DType::i32:
      return "i32";
    case DType::i64:
      return "i64";
    case DType::u8:
      return "u8";
  }
  return "?";
}

std::string text(const Shape& shape) {
  std::string s = "[";
  for (int axis = 0; axis < shape.rank(); ++axis) s += (axis ? ", " : "") + std::to_string(shape[axis]);
  return s + "]";
}

namespace detail {

void fail(ErrorCode code, const char* file, int line, std::string_view format, const Arg* args, int count) {
  fmt::dynamic_format_arg_store<fmt::format_context> store;
  for (int k = 0; k < count; ++k) {
    switch (args[k].kind) {
      case Arg::integer:
        store.push_back(args[k].i);
        break;
      case Arg::real:
        store.push_back(args[k].r);
        break;
      case Arg::string:
        store.push_back(std::string(args[k].s));
        break;
      case Arg::shape:
        store.push_back(text(*args[k].shape_given));
        break;
    }
  }
  throw Error(code, fmt::vformat(format, store), file, line);
}

}  // namespace detail
}  // namespace rz
