// Files of data sets as tests make them: IDX, and gzip around bytes.
#pragma once

#include <initializer_list>
#include <string>

namespace rz::test {

std::string gzip(const std::string& bytes);
// The header of an IDX file of bytes, and the bytes.
std::string idx_file(std::initializer_list<unsigned> extents, const std::string& bytes);

}  // namespace rz::test
