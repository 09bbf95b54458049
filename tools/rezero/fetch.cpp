#include "tools/rezero/fetch.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include "core/error.h"
#include "core/nearest.h"
#include "data/file.h"
#include "data/text.h"
#include "tools/rezero/command.h"
#include "tools/rezero/download.h"
#include "tools/rezero/md5.h"

namespace rz::tool {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t megabyte = 1'000'000;

PublishedSet idx_set(const char* name, const char* address, const std::array<const char*, 4>& sums) {
  return {name,
          address,
          {{"train-images-idx3-ubyte.gz", sums[0], 50 * megabyte},
           {"train-labels-idx1-ubyte.gz", sums[1], megabyte},
           {"t10k-images-idx3-ubyte.gz", sums[2], 10 * megabyte},
           {"t10k-labels-idx1-ubyte.gz", sums[3], megabyte}}};
}

std::vector<PublishedSet> all_sets() {
  const std::string toronto = "https://www.cs.toronto.edu/~kriz/", mahoney = "http://mattmahoney.net/dc/";
  std::vector<Member> cifar10;
  for (const char* batch :
       {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"})
    cifar10.push_back({std::string(batch) + ".bin", 10000 * 3073});
  return {
      {"cifar10",
       toronto,
       {{"cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", 400 * megabyte, std::move(cifar10)}}},
      {"cifar100",
       toronto,
       {{"cifar-100-binary.tar.gz",
         "03b5dce01913d631647c71ecec9e9cb8",
         400 * megabyte,
         {{"train.bin", 50000 * 3074}, {"test.bin", 10000 * 3074}}}}},
      idx_set("mnist", "https://ossci-datasets.s3.amazonaws.com/mnist/",
              {"f68b3c2dcbeaaa9fbdd348bbdeb94873", "d53e105ee54ea40749a09fcbcd1e9432",
               "9fb629c4189551a2d022fa330f9573f3", "ec29112dd5afa0611ce80d1b7f02629c"}),
      idx_set("fashion_mnist", "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
              {"8d4fb7e6c68d591d4c3dfef9ec88bf0d", "25c81989df183df01b3e8a0aad5dffbe",
               "bef4ecab320f06d8554ea6380940ec79", "bb300cfdad3c16e7a12a480ee83cd310"}),
      {"enwik8",
       mahoney,
       {{"enwik8.zip", "", 100 * megabyte, {{"enwik8", 100 * megabyte, "a1fa5ffddb56f4953e226637dabbb36a"}}}}},
      {"text8",
       mahoney,
       {{"text8.zip", "", 100 * megabyte, {{"text8", 100 * megabyte, "3bea1919949baf155f99411df5fada7e"}}}}},
      // Of its members no sizes are published: the archive's checksum speaks for them.
      {"wikitext2",
       "https://wikitext.smerity.com/",
       {{"wikitext-2-v1.zip",
         "542ccefacc6c27f945fb54453812b3cd",
         100 * megabyte,
         {{"wiki.train.tokens"}, {"wiki.valid.tokens"}, {"wiki.test.tokens"}}}}},
  };
}

std::uint64_t size_or_none(const std::string& path) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  return error ? UINT64_MAX : size;
}

bool is_complete(const PublishedFile& file, const std::string& folder) {
  const std::string path = folder + "/" + file.name;
  if (file.members.empty()) return size_or_none(path) <= file.limit && md5_of_file(path) == file.md5;
  return std::ranges::all_of(file.members, [&](const Member& m) {
    const std::uint64_t size = size_or_none(folder + "/" + m.name);
    return m.bytes == 0 ? size != UINT64_MAX : size == m.bytes;
  });
}

std::string address_of(const PublishedSet& set, const PublishedFile& file, const std::string& url) {
  std::string address = url.empty() ? set.address : url;
  if (address.ends_with("/" + file.name)) return address;
  while (address.ends_with('/')) address.pop_back();
  return address + "/" + file.name;
}

void remove(const std::string& path) {
  std::error_code ignored;
  fs::remove(path, ignored);
}

void check_sum(const PublishedFile& file, const std::string& part, const std::string& url) {
  const std::uint64_t size = size_or_none(part);
  const std::string sum = md5_of_file(part);
  if (sum == file.md5) return;
  remove(part);
  RZ_FAIL(file, "{}: has the md5 {} in its {} bytes, but {} is published (it was not kept: run again, or give --url)",
          url, sum, grouped(size), file.md5);
}

void fetch_file(const PublishedFile& file, const std::string& url, const FetchOptions& options) {
  const std::string path = options.folder + "/" + file.name, part = path + ".part";
  const bool there = !file.md5.empty() && size_or_none(part) <= file.limit && md5_of_file(part) == file.md5;
  if (!there) {  // not whole from an earlier run
    download(url, part, {file.limit, options.timeout});
    RZ_CHECK(file, size_or_none(part) != UINT64_MAX, "{}: the server sends an empty file (--url gives another address)",
             url);
    if (!file.md5.empty()) check_sum(file, part, url);
  }
  if (file.members.empty()) {
    std::error_code error;
    fs::rename(part, path, error);
    RZ_CHECK(file, !error, "{}: cannot be written: {}", path, error.message());
    return;
  }
  std::uint64_t unpacked = 0;
  for (const Member& member : file.members) unpacked += member.bytes == 0 ? unknown_size_limit : member.bytes;
  check_space(options.folder, unpacked, "data fetch");
  try {
    unpack(part, options.folder, file.members, url);
  } catch (const Error&) {
    if (file.md5.empty()) remove(part);  // else it is right, and something else was wrong
    throw;
  }
  remove(part);
}

}  // namespace

std::span<const PublishedSet> published_sets() {
  static const std::vector<PublishedSet> sets = all_sets();
  return sets;
}

const PublishedSet& published_set(std::string_view name) {
  std::vector<std::string_view> names;
  for (const PublishedSet& set : published_sets()) {
    if (set.name == name) return set;
    names.push_back(set.name);
  }
  throw UsageError("data fetch: the data set " + unknown_name(printable(name), names));
}

int fetch(const PublishedSet& set, const FetchOptions& given) {
  if (!given.url.empty() && !given.url.starts_with("http://") && !given.url.starts_with("https://"))
    throw UsageError(fmt::format("--url: {} is no address (http://... or https://...)", printable(given.url)));
  FetchOptions options = given;
  options.folder = absolute(given.folder);
  std::error_code error;
  fs::create_directories(options.folder, error);
  RZ_CHECK(file, !error, "{}: cannot be made a folder: {}", options.folder, error.message());
  remove_temporary_files(options.folder);
  int fetched = 0;
  for (const PublishedFile& file : set.files) {
    if (is_complete(file, options.folder)) continue;
    fetch_file(file, address_of(set, file, given.url), options);
    ++fetched;
  }
  return fetched;
}

}  // namespace rz::tool
