#include "data/npy.h"

#include <doctest/doctest.h>

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

std::string refused(const std::string& bytes) {
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

  TEST_CASE("npy: what is no such file, or a damaged one") {
    const std::string good = npy_bytes(normal_input({2, 2}, "npy damage"));
    for (std::size_t size = 0; size < good.size(); ++size) CHECK(!refused(good.substr(0, size)).empty());
    CHECK(mentions(refused(good.substr(0, good.size() - 1)), {"holds 31 bytes", "shape [2, 2] of f64 needs 32"}));
    CHECK(mentions(refused(good + "x"), {"holds 33 bytes"}));
    CHECK(mentions(refused("PK\x03\x04 something"), {"is no .npy file"}));
    CHECK(mentions(refused(file_of("{}", "", 4)), {"version 4"}));
    CHECK(mentions(refused(file_of(header(">f8", "(1,)"), "")), {"big-endian"}));
    CHECK(mentions(refused(file_of(header("<f2", "(1,)"), "")), {"type <f2, which is not read"}));
    CHECK(mentions(refused(file_of(header("|O", "(1,)"), "")), {"type |O"}));
    CHECK(mentions(refused(file_of("{'descr': [('a', '<f8')], ", "")), {"records with fields"}));
    CHECK(mentions(refused(file_of(header("<f8", "(9223372036854775807, 2)"), "")), {"64 bits"}));
    CHECK(mentions(refused(file_of(header("<f8", "(99999999999999999999,)"), "")), {"64 bits"}));
    CHECK(mentions(refused(file_of(header("<f8", "(0, 4294967296, 4294967296)"), "")), {"64 bits"}));
    CHECK(mentions(refused(file_of(header("<f8", "(1,1,1,1,1,1,1)"), "12345678")), {"7 dimensions"}));
    for (const std::string& dict : {std::string("{}"), std::string("{'descr': '<f8'"), header("<f8", "(-1,)"),
                                    header("<f8", "(1 1)"), header("<f8", "(1"), header("<f8", "(1,)", "Maybe"),
                                    header("<f8", "(1,)") + "x", "{'descr': '<f8', " + header("<f8", "(1,)").substr(1),
                                    std::string("{'other': 1}"), std::string("{'descr': '<f8")}) {
      CHECK(mentions(refused(file_of(dict, "12345678")), {"f: has no valid .npy header"}));
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
