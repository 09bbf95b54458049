#include "data/npy.h"

#include <doctest/doctest.h>
#include <zlib.h>

#include <cmath>
#include <limits>

#include "data/file.h"
#include "support/close.h"
#include "support/inputs.h"
#include "support/temporary_folder.h"

using namespace rz;
using namespace rz::test;

namespace {

// A file from the text of its header, of version 1, 2 or 3.
std::string file_of(const std::string& dict, const std::string& data, int version = 1) {
  std::string bytes("\x93NUMPY", 6);
  bytes += {static_cast<char>(version), '\0'};
  bytes += {static_cast<char>(dict.size() & 0xFF), static_cast<char>(dict.size() >> 8)};
  if (version > 1) bytes += std::string(2, '\0');
  return bytes + dict + data;
}

std::string header(const std::string& descr, const std::string& shape, const std::string& fortran = "False") {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n";
}

std::string little_endian(std::uint64_t value, int bytes) {
  std::string out;
  for (int k = 0; k < bytes; ++k) out += static_cast<char>(value >> 8 * k & 0xFF);
  return out;
}

// An archive of one stored entry. All sizes and offsets that can are in 64 bits, the 32-bit ones are full of ones.
std::string zip64_archive(const std::string& name, const std::string& data) {
  const std::string ones(4, '\xFF'), size = little_endian(data.size(), 8);
  const std::string crc =
      little_endian(crc32(0, reinterpret_cast<const Bytef*>(data.data()), static_cast<uInt>(data.size())), 4);
  const std::string method_to_sizes = std::string(2, '\0') + little_endian(0x21, 4) + crc + ones + ones;
  const std::string version = little_endian(45, 2), flags(2, '\0'), length = little_endian(name.size(), 2);
  std::string out = "PK\3\4" + version + flags + method_to_sizes + length + little_endian(20, 2) + name +
                    little_endian(1, 2) + little_endian(16, 2) + size + size + data;
  const std::uint64_t directory = out.size();
  out += "PK\1\2" + version + version + flags + method_to_sizes + length + little_endian(28, 2) + std::string(6, '\0') +
         std::string(4, '\0') + ones + name + little_endian(1, 2) + little_endian(24, 2) + size + size +
         std::string(8, '\0');
  const std::uint64_t end = out.size();
  const std::string one = little_endian(1, 8);
  out += "PK\6\6" + little_endian(44, 8) + version + version + std::string(8, '\0') + one + one +
         little_endian(end - directory, 8) + little_endian(directory, 8);
  out += "PK\6\7" + std::string(4, '\0') + little_endian(end, 8) + little_endian(1, 4);
  return out + "PK\5\6" + std::string(4, '\0') + std::string(4, '\xFF') + ones + ones + std::string(2, '\0');
}

std::string npy_refusal(const std::string& bytes) {
  return message_of(ErrorCode::file, [&] { parse_npy(bytes, "f"); });
}

}  // namespace

