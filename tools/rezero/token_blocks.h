// --blocks of `jacobian`: token-to-token norms as a table or a picture.
#pragma once

#include <string>
#include <string_view>

#include "tools/isometry/blocks.h"

namespace rz::tool {

void check_blocks_file(const std::string& path);  // Throws: UsageError (another ending than .csv, .npz, .svg, .png)
// A table output_token,input_token,norm; an array block_norms [outputs, inputs]; or a map of log10 of the norms.
void write_blocks(const std::string& path, const isometry::BlockNorms& blocks, std::string_view title);

}  // namespace rz::tool
