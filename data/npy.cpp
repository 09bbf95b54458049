#include "data/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <optional>

#include "core/error.h"
#include "data/file.h"
#include "data/half.h"
#include "data/text.h"

static_assert(std::endian::native == std::endian::little, "the arrays in files are little-endian");

namespace rz {
namespace {

constexpr std::string_view magic{"\x93NUMPY", 6};

// The header is a Python dict: {'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }
struct Header {
  std::string_view type = "f8";  // in the file
  DType dtype = DType::f64;      // of the tensor: f2 becomes f32, integers the next larger that there is
  std::size_t width = 8;         // bytes of an element in the file
  bool big_endian = false;
  bool fortran_order = false;
  Shape shape;
};

class HeaderParser {
 public:
  HeaderParser(std::string_view text, std::string_view what) : text_(text), what_(what) {}

  Header parse() {
    expect('{');
    while (!accept('}')) {
      const std::string_view key = quoted();
      expect(':');
      if (key == "descr") {
        read_type();
      } else if (key == "fortran_order") {
        header_.fortran_order = boolean();
      } else if (key == "shape") {
        header_.shape = shape();
      } else {
        fail();
      }
      const unsigned bit = key == "descr" ? 1 : key == "shape" ? 2 : 4;
      if (seen_ & bit) fail();
      seen_ |= bit;
      if (!accept(',') && !at('}')) fail();
    }
    skip_space();
    if (seen_ != 7 || position_ != text_.size()) fail();
    return header_;
  }

 private:
  [[noreturn]] void fail() const {
    RZ_FAIL(file, "{}: has no valid .npy header: {}", what_, printable(text_.substr(0, 80)));
  }
  void skip_space() {
    while (position_ < text_.size() && std::string_view(" \t\r\n").find(text_[position_]) != std::string_view::npos) {
      ++position_;
    }
  }
  bool at(char c) {
    skip_space();
    return position_ < text_.size() && text_[position_] == c;
  }
  bool accept(char c) {
    const bool there = at(c);
    position_ += there;
    return there;
  }
  bool accept(std::string_view word) {
    skip_space();
    const bool there = text_.substr(position_).starts_with(word);
    if (there) position_ += word.size();
    return there;
  }
  void expect(char c) {
    if (!accept(c)) fail();
  }
  std::string_view quoted() {
    const char quote = at('"') ? '"' : '\'';
    expect(quote);
    const std::size_t end = text_.find(quote, position_);
    if (end == std::string_view::npos) fail();
    const std::string_view inner = text_.substr(position_, end - position_);
    position_ = end + 1;
    return inner;
  }
  bool boolean() {
    if (accept("True")) return true;
    if (!accept("False")) fail();
    return false;
  }
  void read_type() {
    struct Type {
      std::string_view name;
      DType dtype;
      std::size_t width;
    };
    constexpr Type types[] = {{"f2", DType::f32, 2}, {"f4", DType::f32, 4}, {"f8", DType::f64, 8},
                              {"i1", DType::i32, 1}, {"i2", DType::i32, 2}, {"i4", DType::i32, 4},
                              {"i8", DType::i64, 8}, {"u1", DType::u8, 1},  {"u2", DType::i32, 2},
                              {"u4", DType::i64, 4}, {"u8", DType::i64, 8}, {"b1", DType::u8, 1}};
    RZ_CHECK(file, !at('['), "{}: holds records with fields; plain arrays are read", what_);
    const std::string_view descr = quoted(), name = descr.empty() ? descr : descr.substr(1);
    const char order = descr.empty() ? '?' : descr[0];
    for (const Type& type : types) {
      if (name != type.name || (order != '<' && order != '>' && !(order == '|' && type.width == 1))) continue;
      header_.type = type.name;
      header_.dtype = type.dtype;
      header_.width = type.width;
      header_.big_endian = order == '>';
      return;
    }
    RZ_FAIL(file, "{}: holds the type {}, which is not read (f2, f4, f8, i1 to i8, u1 to u8 and b1 are)", what_,
            printable(descr));
  }
  Shape shape() {
    std::vector<std::int64_t> extents;
    std::int64_t product = 8;  // bytes, of the extents that are not 0
    expect('(');
    while (!accept(')')) {
      skip_space();
      std::int64_t extent = -1;
      const char* first = text_.data() + position_;
      const auto [end, error] = std::from_chars(first, text_.data() + text_.size(), extent);
      if (error == std::errc::invalid_argument || (error == std::errc() && extent < 0)) fail();
      position_ += static_cast<std::size_t>(end - first);
      RZ_CHECK(file, error == std::errc() && (extent == 0 || !__builtin_mul_overflow(product, extent, &product)),
               "{}: has a shape of more elements than 64 bits count", what_);
      extents.push_back(extent);
      accept("L");  // Python 2
      if (!accept(',') && !at(')')) fail();
    }
    RZ_CHECK(file, extents.size() <= static_cast<std::size_t>(Shape::max_rank),
             "{}: has {} dimensions, at most 6 are read", what_, extents.size());
    return Shape(std::span<const std::int64_t>(extents));
  }