TEST_SUITE("data/npy") {
  TEST_CASE("npy: every type and shape comes back bit for bit") {
    const TemporaryFolder folder;
    const Tensor x = normal_input({3, 5}, "npy");
    const std::vector<std::int64_t> integers = {-1, 1 << 30};
    for (const Tensor& t : {x, x.to(DType::f32), x.reshape({1, 3, 1, 5, 1, 1}), Tensor::full({}, 3), Tensor({0, 2}),
                            Tensor::of_integers({2}, integers), Tensor::of_integers({2}, integers, DType::i32),
                            Tensor::full({3}, 255, DType::u8)}) {
      save_npy(folder / "a.npy", t);
      CHECK(identical(load_npy(folder / "a.npy"), t));
      CHECK((read_file(folder / "a.npy").size() - t.bytes()) % 64 == 0);
    }
    CHECK(mentions(message_of(ErrorCode::dtype, [&] { npy_bytes(x.to(DType::bf16)); }), {"bf16", "convert it to f32"}));
  }

  TEST_CASE("npy: headers of others") {
    const std::string data = "\x01\x02\x03\x04\x05\x06";
    for (int version : {1, 2, 3})
      CHECK(close(parse_npy(file_of(header("|u1", "(6,)"), data, version)), {1, 2, 3, 4, 5, 6}, 0));
    CHECK(close(parse_npy(file_of(header("|b1", "(2, 3)"), data)), {1, 2, 3, 4, 5, 6}, 0));
    CHECK(close(parse_npy(file_of(header("|u1", "(2, 3)", "True"), data)), {1, 3, 5, 2, 4, 6}, 0));
    CHECK(close(parse_npy(file_of(header("|u1", "(1, 2, 3)", "True"), data)), {1, 3, 5, 2, 4, 6}, 0));
    CHECK(close(parse_npy(file_of(header("|u1", "(3L,2L)"), data)), {1, 2, 3, 4, 5, 6}, 0));
    CHECK(close(parse_npy(file_of("{\"shape\":(6,),\"fortran_order\":True,\"descr\":\"|u1\"}", data)),
                {1, 2, 3, 4, 5, 6}, 0));
    CHECK(parse_npy(file_of(header("<f8", "()"), std::string(8, '\0'))).shape() == Shape{});
  }

  TEST_CASE("npy: big-endian numbers and halves") {
    const auto tensor = [](const std::string& descr, const std::string& data, const std::string& fortran = "False") {
      return parse_npy(file_of(header(descr, "(2, 2)", fortran), data));
    };
    const std::string f4("\x3f\x80\0\0\xc0\0\0\0\x40\x40\0\0\x40\x80\0\0", 16);
    CHECK(identical(tensor(">f4", f4), Tensor::of({2, 2}, std::vector<double>{1, -2, 3, 4}, DType::f32)));
    CHECK(identical(tensor(">f4", f4, "True"), Tensor::of({2, 2}, std::vector<double>{1, 3, -2, 4}, DType::f32)));
    const std::string i4("\0\0\0\1\xff\xff\xff\xfe\0\0\1\0\0\1\0\0", 16);
    CHECK(tensor(">i4", i4).to_integers() == std::vector<std::int64_t>{1, -2, 256, 65536});
    CHECK(tensor(">i4", i4).dtype() == DType::i32);
    CHECK(parse_npy(file_of(header(">i8", "(1,)"), std::string("\0\0\0\0\0\0\1\2", 8))).to_integers()[0] == 258);
    CHECK(parse_npy(file_of(header(">f8", "()"), std::string("\xbf\xe0\0\0\0\0\0\0", 8))).item() == -0.5);
    CHECK(close(tensor(">u1", "\1\2\3\4"), {1, 2, 3, 4}, 0));
    // 1, -2, the largest, the smallest: little-endian, then the same big-endian.
    const std::string halves("\x00\x3c\x00\xc0\xff\x7b\x01\x00", 8), turned("\x3c\x00\xc0\x00\x7b\xff\x00\x01", 8);
    const Tensor wanted = Tensor::of({2, 2}, std::vector<double>{1, -2, 65504, 0x1p-24}, DType::f32);
    CHECK(identical(tensor("<f2", halves), wanted));
    CHECK(identical(tensor(">f2", turned), wanted));
    const std::string special("\x00\x80\x00\x7c\x01\x7c\xff\x83", 8);  // -0, infinity, NaN, the largest subnormal
    const std::vector<double> odd = tensor("<f2", special).to_vector();
    CHECK((odd[0] == 0 && std::signbit(odd[0])));
    CHECK(odd[1] == std::numeric_limits<double>::infinity());
    CHECK(std::isnan(odd[2]));
    CHECK(odd[3] == -1023 * 0x1p-24);
  }

  TEST_CASE("npy: integers of every width") {
    const auto read = [](const std::string& descr, const std::string& data) {
      return parse_npy(file_of(header(descr, "(2,)"), data)).to_integers();
    };
    using Integers = std::vector<std::int64_t>;
    for (const int width : {1, 2, 4, 8}) {
      const std::string minus_two = little_endian(~std::uint64_t{1}, width), five = little_endian(5, width);
      const std::string digit = std::to_string(width);
      CHECK(read("<i" + digit, minus_two + five) == Integers{-2, 5});
      const std::int64_t wrapped = width < 8 ? (std::int64_t{1} << 8 * width) - 2 : 7;
      CHECK(read("<u" + digit, (width < 8 ? minus_two : little_endian(7, 8)) + five) == Integers{wrapped, 5});
      const std::string reversed(minus_two.rbegin(), minus_two.rend());
      CHECK(read(">i" + digit, reversed + std::string(five.rbegin(), five.rend())) == Integers{-2, 5});
    }
    CHECK(mentions(npy_refusal(file_of(header("<u8", "(1,)"), std::string(8, '\xff'))),
                   {"f: holds a u8 of 2^63 or more"}));
  }

  TEST_CASE("npy: a header that is longer than usual") {
    for (const std::size_t length : {400UL, 10000UL}) {
      std::string dict = header("<i4", "(1,)");
      dict.insert(dict.size() - 1, length - dict.size(), ' ');
      CHECK(parse_npy(file_of(dict, std::string("\7\0\0\0", 4))).to_integers() == std::vector<std::int64_t>{7});
    }
  }

  TEST_CASE("npy: what is no such file, or a damaged one") {
    const std::string good = npy_bytes(normal_input({2, 2}, "npy damage"));
    for (std::size_t size = 0; size < good.size(); ++size) CHECK(!npy_refusal(good.substr(0, size)).empty());
    CHECK(mentions(npy_refusal(good.substr(0, good.size() - 1)), {"holds 31 bytes", "shape [2, 2] of f8 needs 32"}));
    CHECK(mentions(npy_refusal(good + "x"), {"holds 33 bytes"}));
    CHECK(mentions(npy_refusal("PK\x03\x04 something"), {"is no .npy file"}));
    CHECK(mentions(npy_refusal(file_of("{}", "", 4)), {"version 4"}));
    CHECK(
        mentions(npy_refusal(file_of(header(">f8", "(1,)"), "1234567")), {"holds 7 bytes", "shape [1] of f8 needs 8"}));
    CHECK(mentions(npy_refusal(file_of(header("<f2", "(3,)"), "12345")), {"holds 5 bytes", "shape [3] of f2 needs 6"}));
    CHECK(mentions(npy_refusal(file_of(header("<f16", "(1,)"), "")), {"type <f16, which is not read"}));
    CHECK(mentions(npy_refusal(file_of(header("=f8", "(1,)"), "")), {"type =f8, which is not read"}));
    CHECK(mentions(npy_refusal(file_of(header("|f8", "(1,)"), "")), {"type |f8, which is not read"}));
    CHECK(mentions(npy_refusal(file_of(header("", "(1,)"), "")), {"type , which is not read"}));
    CHECK(mentions(npy_refusal(file_of(header("|O", "(1,)"), "")), {"type |O"}));
    CHECK(mentions(npy_refusal(file_of("{'descr': [('a', '<f8')], ", "")), {"records with fields"}));
    CHECK(mentions(npy_refusal(file_of(header("<f8", "(9223372036854775807, 2)"), "")), {"64 bits"}));
    CHECK(mentions(npy_refusal(file_of(header("<f8", "(99999999999999999999,)"), "")), {"64 bits"}));
    CHECK(mentions(npy_refusal(file_of(header("<f8", "(0, 4294967296, 4294967296)"), "")), {"64 bits"}));
    CHECK(mentions(npy_refusal(file_of(header("<f8", "(1,1,1,1,1,1,1)"), "12345678")), {"7 dimensions"}));
    for (const std::string& dict : {std::string("{}"), std::string("{'descr': '<f8'"), header("<f8", "(-1,)"),
                                    header("<f8", "(1 1)"), header("<f8", "(1"), header("<f8", "(1,)", "Maybe"),
                                    header("<f8", "(1,)") + "x", "{'descr': '<f8', " + header("<f8", "(1,)").substr(1),
                                    std::string("{'other': 1}"), std::string("{'descr': '<f8")}) {
      CHECK(mentions(npy_refusal(file_of(dict, "12345678")), {"f: has no valid .npy header"}));
    }
    CHECK(mentions(message_of(ErrorCode::file, [] { load_npy("none.npy"); }), {"/none.npy: cannot be read"}));
  }

  TEST_CASE("npz: arrays come back under their names, equal contents make equal files") {
    const TemporaryFolder folder;
    const Tensor x = normal_input({3, 2}, "npz");
    const std::vector<NamedTensor> tensors = {
        {"singular_values", x}, {"labels/\xC3\xA4", Tensor::full({4}, 7, DType::i64)}, {"none", Tensor({0})}};
    save_npz(folder / "a.npz", tensors);
    save_npz(folder / "b.npz", tensors);
    CHECK(read_file(folder / "a.npz") == read_file(folder / "b.npz"));
    const std::vector<NamedTensor> read = load_npz(folder / "a.npz");
    REQUIRE(read.size() == tensors.size());
    for (std::size_t k = 0; k < read.size(); ++k) {
      CHECK(read[k].name == tensors[k].name);
      CHECK(identical(read[k].tensor, tensors[k].tensor));
    }
    CHECK(mentions(
        message_of(ErrorCode::value, [&] { save_npz(folder / "c", std::vector<NamedTensor>{{"a", x}, {"a", x}}); }),
        {"'a' is empty or was given twice"}));
    CHECK(mentions(message_of(ErrorCode::value, [&] { save_npz(folder / "c", {}); }), {"/c", "at least one array"}));
    CHECK(folder.names() == std::vector<std::string>{"a.npz", "b.npz"});
  }

  TEST_CASE("npz: an archive whose sizes are in zip64 fields, as NumPy writes it") {
    const std::string array = npy_bytes(normal_input({2, 3}, "npz zip64"));
    const std::string bytes = zip64_archive("w.npy", array);
    const std::vector<NamedTensor> read = parse_npz(bytes, "f");
    REQUIRE(read.size() == 1);
    CHECK(read[0].name == "w");
    CHECK(npy_bytes(read[0].tensor) == array);
  }

  TEST_CASE("npz: a damaged archive is refused") {
    const TemporaryFolder folder;
    save_npz(folder / "a.npz", std::vector<NamedTensor>{{"w", normal_input({2}, "npz damage")}});
    const std::string good = read_file(folder / "a.npz");
    const auto broken = [&](const std::string& bytes) {
      return message_of(ErrorCode::file, [&] { parse_npz(bytes, "f"); });
    };
    for (std::size_t size = 0; size < good.size(); ++size) CHECK(!broken(good.substr(0, size)).empty());
    std::string bad = good;
    const std::size_t data = good.find("NUMPY") + 130;  // within the numbers
    bad[data] = static_cast<char>(bad[data] ^ 4);
    CHECK(mentions(broken(bad), {"f: its entry w.npy is damaged", "CRC"}));
    std::string renamed = good;
    for (std::size_t at = 0; (at = renamed.find("w.npy", at)) != std::string::npos;) renamed.replace(at, 5, "w.txt");
    CHECK(mentions(broken(renamed), {"its entry w.txt is no .npy array"}));
    CHECK(mentions(broken("no zip"), {"is no .npz archive"}));
    std::string liar = good;  // both sizes of the entry, where it stands and in the directory
    for (const std::size_t at : {good.find("PK\x03\x04") + 18, good.find("PK\x01\x02") + 20}) {
      liar.replace(at, 8, "\xFF\xFF\xFF\x70\xFF\xFF\xFF\x70");
    }
    CHECK(mentions(broken(liar), {"its entry w.npy claims 1,895,825,407 bytes"}));
  }
}
