// Downloads over HTTP and HTTPS that go on where they stopped.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace rz::tool {

struct DownloadOptions {
  std::uint64_t limit = 0;  // bytes; more is refused
  int timeout = 30;         // seconds to connect, and seconds in which next to nothing comes
};

// Brings the file at `url` to `path`, with progress on standard error. If `path` is there, only the rest is asked for;
// a server that sends everything, or another part, is listened to from the start. What has come stays in `path` when
// the transfer fails. An HTML page is refused: it is no data.
// Throws: file (the server's answer, no connection, cut off, stalled, too large, no room, being fetched already)
void download(const std::string& url, const std::string& path, const DownloadOptions& options);

}  // namespace rz::tool
