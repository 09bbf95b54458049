// Where the published data sets are, what belongs to them, and bringing them into the layout that the readers want.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/rezero/unpack.h"

namespace rz::tool {

struct PublishedFile {
  std::string name;               // at its address: "cifar-10-binary.tar.gz"
  std::string md5;                // of the file as it is published; empty: only its members have one
  std::uint64_t limit = 0;        // bytes; it has no more
  std::vector<Member> members{};  // what is unpacked; none: the file is kept as it is
};

struct PublishedSet {
  std::string name;     // of the data set in recipes
  std::string address;  // of the folder with its files
  std::vector<PublishedFile> files;
};

std::span<const PublishedSet> published_sets();
const PublishedSet& published_set(std::string_view name);  // Throws: UsageError

struct FetchOptions {
  std::string folder;  // where the files go; made if it is not there
  std::string url;     // in place of the set's address: of the folder, or of the file itself; empty: the set's
  int timeout = 30;    // seconds, as in DownloadOptions
};

// Downloads, checks and unpacks what is not there yet; returns the number of files fetched. A file appears under its
// name when it is complete and its checksum is right; what an interrupted download brought stays in NAME.part and is
// gone on with. What turned out wrong is removed.
// Throws: file (see download.h, unpack.h; a wrong checksum, with size and address), UsageError (an address that is
// none)
int fetch(const PublishedSet& set, const FetchOptions& options);

}  // namespace rz::tool
