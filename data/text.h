// Text for messages.
#pragma once

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>

namespace rz {

// One line of at most 100 characters, without control characters: for names that a file brought along.
std::string printable(std::string_view text);
// A library's message without the tag in brackets that it starts with.
std::string reason_of(const std::exception& error);
// "512 bytes", "1.50 MB": powers of 1,000.
std::string byte_text(std::uint64_t bytes);
// 1234567 as "1,234,567".
std::string grouped(std::uint64_t number);

}  // namespace rz
