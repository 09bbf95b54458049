// Files: reading whole ones, and writing so that a file appears under its name only when it is complete and on the
// disk. Every error names the absolute path and the reason.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace rz {

std::string absolute(std::string_view path);
// Throws: file (missing, a folder, unreadable).
std::string read_file(std::string_view path);

// Writes to a temporary name in the folder of the file; commit() syncs, renames and syncs the folder. A link is
// followed and stays a link. A target that is no regular file (/dev/full, /dev/stdout, a pipe) is written in place.
// Without commit() nothing changes (what is in place is in place) and the temporary file is removed. The mode comes
// from the umask.
class FileWriter {
 public:
  explicit FileWriter(std::string_view path);  // Throws: file
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  void write(const void* data, std::size_t bytes);  // Throws: file
  void write(std::string_view text) { write(text.data(), text.size()); }
  void commit();  // Throws: file

 private:
  void open_temporary();
  [[noreturn]] void fail(int reason) const;
  std::string path_;       // absolute, as given: for messages
  std::string target_;     // path_ with links followed
  std::string temporary_;  // empty: written in place
  int descriptor_ = -1;
};

void write_atomically(std::string_view path, std::string_view bytes);  // Throws: file

// Makes `path` a symbolic link to `target` (as it will stand in the link), in one step in place of what `path` was
// before.   Throws: file
void link_atomically(std::string_view path, std::string_view target);

// Removes from a folder what killed writers left there; files that are being written stay. Returns their number.
int remove_temporary_files(std::string_view folder);

// Throws: file, if the file system on which `path` would lie has less than `bytes` free. `what` opens the message.
void check_space(std::string_view path, std::uint64_t bytes, std::string_view what);

}  // namespace rz
