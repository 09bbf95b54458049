// Amounts of memory as users write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "autograd/transforms.h"

namespace rz::tool {

// "1048576", "512 MB", "1.5GiB": bytes, or a number with KB, MB, GB (powers of 1,000) or KiB, MiB, GiB (powers of
// 1,024); B is bytes, case does not matter. `what` opens messages.   Throws: UsageError (another unit, not a number,
// less than a byte, more than 2^62 bytes).
std::int64_t parse_size(std::string_view text, std::string_view what);

// `bytes` in the unit of `like`, rounded up to three digits: (1025, "2KiB") -> "1.01KiB".
std::string size_text(std::int64_t bytes, std::string_view like);

// f(bytes of `budget`); the error of a budget that is too small ends with the least that would do, in the budget's
// unit.
template <class F>
auto within_budget(std::string_view budget, std::string_view what, F&& f) {
  const std::int64_t bytes = parse_size(budget, what);
  try {
    return f(bytes);
  } catch (const BudgetError& error) {
    throw Error(ErrorCode::memory, std::string(what) + ": " + std::string(budget) +
                                       " is too little: " + error.message() + "; the least that would do is " +
                                       size_text(error.least(), budget));
  }
}

}  // namespace rz::tool
