// MD5 (RFC 1321): the checksum that data sets are published with. It finds damage, not malice.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace rz::tool {

class Md5 {
 public:
  void add(const void* data, std::size_t bytes);
  std::string text() const;  // of what was added so far: 32 hexadecimal digits

 private:
  void block(const unsigned char* bytes);  // 64 of them
  std::array<std::uint32_t, 4> state_{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
  std::array<unsigned char, 64> pending_{};
  std::uint64_t count_ = 0;
};

std::string md5_of(std::string_view bytes);
std::string md5_of_file(const std::string& path);  // Throws: file

}  // namespace rz::tool
