#include "data/file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <system_error>

#include "core/error.h"
#include "data/text.h"

namespace rz {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view temporary_prefix = ".rezero-", temporary_suffix = ".tmp";

std::string reason_text(int reason) { return std::generic_category().message(reason); }

std::string folder_of(const std::string& path) { return fs::path(path).parent_path().string(); }

// A name in `folder` that no other writer of this process gets.
std::string temporary_name(const std::string& folder) {
  static std::atomic<unsigned> counter{0};
  return (fs::path(folder) / (std::string(temporary_prefix) + std::to_string(getpid()) + "-" +
                              std::to_string(counter.fetch_add(1)) + std::string(temporary_suffix)))
      .string();
}

bool is_temporary_name(std::string_view name) {
  return name.starts_with(temporary_prefix) && name.ends_with(temporary_suffix);
}

// The number N of /dev/stdout, /dev/fd/N and /proc/self/fd/N, else -1. What these stand for is never opened again or
// renamed over: it may be a regular file that the shell opened for us.
int descriptor_named(const std::string& path) {
  if (path == "/dev/stdin") return 0;
  if (path == "/dev/stdout") return 1;
  if (path == "/dev/stderr") return 2;
  for (std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
    if (!path.starts_with(folder)) continue;
    int number = -1;
    const char* end = path.data() + path.size();
    if (std::from_chars(path.data() + folder.size(), end, number).ptr == end) return number;
  }
  return -1;
}

// Follows links, also to a file that does not exist yet. Returns 0 or the reason.
int follow_links(std::string& path) {
  for (int links = 0; links < 40; ++links) {
    std::error_code error;
    if (descriptor_named(path) >= 0 || !fs::is_symlink(fs::symlink_status(path, error))) return 0;
    const fs::path next = fs::read_symlink(path, error);
    if (error) return error.value();
    path = (fs::path(path).parent_path() / next).string();
  }
  return ELOOP;
}

void sync_folder(const std::string& folder) {
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;  // a folder that may be written but not read
  const int reason = fsync(descriptor) == 0 ? 0 : errno;
  close(descriptor);
  RZ_CHECK(file, reason == 0 || reason == EINVAL || reason == ENOTSUP, "{}: cannot be synced to the disk: {}", folder,
           reason_text(reason));
}

}  // namespace

std::string absolute(std::string_view path) {
  RZ_CHECK(file, !path.empty(), "file: the path is empty");
  RZ_CHECK(file, path.find('\0') == std::string_view::npos, "file: the path {} has a zero byte", printable(path));
  std::error_code error;
  fs::path full = fs::absolute(fs::path(path), error);
  if (error) return std::string(path);  // the working directory is gone
  for (const fs::path& part : full)
    if (part == "..") return full.string();  // behind a link it may lead elsewhere
  return full.lexically_normal().string();
}

std::string read_file(std::string_view path) {
  const std::string full = absolute(path);
  const auto fail = [&](int reason) { RZ_FAIL(file, "{}: cannot be read: {}", full, reason_text(reason)); };
  const int descriptor = open(full.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail(errno);
  struct Closer {
    int descriptor;
    ~Closer() { close(descriptor); }
  } closer{descriptor};
  struct stat status{};
  if (fstat(descriptor, &status) != 0) fail(errno);
  std::string bytes;
  try {
    // A byte more than the file has, so that its end is seen without growing; pipes report no size.
    bytes.resize(S_ISREG(status.st_mode) && status.st_size > 0 ? static_cast<std::size_t>(status.st_size) + 1 : 65536);
    std::size_t used = 0;
    for (;;) {
      const ssize_t count = read(descriptor, bytes.data() + used, bytes.size() - used);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) fail(errno);
      if (count == 0) break;
      used += static_cast<std::size_t>(count);
      if (used == bytes.size()) bytes.resize(2 * used);
    }
    bytes.resize(used);
  } catch (const std::bad_alloc&) {
    fail(ENOMEM);
  }
  return bytes;
}

