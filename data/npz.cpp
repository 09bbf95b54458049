#include <zip.h>

#include <algorithm>
#include <memory>
#include <set>

#include "core/error.h"
#include "data/file.h"
#include "data/npy.h"
#include "data/text.h"

namespace rz {
namespace {

constexpr std::string_view extension = ".npy";
constexpr time_t fixed_time = 315619200;  // 2 January 1980: equal contents make equal files

// libzip's objects, freed on every way out.
struct ZipError : zip_error_t {
  ZipError() { zip_error_init(this); }
  ~ZipError() { zip_error_fini(this); }
};
using Archive = std::unique_ptr<zip_t, void (*)(zip_t*)>;
using Source = std::unique_ptr<zip_source_t, void (*)(zip_source_t*)>;
using Entry = std::unique_ptr<zip_file_t, int (*)(zip_file_t*)>;

[[noreturn]] void fail(std::string_view what, std::string_view action, zip_error_t* error) {
  RZ_FAIL(file, "{}: {}: {}", what, action, printable(zip_error_strerror(error)));
}

// The archive takes over one reference to the source, `source` keeps another.
Archive open_archive(zip_source_t* source, int flags, std::string_view what) {
  ZipError error;
  zip_source_keep(source);
  zip_t* archive = zip_open_from_source(source, flags, &error);
  if (!archive) {
    zip_source_free(source);
    fail(what, "is no .npz archive, or damaged", &error);
  }
  return Archive(archive, zip_discard);
}

Source buffer_source(const void* data, std::size_t bytes, std::string_view what) {
  ZipError error;
  zip_source_t* source = zip_source_buffer_create(data, bytes, 0, &error);
  if (!source) fail(what, "libzip", &error);
  return Source(source, zip_source_free);
}

std::string read_entry(zip_t* archive, zip_uint64_t index, std::size_t archive_bytes, std::string_view what) {
  zip_stat_t status;
  zip_stat_init(&status);
  if (zip_stat_index(archive, index, 0, &status) != 0) fail(what, "cannot be read", zip_get_error(archive));
  const std::string name = printable(status.name ? status.name : "");
  // Deflate shrinks by a factor of 1032 at most. Sizes beyond that are lies, and their memory is not asked for.
  RZ_CHECK(file, status.comp_size <= archive_bytes && status.size / 1032 <= status.comp_size,
           "{}: its entry {} claims {} bytes, packed into {} of an archive of {}", what, name, grouped(status.size),
           grouped(status.comp_size), grouped(archive_bytes));
  const Entry entry(zip_fopen_index(archive, index, 0), zip_fclose);
  if (!entry) fail(what, "its entry " + name + " cannot be read", zip_get_error(archive));
  std::string bytes(status.size, '\0');
  std::size_t used = 0;
  for (;;) {  // to its end, one byte more than claimed: libzip then checks the CRC
    char beyond = 0;
    const bool full = used == bytes.size();
    const zip_int64_t count =
        zip_fread(entry.get(), full ? &beyond : bytes.data() + used, full ? 1 : bytes.size() - used);
    if (count < 0) fail(what, "its entry " + name + " is damaged", zip_file_get_error(entry.get()));
    RZ_CHECK(file, !full || count == 0, "{}: its entry {} is longer than it claims", what, name);
    if (count == 0) break;
    used += static_cast<std::size_t>(count);
  }
  RZ_CHECK(file, used == bytes.size(), "{}: its entry {} is shorter than it claims", what, name);
  return bytes;
}

// All bytes of an archive that was written into `source`.
std::string contents(zip_source_t* source, std::string_view what) {
  zip_stat_t status;
  zip_stat_init(&status);
  if (zip_source_open(source) != 0) fail(what, "libzip", zip_source_error(source));
  std::string bytes;
  if (zip_source_stat(source, &status) == 0) bytes.resize(status.size);
  const zip_int64_t count = zip_source_read(source, bytes.data(), bytes.size());
  zip_source_close(source);
  RZ_CHECK(file, count >= 0 && static_cast<std::size_t>(count) == bytes.size() && count > 0, "{}: libzip lost bytes",
           what);
  return bytes;
}

}  // namespace

std::vector<NamedTensor> parse_npz(std::string_view bytes, std::string_view what) {
  RZ_CHECK(file, !bytes.empty(), "{}: is no .npz archive: it is empty",
           what);  // to libzip it would be one of no entries
  const Source source = buffer_source(bytes.data(), bytes.size(), what);
  const Archive archive = open_archive(source.get(), ZIP_RDONLY, what);
  std::vector<NamedTensor> tensors;
  std::set<std::string> names;
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  for (zip_int64_t k = 0; k < count; ++k) {
    const auto index = static_cast<zip_uint64_t>(k);
    const char* entry_name = zip_get_name(archive.get(), index, 0);
    std::string name = entry_name ? entry_name : "";
    RZ_CHECK(file, name.ends_with(extension), "{}: its entry {} is no .npy array", what, printable(name));
    const std::string entry_what = std::string(what) + ": " + printable(name);
    Tensor tensor = parse_npy(read_entry(archive.get(), index, bytes.size(), what), entry_what);
    name.resize(name.size() - extension.size());
    RZ_CHECK(file, names.insert(name).second, "{}: has the array {} twice", what, printable(name));
    tensors.push_back({std::move(name), std::move(tensor)});
  }
  return tensors;
}

std::vector<NamedTensor> load_npz(std::string_view path) { return parse_npz(read_file(path), absolute(path)); }

void save_npz(std::string_view path, std::span<const NamedTensor> tensors) {
  const std::string what = absolute(path);
  RZ_CHECK(value, !tensors.empty(), "{}: an .npz archive needs at least one array", what);
  const Source source = buffer_source(nullptr, 0, what);
  Archive archive = open_archive(source.get(), ZIP_CREATE | ZIP_TRUNCATE, what);
  std::vector<std::string> arrays;  // libzip reads them when the archive is closed
  arrays.reserve(tensors.size());
  std::set<std::string_view> names;
  for (const NamedTensor& t : tensors) {
    RZ_CHECK(value, !t.name.empty() && names.insert(t.name).second, "npz: the name '{}' is empty or was given twice",
             printable(t.name));
    arrays.push_back(npy_bytes(t.tensor));
    Source array = buffer_source(arrays.back().data(), arrays.back().size(), what);
    const zip_int64_t index =
        zip_file_add(archive.get(), (t.name + std::string(extension)).c_str(), array.get(), ZIP_FL_ENC_UTF_8);
    if (index < 0) fail(what, "cannot hold " + printable(t.name), zip_get_error(archive.get()));
    static_cast<void>(array.release());  // the archive's now
    zip_set_file_compression(archive.get(), static_cast<zip_uint64_t>(index), ZIP_CM_STORE, 0);
    zip_file_set_mtime(archive.get(), static_cast<zip_uint64_t>(index), fixed_time, 0);
  }
  if (zip_close(archive.get()) != 0) fail(what, "cannot be written", zip_get_error(archive.get()));
  static_cast<void>(archive.release());
  write_atomically(path, contents(source.get(), what));
}

}  // namespace rz
