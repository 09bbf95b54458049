// Any bytes as a recipe: an error, or a recipe that is read again as it was written.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tools/rezero/command.h"
#include "tools/rezero/recipe.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const rz::tool::Recipe recipe = rz::tool::parse_recipe({reinterpret_cast<const char*>(data), size}, "fuzz");
    const std::string text = rz::tool::to_toml(recipe);
    if (rz::tool::to_toml(rz::tool::parse_recipe(text, "again")) != text) std::abort();
  } catch (const rz::tool::UsageError& error) {
    if (error.message().find('\n') != std::string::npos) std::abort();
  }
  return 0;
}
