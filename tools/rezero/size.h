// Amounts of memory as users write them.
#pragma once

#include <cstdint>
#include <string_view>

namespace rz::tool {

// "1048576", "512 MB", "1.5GiB": bytes, or a number with KB, MB, GB (powers of 1,000) or KiB, MiB, GiB (powers of
// 1,024); B is bytes, case does not matter. `what` opens messages.   Throws: UsageError (another unit, not a number,
// less than a byte, more than 2^62 bytes).
std::int64_t parse_size(std::string_view text, std::string_view what);

}  // namespace rz::tool
