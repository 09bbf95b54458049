// rezero data fetch, against a server of the test's own: whole, interrupted, lying and hostile answers.
#include <archive.h>
#include <archive_entry.h>
#include <doctest/doctest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "core/random.h"
#include "support/close.h"
#include "support/command.h"
#include "support/temporary_folder.h"
#include "support/web_server.h"
#include "tools/rezero/command.h"
#include "tools/rezero/fetch.h"
#include "tools/rezero/md5.h"

using namespace rz;
using namespace rz::test;

namespace {

using Names = std::vector<std::string>;

std::string noise(std::size_t bytes) {
  Random random(1, stream_named("fetch"));
  std::string out;
  while (out.size() < bytes) out += static_cast<char>(random.below(256));
  return out;
}

// An archive of (name, contents), packed as the sets are.
std::string packed(const std::vector<std::pair<std::string, std::string>>& files, bool zip = false) {
  archive* const out = archive_write_new();
  if (!zip) archive_write_add_filter_gzip(out);
  zip ? archive_write_set_format_zip(out) : archive_write_set_format_ustar(out);
  std::string bytes(1 << 22, '\0');
  std::size_t used = 0;
  archive_write_open_memory(out, bytes.data(), bytes.size(), &used);
  for (const auto& [name, contents] : files) {
    archive_entry* const entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(contents.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_write_header(out, entry);
    archive_write_data(out, contents.data(), contents.size());
    archive_entry_free(entry);
  }
  archive_write_close(out);
  archive_write_free(out);
  bytes.resize(used);
  return bytes;
}

// A set of one archive with two members of 200,000 and 300 bytes.
struct Published {
  std::string one = noise(200000), two = std::string(300, 'b');
  std::string archive = packed({{"set/one.bin", one}, {"set/readme.html", "<html>"}, {"set/two.bin", two}});
  tool::PublishedSet set{"some",
                         "http://nowhere.invalid",
                         {{"some.tar.gz", tool::md5_of(archive), 1 << 20, {{"one.bin", 200000}, {"two.bin", 300}}}}};
};

std::string refused(const tool::PublishedSet& set, const TemporaryFolder& folder, const std::string& url) {
  return message_of(ErrorCode::file, [&] { tool::fetch(set, {folder.path(), url, 1}); });
}

CommandResult fetch(const std::vector<std::string>& arguments) {
  std::vector<std::string> all{"data", "fetch"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run_command(all, {"", {{"no_proxy", "*"}}, {}});
}

void check_fails(const std::vector<std::string>& arguments, int code, const std::vector<std::string>& parts) {
  const CommandResult result = fetch(arguments);
  CAPTURE(result.error);
  CHECK(result.exit_code == code);
  CHECK(result.out.empty());
  CHECK(mentions(result.error, parts));
}

const bool no_proxy = setenv("no_proxy", "*", 1) == 0;

}  // namespace

TEST_CASE("md5: the values of RFC 1321, and pieces") {
  CHECK(tool::md5_of("") == "d41d8cd98f00b204e9800998ecf8427e");
  CHECK(tool::md5_of("abc") == "900150983cd24fb0d6963f7d28e17f72");
  CHECK(tool::md5_of("12345678901234567890123456789012345678901234567890123456789012345678901234567890") ==
        "57edf4a22be3c955ac49da2e2107b67a");
  const std::string bytes = noise(1000);
  for (const std::size_t piece : {1UL, 7UL, 55UL, 56UL, 63UL, 64UL, 65UL, 300UL}) {
    tool::Md5 sum;
    for (std::size_t at = 0; at < bytes.size(); at += piece) sum.add(&bytes[at], std::min(piece, bytes.size() - at));
    CHECK(sum.text() == tool::md5_of(bytes));
  }
}

TEST_CASE("fetch: an archive is downloaded, checked, unpacked and removed; a second time nothing happens") {
  const Published p;
  const TemporaryFolder folder;
  WebServer server({{"/data/some.tar.gz", {p.archive}}});
  CHECK(tool::fetch(p.set, {folder / "new/some", server.address() + "/data/", 5}) == 1);
  CHECK(contents(folder / "new/some/one.bin") == p.one);
  CHECK(contents(folder / "new/some/two.bin") == p.two);
  CHECK(tool::fetch(p.set, {folder / "new/some", server.address() + "/data/", 5}) == 0);
  CHECK(tool::fetch(p.set, {folder.path(), server.address() + "/data/some.tar.gz", 5}) == 1);
  CHECK(folder.names() == Names{"new", "one.bin", "two.bin"});
  CHECK(server.requests() == Names{"/data/some.tar.gz", "/data/some.tar.gz"});
}

TEST_CASE("fetch: files that are kept as they are, and members with checksums of their own") {
  const TemporaryFolder folder;
  const std::string a = noise(5000), b = noise(70);
  WebServer server({{"/a.gz", {a}}, {"/b.gz", {b}}, {"/t.zip", {packed({{"t", a}}, true)}}});
  const tool::PublishedSet plain{"plain", "", {{"a.gz", tool::md5_of(a), 9000}, {"b.gz", tool::md5_of(b), 9000}}};
  CHECK(tool::fetch(plain, {folder.path(), server.address(), 5}) == 2);
  write_file(folder / "b.gz", "damaged");
  CHECK(tool::fetch(plain, {folder.path(), server.address(), 5}) == 1);
  CHECK(contents(folder / "b.gz") == b);
  const tool::PublishedSet text{"text", "", {{"t.zip", "", 9000, {{"t", 5000, tool::md5_of(a)}}}}};
  CHECK(tool::fetch(text, {folder.path(), server.address(), 5}) == 1);
  CHECK(contents(folder / "t") == a);
  std::filesystem::remove(folder / "t");
  const std::string zip = packed({{"t", a}}, true);
  const tool::PublishedSet any{"text", "", {{"t.zip", tool::md5_of(zip), 9000, {{"t"}}}}};  // of a size nobody knows
  server.set("/t.zip", {zip});
  CHECK(tool::fetch(any, {folder.path(), server.address(), 5}) == 1);
  CHECK(contents(folder / "t") == a);
  CHECK(tool::fetch(any, {folder.path(), server.address(), 5}) == 0);
  const TemporaryFolder other;
  const tool::PublishedSet wrong{"text", "", {{"t.zip", "", 9000, {{"t", 5000, tool::md5_of(b)}}}}};
  CHECK(mentions(refused(wrong, other, server.address()),
                 {server.address() + "/t.zip", "5,000 bytes", tool::md5_of(a), tool::md5_of(b)}));
  CHECK(other.names().empty());
}

TEST_CASE("fetch: a connection that is cut leaves a part, and the next run asks for the rest alone") {
  const Published p;
  const TemporaryFolder folder;
  WebServer server({{"/some.tar.gz", {.body = p.archive, .sends = 1000}}});
  const std::string part = folder / "some.tar.gz.part", address = server.address();
  CHECK(mentions(refused(p.set, folder, address), {address + "/some.tar.gz: ", "1,000 bytes are kept in " + part,
                                                   "the same command goes on from there"}));
  CHECK(folder.names() == Names{"some.tar.gz.part"});
  CHECK(contents(part) == p.archive.substr(0, 1000));
  CHECK(mentions(refused(p.set, folder, address), {"2,000 bytes are kept in " + part}));
  server.set("/some.tar.gz", {p.archive});
  CHECK(tool::fetch(p.set, {folder.path(), address, 5}) == 1);
  CHECK(server.requests() == Names{"/some.tar.gz", "/some.tar.gz from 1000", "/some.tar.gz from 2000"});
  CHECK(folder.names() == Names{"one.bin", "two.bin"});
}

TEST_CASE("fetch: parts that the server does not go on with, whole ones, and wrong ones") {
  const Published p;
  const std::string name = "/some.tar.gz";
  const auto with_part = [&](const std::string& part, const WebPage& page, const Names& requests) {
    const TemporaryFolder folder;
    write_file(folder / "some.tar.gz.part", part);
    WebServer server(WebPages{{name, page}});
    CHECK(tool::fetch(p.set, {folder.path(), server.address(), 5}) == 1);
    CHECK(folder.names() == Names{"one.bin", "two.bin"});
    CHECK(server.requests() == requests);
  };
  with_part(p.archive.substr(0, 500), {.body = p.archive, .ranges = false}, {name + " from 500"});
  with_part(p.archive, {p.archive}, {});  // killed between download and unpacking
  const std::string longer = p.archive + "more";
  with_part(longer, {p.archive}, {name + " from " + std::to_string(longer.size()), name});

  const TemporaryFolder folder;
  WebServer server(WebPages{{name, {p.archive}}});
  write_file(folder / "some.tar.gz.part", std::string(500, 'x'));
  CHECK(mentions(refused(p.set, folder, server.address()), {"has the md5", "but " + p.set.files[0].md5}));
  CHECK(folder.names().empty());  // and the next run starts anew
  CHECK(tool::fetch(p.set, {folder.path(), server.address(), 5}) == 1);
}

TEST_CASE("fetch: a server that stalls is given up") {
  const Published p;
  const TemporaryFolder folder;
  WebServer server({{"/some.tar.gz", {.body = p.archive, .sends = 700, .stalls = true}}});
  CHECK(mentions(refused(p.set, folder, server.address()),
                 {"some.tar.gz: stalled: next to nothing came for 1 s", "700 bytes are kept"}));
  server.set("/some.tar.gz", {.body = p.archive, .silent = true});
  CHECK(mentions(refused(p.set, folder, server.address()), {"stalled: no answer came for 1 s", "700 bytes are kept"}));
}

TEST_CASE("fetch: wrong checksums, wrong sizes, other archives") {
  const Published p;
  const std::string name = "/some.tar.gz";
  const auto message = [&](const WebPage& page, const tool::PublishedSet& set) {
    const TemporaryFolder folder;
    WebServer server(WebPages{{name, page}});
    const std::string text = refused(set, folder, server.address());
    CHECK(mentions(text, {server.address() + name}));
    for (const std::string& left : folder.names()) CHECK(left == "some.tar.gz.part");
    return text;
  };
  CHECK(mentions(message({"something else"}, p.set),
                 {"has the md5 " + tool::md5_of("something else") + " in its 14 bytes, but " + p.set.files[0].md5}));
  CHECK(mentions(message({.body = p.archive, .claims = 900}, p.set), {"has the md5", "in its 900 bytes"}));
  CHECK(mentions(message({.body = p.archive, .claims = 1000000}, p.set), {"bytes are kept"}));
  CHECK(mentions(message({.body = p.archive, .claims = 1 << 30}, p.set),
                 {"more than the 1.05 MB that the file may have"}));
  CHECK(mentions(message({.body = noise(3 << 20), .claims = -2}, p.set), {"more than the 1.05 MB"}));
  CHECK(mentions(message({""}, p.set), {"empty file"}));
  CHECK(mentions(message({"<html>log in</html>", "text/html; charset=utf-8"}, p.set), {"HTML page"}));
  CHECK(mentions(message({"gone", "text/plain", 404}, p.set), {"the server answers 404, not found", "--url"}));
  CHECK(mentions(message({"oh", "text/plain", 503}, p.set), {"the server answers 503"}));

  const auto with_members = [&](std::vector<tool::Member> members) {
    tool::PublishedSet set = p.set;
    set.files[0].members = std::move(members);
    return message({p.archive}, set);
  };
  CHECK(mentions(with_members({{"one.bin", 199999}}), {"its one.bin has more than the 199,999 bytes"}));
  CHECK(
      mentions(with_members({{"one.bin", 200001}}), {"its one.bin has 200,000 bytes, the published one has 200,001"}));
  CHECK(mentions(with_members({{"three.bin", 3}}), {"has no three.bin in it"}));
  tool::PublishedSet no_archive = p.set;
  no_archive.files[0].md5 = tool::md5_of("no archive");
  CHECK(mentions(message({"no archive"}, no_archive), {"cannot be unpacked"}));
}

TEST_CASE("fetch: one program fetches at a time, and Ctrl-C leaves a part that the next run goes on with") {
  const TemporaryFolder folder;
  const std::string name = "/cifar-10-binary.tar.gz", part = folder / "cifar-10-binary.tar.gz.part";
  const std::string body = noise(3000);
  WebServer server(WebPages{{name, {.body = body, .sends = 1000, .stalls = true}}});
  const std::vector<std::string> arguments{"data",        "fetch", "cifar10",       "--out",
                                           folder.path(), "--url", server.address()};
  Process process(arguments, {"", {{"no_proxy", "*"}}, {}});
  for (int k = 0; k < 1000 && contents(part).size() < 1000; ++k) usleep(10000);
  REQUIRE(contents(part).size() == 1000);
  check_fails({"cifar10", "--out", folder.path(), "--url", server.address()}, 1,
              {part + ": is being fetched by another program"});
  process.signal(SIGINT);
  CHECK(process.wait().exit_code == 130);
  server.set(name, {body});
  check_fails({"cifar10", "--out", folder.path(), "--url", server.address()}, 1, {"has the md5", "3,000 bytes"});
  CHECK(server.requests() == Names{name, name + " from 1000"});
  CHECK(folder.names().empty());
}

TEST_CASE("fetch: the command's messages") {
  const TemporaryFolder folder;
  WebServer server(
      {{"/cifar-10-binary.tar.gz", {"not the archive"}}, {"/page/cifar-10-binary.tar.gz", {"<html>", "text/html"}}});
  const std::string out = folder / "c";
  check_fails({"cifar10", "--out", out, "--url", server.address()}, 1,
              {"cifar-10-binary.tar.gz: has the md5", "15 bytes, but c32a1d4ab5d03f1284b67883e8d87530 is published"});
  check_fails({"cifar10", "--out", out, "--url", server.address() + "/page"}, 1,
              {"rezero: " + server.address(), "HTML page"});
  check_fails({"mnist", "--out", out, "--url", server.address()}, 1,
              {server.address() + "/train-images-idx3-ubyte.gz: the server answers 404"});
  check_fails({"mnist", "--out", out, "--url", "http://127.0.0.1:1"}, 1,
              {"http://127.0.0.1:1/train-images", "--url gives"});
  check_fails({"mnist", "--out", out, "--url", "mirror/mnist"}, 2, {"--url: mirror/mnist is no address"});
  check_fails({"mnits"}, 2, {"'mnits' is not known (did you mean 'mnist'?", "enwik8"});
  check_fails({"shapes"}, 2, {"data set 'shapes' is not known; there are cifar10"});
  check_fails({}, 2, {"data fetch: no data set was named"});
  check_fails({"mnist", "--timeout", "0"}, 2, {"--timeout"});
  write_file(folder / "file", "");
  check_fails({"mnist", "--out", folder / "file/x", "--url", server.address()}, 1,
              {folder / "file/x", "cannot be made a folder"});
  for (const std::string& left : Names{"data_batch_1.bin", "cifar-10-binary.tar.gz"})
    CHECK(contents(out + "/" + left).empty());
}