FileWriter::FileWriter(std::string_view path) : path_(absolute(path)), target_(path_) {
  if (const int reason = follow_links(target_)) fail(reason);
  struct stat status{};
  const int number = descriptor_named(target_);
  if (number >= 0) {
    descriptor_ = fcntl(number, F_DUPFD_CLOEXEC, 0);
  } else if (stat(target_.c_str(), &status) != 0) {
    if (errno != ENOENT) fail(errno);
    open_temporary();
  } else if (S_ISDIR(status.st_mode)) {
    fail(EISDIR);
  } else if (S_ISREG(status.st_mode)) {
    open_temporary();
  } else {
    descriptor_ = open(target_.c_str(), O_WRONLY | O_CLOEXEC);
  }
  if (descriptor_ < 0) fail(errno);
}

void FileWriter::open_temporary() {
  do {
    temporary_ = temporary_name(folder_of(target_));
    descriptor_ = open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (descriptor_ < 0 && errno == EEXIST);
  if (descriptor_ < 0) {
    temporary_.clear();
  } else {
    flock(descriptor_, LOCK_EX | LOCK_NB);  // tells remove_temporary_files that someone is writing
  }
}

FileWriter::~FileWriter() {
  if (descriptor_ < 0) return;
  close(descriptor_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

void FileWriter::fail(int reason) const { RZ_FAIL(file, "{}: cannot be written: {}", path_, reason_text(reason)); }

void FileWriter::write(const void* data, std::size_t bytes) {
  RZ_ASSERT(descriptor_ >= 0);
  const char* next = static_cast<const char*>(data);
  while (bytes > 0) {
    const ssize_t count = ::write(descriptor_, next, bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(errno);
    next += count;
    bytes -= static_cast<std::size_t>(count);
  }
}

void FileWriter::commit() {
  RZ_ASSERT(descriptor_ >= 0);
  if (!temporary_.empty() && fsync(descriptor_) != 0) fail(errno);
  const int descriptor = descriptor_;
  descriptor_ = -1;
  int reason = close(descriptor) == 0 ? 0 : errno;
  if (!temporary_.empty()) {
    if (reason == 0 && rename(temporary_.c_str(), target_.c_str()) != 0) reason = errno;
    if (reason != 0) unlink(temporary_.c_str());
  }
  if (reason != 0) fail(reason);
  if (!temporary_.empty()) sync_folder(folder_of(target_));
}

void write_atomically(std::string_view path, std::string_view bytes) {
  FileWriter writer(path);
  writer.write(bytes);
  writer.commit();
}

void link_atomically(std::string_view path, std::string_view target) {
  const std::string full = absolute(path), folder = folder_of(full), temporary = temporary_name(folder);
  int reason = symlink(std::string(target).c_str(), temporary.c_str()) == 0 ? 0 : errno;
  if (reason == 0 && rename(temporary.c_str(), full.c_str()) != 0) {
    reason = errno;
    unlink(temporary.c_str());
  }
  RZ_CHECK(file, reason == 0, "{}: cannot be made a link to {}: {}", full, printable(target), reason_text(reason));
  sync_folder(folder);
}

int remove_temporary_files(std::string_view folder) {
  int removed = 0;
  std::error_code error;
  for (fs::directory_iterator entry(absolute(folder), error), end; !error && entry != end; entry.increment(error)) {
    if (!is_temporary_name(entry->path().filename().string())) continue;
    const std::string path = entry->path().string();
    const int descriptor = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    const bool is_link = descriptor < 0 && errno == ELOOP;
    if (is_link || (descriptor >= 0 && flock(descriptor, LOCK_EX | LOCK_NB) == 0)) {
      removed += unlink(path.c_str()) == 0;
    }
    if (descriptor >= 0) close(descriptor);
  }
  return removed;
}

void check_space(std::string_view path, std::uint64_t bytes, std::string_view what) {
  std::string target = absolute(path);
  follow_links(target);
  struct stat status{};
  if (descriptor_named(target) >= 0) return;
  if (stat(target.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return;
  std::string place = target;
  struct statvfs system{};
  while (statvfs(place.c_str(), &system) != 0) {
    const int reason = errno;
    const std::string parent = folder_of(place);
    RZ_CHECK(file, reason == ENOENT && parent != place, "{}: {}: {}", what, target, reason_text(reason));
    place = parent;
  }
  const std::uint64_t available = std::uint64_t{system.f_bavail} * system.f_frsize;
  RZ_CHECK(file, available >= bytes, "{}: {} needs {}, but its file system has {} left (make room or write elsewhere)",
           what, target, byte_text(bytes), byte_text(available));
}

}  // namespace rz
