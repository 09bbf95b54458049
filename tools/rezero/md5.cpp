#include "tools/rezero/md5.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <system_error>
#include <vector>

#include "core/error.h"
#include "data/file.h"

namespace rz::tool {
namespace {

// floor(2^32 |sin(i + 1)|), by the definition.
const std::array<std::uint32_t, 64>& sines() {
  static const std::array<std::uint32_t, 64> table = [] {
    std::array<std::uint32_t, 64> out{};
    for (std::size_t i = 0; i < 64; ++i)
      out[i] = static_cast<std::uint32_t>(std::floor(0x1p32 * std::fabs(std::sin(static_cast<double>(i + 1)))));
    return out;
  }();
  return table;
}

constexpr int shifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

}  // namespace

void Md5::block(const unsigned char* bytes) {
  std::array<std::uint32_t, 16> word{};
  for (std::size_t i = 0; i < 64; ++i) word[i / 4] |= std::uint32_t{bytes[i]} << 8 * (i % 4);
  auto [a, b, c, d] = state_;
  for (std::size_t i = 0; i < 64; ++i) {
    const std::size_t round = i / 16;
    std::uint32_t mixed = 0;
    std::size_t which = 0;
    if (round == 0) {
      mixed = (b & c) | (~b & d), which = i;
    } else if (round == 1) {
      mixed = (b & d) | (c & ~d), which = (5 * i + 1) % 16;
    } else if (round == 2) {
      mixed = b ^ c ^ d, which = (3 * i + 5) % 16;
    } else {
      mixed = c ^ (b | ~d), which = 7 * i % 16;
    }
    const std::uint32_t turned = std::rotl(a + mixed + word[which] + sines()[i], shifts[round][i % 4]);
    a = d, d = c, c = b, b += turned;
  }
  state_[0] += a, state_[1] += b, state_[2] += c, state_[3] += d;
}

void Md5::add(const void* data, std::size_t bytes) {
  const auto* next = static_cast<const unsigned char*>(data);
  while (bytes > 0) {
    const std::size_t used = count_ % 64, take = std::min(bytes, 64 - used);
    if (take == 64) {
      block(next);
    } else {
      std::memcpy(&pending_[used], next, take);
      if (used + take == 64) block(pending_.data());
    }
    count_ += take, next += take, bytes -= take;
  }
}

std::string Md5::text() const {
  Md5 end = *this;
  const std::uint64_t bits = 8 * count_;
  std::string padding(1 + (119 - count_ % 64) % 64, '\0');
  padding[0] = '\x80';
  for (int k = 0; k < 8; ++k) padding += static_cast<char>(bits >> 8 * k & 0xFF);
  end.add(padding.data(), padding.size());
  std::string out;
  for (const std::uint32_t word : end.state_)
    for (int k = 0; k < 4; ++k) out += fmt::format("{:02x}", word >> 8 * k & 0xFF);
  return out;
}

std::string md5_of(std::string_view bytes) {
  Md5 sum;
  sum.add(bytes.data(), bytes.size());
  return sum.text();
}

std::string md5_of_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"), std::fclose);
  const auto fail = [&] {
    RZ_FAIL(file, "{}: cannot be read: {}", absolute(path), std::generic_category().message(errno));
  };
  if (!file) fail();
  Md5 sum;
  std::vector<char> piece(1 << 20);
  for (std::size_t count; (count = std::fread(piece.data(), 1, piece.size(), file.get())) > 0;)
    sum.add(piece.data(), count);
  if (std::ferror(file.get())) fail();
  return sum.text();
}

}  // namespace rz::tool
