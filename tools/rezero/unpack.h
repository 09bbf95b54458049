// Named files out of an archive (.tar.gz, .zip), wherever in it they stand.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace rz::tool {

inline constexpr std::uint64_t unknown_size_limit = 50'000'000;

struct Member {
  std::string name;         // without folders: "data_batch_1.bin"
  std::uint64_t bytes = 0;  // exactly; 0: not known, at most unknown_size_limit
  std::string md5{};        // empty: not compared
};

// Writes each member to FOLDER/NAME, atomically, and leaves the rest of the archive alone. No more than the given sizes
// is unpacked. `what` opens messages.   Throws: file (damaged, a member missing, of another size or checksum)
void unpack(const std::string& archive, const std::string& folder, std::span<const Member> members,
            const std::string& what);

}  // namespace rz::tool
