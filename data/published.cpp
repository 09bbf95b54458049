#include "data/published.h"

#include <sys/stat.h>

#include "core/error.h"
#include "data/file.h"
#include "data/text.h"

namespace rz {

std::string fetch_command(std::string_view dataset, std::string_view folder) {
  return "rezero data fetch " + std::string(dataset) + " --out " + printable(folder);
}

bool is_file(const std::string& path) {
  struct stat status{};
  return stat(path.c_str(), &status) == 0 && !S_ISDIR(status.st_mode);
}

bool is_folder(const std::string& path) {
  struct stat status{};
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

std::string require_folder(std::string_view folder, std::string_view dataset, std::string_view holds) {
  const std::string full = absolute(folder);
  struct stat status{};
  RZ_CHECK(file, stat(full.c_str(), &status) == 0, "{}: is no folder: it is not there (it should hold {}: {})", full,
           holds, fetch_command(dataset, full));
  return require_folder_of(folder, holds);
}

std::string require_folder_of(std::string_view folder, std::string_view holds) {
  std::string full = absolute(folder);
  struct stat status{};
  RZ_CHECK(file, stat(full.c_str(), &status) == 0 && S_ISDIR(status.st_mode),
           "{}: is no folder (it should be the one that holds {})", full, holds);
  return full;
}

std::string read_published(const std::string& folder, std::string_view name, std::string_view dataset) {
  const std::string path = folder + "/" + std::string(name);
  struct stat status{};
  if (stat(path.c_str(), &status) == 0) return read_file(path);
  try {
    return read_file(path);  // for its reason
  } catch (const Error& error) {
    RZ_FAIL(file, "{} ({})", error.message(), fetch_command(dataset, folder));
  }
}

}  // namespace rz
