#include "tools/rezero/unpack.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "data/file.h"
#include "data/text.h"
#include "tools/rezero/md5.h"

namespace rz::tool {
namespace {

using Reader = std::unique_ptr<archive, int (*)(archive*)>;

[[noreturn]] void fail(archive* reader, const std::string& what) {
  const char* why = archive_error_string(reader);
  RZ_FAIL(file, "{}: cannot be unpacked: {}", what, printable(why ? why : "it is no archive"));
}

void write_member(archive* reader, const Member& member, const std::string& path, const std::string& what) {
  FileWriter file(path);
  Md5 sum;
  std::vector<char> piece(1 << 18);
  const std::uint64_t limit = member.bytes == 0 ? unknown_size_limit : member.bytes;
  std::uint64_t done = 0;
  for (;;) {
    const la_ssize_t count = archive_read_data(reader, piece.data(), piece.size());
    if (count < 0) fail(reader, what);
    if (count == 0) break;
    done += static_cast<std::uint64_t>(count);
    RZ_CHECK(file, done <= limit, "{}: its {} has more than the {} bytes of the published one", what, member.name,
             grouped(limit));
    sum.add(piece.data(), static_cast<std::size_t>(count));
    file.write(piece.data(), static_cast<std::size_t>(count));
  }
  RZ_CHECK(file, member.bytes == 0 || done == member.bytes, "{}: its {} has {} bytes, the published one has {}", what,
           member.name, grouped(done), grouped(member.bytes));
  RZ_CHECK(file, member.md5.empty() || sum.text() == member.md5,
           "{}: the checksum of its {} of {} bytes is {}, but {} is the published one", what, member.name,
           grouped(done), sum.text(), member.md5);
  file.commit();
}

}  // namespace

void unpack(const std::string& archive_path, const std::string& folder, std::span<const Member> members,
            const std::string& what) {
  const Reader reader(archive_read_new(), archive_read_free);
  if (!reader) RZ_FAIL(memory, "{}: libarchive could not be started", what);
  archive_read_support_filter_gzip(reader.get());
  archive_read_support_format_tar(reader.get());
  archive_read_support_format_zip(reader.get());
  if (archive_read_open_filename(reader.get(), archive_path.c_str(), 1 << 16) != ARCHIVE_OK) fail(reader.get(), what);
  std::set<std::string_view> found;
  while (found.size() < members.size()) {
    archive_entry* entry = nullptr;
    const int status = archive_read_next_header(reader.get(), &entry);
    if (status == ARCHIVE_EOF) break;
    if (status < ARCHIVE_WARN) fail(reader.get(), what);
    const char* full = archive_entry_pathname(entry);
    std::string_view name = full ? full : "";
    name.remove_prefix(name.rfind('/') + 1);  // npos + 1 is 0
    const auto member = std::ranges::find(members, name, &Member::name);
    if (member == members.end() || archive_entry_filetype(entry) != AE_IFREG || found.contains(member->name)) continue;
    write_member(reader.get(), *member, folder + "/" + member->name, what);
    found.insert(member->name);
  }
  for (const Member& member : members)
    RZ_CHECK(file, found.contains(member.name), "{}: has no {} in it", what, member.name);
}

}  // namespace rz::tool
