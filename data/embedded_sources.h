// The project's own sources and documents as one text, 1.6 MB, put into the library when it is built
// (cmake/RezeroSources.cmake): each file after a line with its path, in an order that mixes the folders.
#pragma once

#include <string_view>

namespace rz {

std::string_view embedded_sources();

}  // namespace rz