  std::string_view text_, what_;
  std::size_t position_ = 0;
  unsigned seen_ = 0;
  Header header_;
};

// Elements whose first index runs fastest, brought into row-major order.
void copy_from_fortran_order(std::string_view source, char* destination, const Shape& shape, std::size_t element) {
  std::array<std::int64_t, Shape::max_rank> index{};
  const std::int64_t elements = shape.elements();
  for (std::int64_t k = 0; k < elements; ++k) {
    std::int64_t at = 0;
    for (int axis = 0; axis < shape.rank(); ++axis) at = at * shape[axis] + index[static_cast<std::size_t>(axis)];
    std::memcpy(destination + static_cast<std::size_t>(at) * element, &source[static_cast<std::size_t>(k) * element],
                element);
    for (int axis = 0; axis < shape.rank(); ++axis) {
      auto& i = index[static_cast<std::size_t>(axis)];
      if (++i < shape[axis]) break;
      i = 0;
    }
  }
}

// A little-endian element of the file as one of the tensor, in place.
void widen(std::array<char, 8>& element, const Header& header, std::string_view what) {
  if (header.type == "f2") {
    std::uint16_t half = 0;
    std::memcpy(&half, element.data(), 2);
    const float value = float_of_half(half);
    std::memcpy(element.data(), &value, 4);
  } else if (header.type == "u8") {
    RZ_CHECK(file, static_cast<signed char>(element[7]) >= 0, "{}: holds a u8 of 2^63 or more, which is not read",
             what);
  } else if (header.width < size_of(header.dtype)) {
    const bool negative = header.type[0] == 'i' && static_cast<signed char>(element[header.width - 1]) < 0;
    std::fill(element.begin() + static_cast<std::ptrdiff_t>(header.width), element.end(), negative ? '\xff' : '\0');
  }
}

// The elements of a file in the machine's byte order and the tensor's type.
void copy_elements(std::string_view source, char* destination, const Header& header, std::string_view what) {
  if (!header.big_endian && header.width == size_of(header.dtype) && header.type != "u8") {
    std::memcpy(destination, source.data(), source.size());
    return;
  }
  std::array<char, 8> element{};
  const std::size_t out = size_of(header.dtype);
  for (std::size_t at = 0; at < source.size(); at += header.width, destination += out) {
    std::memcpy(element.data(), &source[at], header.width);
    if (header.big_endian) std::reverse(element.begin(), element.begin() + static_cast<std::ptrdiff_t>(header.width));
    widen(element, header, what);
    std::memcpy(destination, element.data(), out);
  }
}

std::string_view descr_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "<f4";
    case DType::f64:
      return "<f8";
    case DType::i32:
      return "<i4";
    case DType::i64:
      return "<i8";
    case DType::u8:
      return "|u1";
    case DType::bf16:
      break;
  }
  RZ_FAIL(dtype, "npy: NumPy has no type for {} (convert it to f32)", dtype);
}

}  // namespace

Tensor parse_npy(std::string_view bytes, std::string_view what) {
  RZ_CHECK(file, bytes.size() >= 10 && bytes.starts_with(magic), "{}: is no .npy file", what);
  const auto byte = [&](std::size_t k) { return static_cast<std::size_t>(static_cast<unsigned char>(bytes[k])); };
  const std::size_t version = byte(6);
  RZ_CHECK(file, version >= 1 && version <= 3, "{}: is a .npy file of version {}, versions 1 to 3 are read", what,
           version);
  const std::size_t start = version == 1 ? 10 : 12;
  RZ_CHECK(file, bytes.size() >= start, "{}: is cut off within its .npy header", what);
  const std::size_t length =
      version == 1 ? byte(8) | byte(9) << 8 : byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24;
  RZ_CHECK(file, length <= bytes.size() - start, "{}: is cut off: its .npy header claims {} bytes, but only {} follow",
           what, grouped(length), grouped(bytes.size() - start));
  const Header header = HeaderParser(bytes.substr(start, length), what).parse();
  const std::string_view data = bytes.substr(start + length);
  const std::uint64_t wanted = static_cast<std::uint64_t>(header.shape.elements()) * header.width;
  RZ_CHECK(file, data.size() == wanted, "{}: holds {} bytes of numbers, but its shape {} of {} needs {}", what,
           grouped(data.size()), header.shape, header.type, grouped(wanted));
  Tensor tensor(header.shape, header.dtype);
  if (wanted == 0) return tensor;
  std::string reordered;
  if (header.fortran_order && header.shape.rank() > 1) {
    reordered.resize(data.size());
    copy_from_fortran_order(data, reordered.data(), header.shape, header.width);
  }
  copy_elements(reordered.empty() ? data : reordered, static_cast<char*>(tensor.raw()), header, what);
  return tensor;
}

Tensor load_npy(std::string_view path) { return parse_npy(read_file(path), absolute(path)); }

std::string npy_bytes(const Tensor& tensor) {
  const Tensor host = tensor.to(Device::cpu());
  std::string dict = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", descr_of(host.dtype()),
                                 fmt::join(host.shape().extents(), ", "), host.shape().rank() == 1 ? "," : "");
  // NumPy aligns the numbers to 64 bytes and ends the header with a line feed.
  const std::size_t start = 10;
  dict.append(63 - (start + dict.size()) % 64, ' ').append(1, '\n');
  std::string bytes(magic);
  bytes += {'\x01', '\x00', static_cast<char>(dict.size() & 0xFF), static_cast<char>(dict.size() >> 8)};
  bytes += dict;
  if (host.bytes()) bytes.append(static_cast<const char*>(host.raw()), host.bytes());
  return bytes;
}

void save_npy(std::string_view path, const Tensor& tensor) { write_atomically(path, npy_bytes(tensor)); }

}  // namespace rz
