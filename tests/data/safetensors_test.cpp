#include "data/safetensors.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "data/file.h"
#include "support/close.h"
#include "support/inputs.h"
#include "support/temporary_folder.h"

using namespace rz;
using namespace rz::test;

namespace {

std::vector<NamedTensor> all_types() {
  const Tensor x = normal_input({3, 5}, "safetensors");
  return {{"bytes", Tensor::of_integers({3}, std::vector<std::int64_t>{0, 7, 255}, DType::u8)},
          {"resweight", x.rows(0, 1).reshape({5}).to(DType::f32)},
          {"layer.weight", x},
          {"num_batches_tracked", Tensor::of_integers({}, std::vector<std::int64_t>{-5})},
          {"indices", Tensor::of_integers({2, 1}, std::vector<std::int64_t>{-1, 1 << 30}, DType::i32)},
          {"half", Tensor::of({2}, std::vector<double>{1.5, -3}, DType::bf16)},
          {"nothing", Tensor({0, 4}, DType::f64)},
          {"\xC3\xA4 \"quoted\"\n", Tensor::full({1, 1, 1, 1, 1, 2}, 2, DType::f32)}};
}

// A file from its header and as many tensor bytes.
std::string file_of(const std::string& header, std::size_t data_bytes) {
  std::string bytes(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + std::string(data_bytes, '\x01');
}

std::string safetensors_refusal(const std::string& bytes) {
  return message_of(ErrorCode::file, [&] { parse_safetensors(bytes, "f"); });
}
std::string safetensors_refusal(const std::string& header, std::size_t data_bytes) {
  return safetensors_refusal(file_of(header, data_bytes));
}

std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"w":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

}  // namespace

TEST_SUITE("data/safetensors") {
  TEST_CASE("safetensors: every type and shape comes back bit for bit") {
    const TemporaryFolder folder;
    const std::vector<NamedTensor> tensors = all_types();
    const Metadata metadata{{"step", "12"}, {"note", "a \"b\"\n"}};
    save_safetensors(folder / "a", tensors, metadata);
    const SafetensorsContents read = load_safetensors(folder / "a");
    const SafetensorsFile lazy(folder / "a");
    CHECK(read.tensors.size() == tensors.size());
    for (const NamedTensor& t : tensors) {
      CAPTURE(t.name);
      REQUIRE(read.find(t.name));
      CHECK(identical(*read.find(t.name), t.tensor));
      REQUIRE(lazy.find(t.name));
      CHECK(identical(lazy.read(*lazy.find(t.name)), t.tensor));
    }
    CHECK(!read.find("none"));
    CHECK(!lazy.find("none"));
    CHECK(read.metadata.at("note") == "a \"b\"\n");
    CHECK(read.metadata.at("checksum").starts_with("xxh3-128:"));
    CHECK(read.metadata == lazy.metadata());

    const std::string bytes = read_file(folder / "a");
    CHECK(bytes.size() == safetensors_bytes(tensors, metadata));
    CHECK(parse_safetensors(bytes).tensors.size() == tensors.size());
    save_safetensors(folder / "b", read.tensors, read.metadata);
    CHECK(read_file(folder / "b") == bytes);
    for (const SafetensorsEntry& entry : lazy.entries()) CHECK(entry.offset % size_of(entry.dtype) == 0);
  }

  TEST_CASE("safetensors: files of others, and a file without tensors") {
    const TemporaryFolder folder;
    const std::string header = R"({"b":{"dtype":"U8","shape":[1],"data_offsets":[4,5]},)"
                               R"("a":{"data_offsets":[0,4],"shape":[1],"dtype":"F32","more":[1]}}   )";
    const SafetensorsContents read = parse_safetensors(file_of(header, 5));
    REQUIRE(read.tensors.size() == 2);
    CHECK(read.tensors[0].name == "a");  // the order of the bytes
    CHECK(read.tensors[1].tensor.to_integers() == std::vector<std::int64_t>{1});
    CHECK(parse_safetensors(file_of(R"({"__metadata__":{"checksum":"md5:0"}})", 0)).tensors.empty());
    save_safetensors(folder / "a", {});
    CHECK(load_safetensors(folder / "a").tensors.empty());
  }

  TEST_CASE("safetensors: halves are read as f32 exactly, truth values as u8") {
    const TemporaryFolder folder;
    std::string bytes = file_of(R"({"h":{"dtype":"F16","shape":[2,4],"data_offsets":[0,16]},)"
                                R"("b":{"dtype":"BOOL","shape":[3],"data_offsets":[16,19]}})",
                                19);
    const std::uint16_t halves[] = {0x3C00, 0xC000, 0x7BFF, 0x0001, 0x03FF, 0x8000, 0xFC00, 0x7E00};
    std::memcpy(bytes.data() + bytes.size() - 19, halves, 16);
    write_atomically(folder / "a", bytes);
    const SafetensorsFile file(folder / "a");
    REQUIRE(file.find("h"));
    CHECK(file.find("h")->stored == "F16");
    CHECK(file.find("h")->bytes == 16);
    CHECK(file.find("b")->stored == "BOOL");
    for (const Tensor& h : {file.read(*file.find("h")), *parse_safetensors(bytes).find("h")}) {
      const std::vector<double> read = h.to_vector();
      CHECK(h.dtype() == DType::f32);
      CHECK(std::vector(read.begin(), read.begin() + 5) == std::vector<double>{1, -2, 65504, 0x1p-24, 1023 * 0x1p-24});
      CHECK((read[5] == 0 && std::signbit(read[5])));
      CHECK((std::isinf(read[6]) && read[6] < 0));
      CHECK(std::isnan(read[7]));
    }
    CHECK(file.read(*file.find("b")).to_integers() == std::vector<std::int64_t>{1, 1, 1});
  }

  TEST_CASE("safetensors: any flipped bit is noticed") {
    const TemporaryFolder folder;
    save_safetensors(folder / "a", std::vector<NamedTensor>{{"w", normal_input({4}, "flip")}});
    const std::string good = read_file(folder / "a");
    const std::size_t start = good.size() - 32;
    for (std::size_t k = start; k < good.size(); ++k) {
      std::string bad = good;
      bad[k] = static_cast<char>(bad[k] ^ 1 << k % 8);
      CHECK(mentions(safetensors_refusal(bad), {"f: is damaged: the checksum"}));
    }
    write_atomically(folder / "a", good.substr(0, start) + std::string(32, '\x7F'));
    CHECK(mentions(message_of(ErrorCode::file, [&] { load_safetensors(folder / "a"); }), {folder / "a", "is damaged"}));
  }

  TEST_CASE("safetensors: cut anywhere, or with a byte too many") {
    const TemporaryFolder folder;
    save_safetensors(folder / "a", std::vector<NamedTensor>{{"w", normal_input({4}, "cut")}});
    const std::string good = read_file(folder / "a");
    for (std::size_t size = 0; size < good.size(); ++size) CHECK(!safetensors_refusal(good.substr(0, size)).empty());
    CHECK(mentions(safetensors_refusal(good.substr(0, 7)), {"is no safetensors file", "7 bytes"}));
    CHECK(mentions(safetensors_refusal(good.substr(0, 20)), {"cut off", "only 12 follow"}));
    CHECK(mentions(safetensors_refusal(good.substr(0, good.size() - 1)), {"'w' ends at byte 32", "only 31"}));
    CHECK(mentions(safetensors_refusal(good + "x"), {"1 bytes after the last tensor"}));
    write_atomically(folder / "b", good.substr(0, good.size() - 1));
    CHECK(
        mentions(message_of(ErrorCode::file, [&] { SafetensorsFile file(folder / "b"); }), {folder / "b", "cut off"}));
    CHECK(mentions(message_of(ErrorCode::file, [&] { SafetensorsFile file(folder / "c"); }), {"/c", "No such file"}));
    CHECK(mentions(message_of(ErrorCode::file, [&] { load_safetensors(folder.path()); }), {"Is a directory"}));
  }

  TEST_CASE("safetensors: headers that lie") {
    std::string huge = file_of("{}", 0);
    huge[7] = '\x10';  // 2^60
    CHECK(mentions(safetensors_refusal(huge), {"claims 1,152,921,504,606,846,978 bytes, but only 2 follow"}));
    CHECK(mentions(safetensors_refusal("not json", 0), {"no valid JSON"}));
    CHECK(mentions(safetensors_refusal("[1]", 0), {"no JSON object"}));
    CHECK(mentions(safetensors_refusal("", 0), {"no valid JSON"}));
    CHECK(mentions(safetensors_refusal("{} x", 0), {"no valid JSON"}));
    CHECK(mentions(safetensors_refusal(std::string(100000, '['), 0), {"too deeply"}));
    CHECK(mentions(safetensors_refusal(R"({"a":1,"a":2})", 0), {"'a' twice"}));
    CHECK(mentions(safetensors_refusal(R"({"w":{"dtype":"F32","dtype":"F64"}})", 0), {"'dtype' twice"}));
    CHECK(mentions(safetensors_refusal(R"({"w":3})", 0), {"tensor 'w' is described by no object"}));
    CHECK(mentions(safetensors_refusal(R"({"w\n":{}})", 0), {"tensor 'w\\x0a' has no dtype"}));
    CHECK(mentions(safetensors_refusal(R"({"__metadata__":[]})", 0), {"__metadata__ is no JSON object"}));
    CHECK(mentions(safetensors_refusal(R"({"__metadata__":{"k":1}})", 0), {"'k' is no text"}));
    CHECK(mentions(safetensors_refusal(one("F8_E4M3", "[2]", "[0,2]"), 2),
                   {"'w' has the type F8_E4M3, which is not read"}));
    CHECK(mentions(safetensors_refusal(R"({"w":{"dtype":1}})", 0), {"dtype that is no text"}));
    CHECK(mentions(safetensors_refusal(one("F32", "3", "[0,4]"), 4), {"shape that is no list"}));
    CHECK(mentions(safetensors_refusal(one("F32", "[1,1,1,1,1,1,1]", "[0,4]"), 4), {"'w' has 7 dimensions"}));
    CHECK(mentions(safetensors_refusal(one("F32", "[-1]", "[0,4]"), 4), {"no whole number: -1"}));
    CHECK(mentions(safetensors_refusal(one("F32", "[1.0]", "[0,4]"), 4), {"no whole number: 1.0"}));
    CHECK(mentions(safetensors_refusal(one("F32", "[4611686018427387904,4]", "[0,0]"), 0), {"64 bits"}));
    CHECK(mentions(safetensors_refusal(one("F32", "[4294967296,4294967296,0]", "[0,0]"), 0), {"64 bits"}));
    CHECK(mentions(safetensors_refusal(one("F64", "[18446744073709551615]", "[0,0]"), 0), {"64 bits"}));
    CHECK(mentions(safetensors_refusal(one("F32", "[2]", "[0,4]"), 4),
                   {"has 4 bytes, but its shape [2] and type f32 need 8"}));
    CHECK(mentions(safetensors_refusal(one("F16", "[2]", "[0,8]"), 8),
                   {"has 8 bytes, but its shape [2] and type f16 need 4"}));
    CHECK(mentions(safetensors_refusal(one("F32", "[1]", "[4,0]"), 4), {"ends at byte 0, before it begins"}));
    CHECK(mentions(safetensors_refusal(one("F32", "[1]", "[0]"), 4), {"not two whole numbers"}));
    CHECK(mentions(safetensors_refusal(one("F32", "[1]", "[0,18446744073709551612]"), 4),
                   {"18,446,744,073,709,551,612"}));
    CHECK(mentions(safetensors_refusal(one("F32", "[1]", "[4,8]"), 8),
                   {"4 bytes before tensor 'w' belong to no tensor"}));
    CHECK(mentions(safetensors_refusal(one("F32", "[1]", "[0,4]"), 8), {"4 bytes after the last tensor"}));
    const std::string a = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)";
    CHECK(mentions(safetensors_refusal(a + R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})", 12),
                   {"'a' and 'b' overlap"}));
    CHECK(mentions(safetensors_refusal(a + R"("b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8),
                   {"'a' and 'b' overlap"}));
    CHECK(mentions(safetensors_refusal(a + R"("b":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}})", 8),
                   {"'a' and 'b' overlap"}));
  }

  TEST_CASE("safetensors: what cannot be written is refused before anything is") {
    const TemporaryFolder folder;
    const Tensor x = Tensor::zeros({1});
    const auto writing = [&](std::vector<NamedTensor> tensors) {
      return message_of(ErrorCode::value, [&] { save_safetensors(folder / "a", tensors); });
    };
    CHECK(mentions(writing({{"w", x}, {"w", x}}), {"'w' was given twice"}));
    CHECK(mentions(writing({{"__metadata__", x}}), {"__metadata__"}));
    CHECK(mentions(writing({{"\xFF", x}}), {"UTF-8"}));
    CHECK(mentions(writing({{"w", Tensor()}}), {"'w' is empty"}));
    CHECK(folder.names().empty());
    CHECK(mentions(
        message_of(ErrorCode::file, [&] { save_safetensors("/dev/full", std::vector<NamedTensor>{{"w", x}}); }),
        {"/dev/full: cannot be written: No space left on device"}));
  }
}
