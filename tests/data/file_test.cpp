#include "data/file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "data/text.h"
#include "support/close.h"
#include "support/temporary_folder.h"

using namespace rz;
using namespace rz::test;

TEST_SUITE("data/file") {
  TEST_CASE("file: what was written is read, and nothing else remains") {
    const TemporaryFolder folder;
    const std::string bytes("zero \0 byte", 11), path = folder / "a";
    write_atomically(path, bytes);
    CHECK(read_file(path) == bytes);
    write_atomically(path, "");
    CHECK(read_file(path).empty());
    CHECK(folder.names() == std::vector<std::string>{"a"});
  }

  TEST_CASE("file: without commit the old file stays") {
    const TemporaryFolder folder;
    write_atomically(folder / "a", "old");
    {
      FileWriter writer(folder / "a");
      writer.write("new");
      CHECK(read_file(folder / "a") == "old");
      CHECK(folder.names().size() == 2);
    }
    CHECK(read_file(folder / "a") == "old");
    CHECK(folder.names().size() == 1);
  }

  TEST_CASE("file: the mode comes from the umask") {
    const TemporaryFolder folder;
    const mode_t before = umask(027);
    write_atomically(folder / "a", "x");
    umask(before);
    struct stat status{};
    REQUIRE(stat((folder / "a").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0640);
  }

  TEST_CASE("file: a link is followed and stays, also to a file that is not there yet") {
    const TemporaryFolder folder;
    std::filesystem::create_directory(folder / "inner");
    link_atomically(folder / "link", "inner/a");
    write_atomically(folder / "link", "first");
    write_atomically(folder / "link", "second");
    CHECK(std::filesystem::is_symlink(folder / "link"));
    CHECK(read_file(folder / "inner/a") == "second");
    CHECK(folder.names() == std::vector<std::string>{"inner", "link"});

    link_atomically(folder / "link", "loop");  // replaces the old link
    link_atomically(folder / "loop", "link");
    CHECK(mentions(message_of(ErrorCode::file, [&] { write_atomically(folder / "loop", "x"); }),
                   {"/loop", "symbolic links"}));
  }

  TEST_CASE("file: errors name the absolute path and the reason") {
    const TemporaryFolder folder;
    write_atomically(folder / "a", "x");
    const auto reading = [&](const std::string& path) { return message_of(ErrorCode::file, [&] { read_file(path); }); };
    const auto writing = [&](const std::string& path) {
      return message_of(ErrorCode::file, [&] { write_atomically(path, "x"); });
    };
    CHECK(reading(folder / "b") == folder / "b" + ": cannot be read: No such file or directory");
    CHECK(mentions(reading("no-such-file"),
                   {std::filesystem::current_path().string() + "/no-such-file: cannot be read"}));
    CHECK(mentions(reading(folder.path()), {folder.path(), "Is a directory"}));
    CHECK(mentions(writing(folder.path()), {folder.path(), "Is a directory"}));
    CHECK(mentions(writing(folder / "a/b"), {"a/b: cannot be written: Not a directory"}));
    CHECK(mentions(writing(folder / "none/b"), {"none/b: cannot be written: No such file or directory"}));
    CHECK(mentions(writing(""), {"path is empty"}));
    CHECK(mentions(reading(std::string("a\0b", 3)), {"a\\x00b", "zero byte"}));
    CHECK(folder.names() == std::vector<std::string>{"a"});
  }

  TEST_CASE("file: what is no regular file is written in place") {
    CHECK(mentions(message_of(ErrorCode::file, [] { write_atomically("/dev/full", "x"); }),
                   {"/dev/full: cannot be written: No space left on device"}));
    CHECK(std::filesystem::is_character_file("/dev/full"));
    write_atomically("/dev/null", "x");
    CHECK(std::filesystem::is_character_file("/dev/null"));

    int ends[2];
    REQUIRE(pipe(ends) == 0);
    write_atomically("/dev/fd/" + std::to_string(ends[1]), "through a pipe");
    char text[32] = {};
    CHECK(read(ends[0], text, sizeof text) == 14);
    CHECK(std::string(text) == "through a pipe");
    close(ends[0]);
    close(ends[1]);

    // The shell's  > file  stays the shell's file.
    const TemporaryFolder folder;
    const int opened = open((folder / "out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    REQUIRE(opened >= 0);
    struct stat before{}, after{};
    REQUIRE(fstat(opened, &before) == 0);
    write_atomically("/proc/self/fd/" + std::to_string(opened), "redirected");
    REQUIRE(stat((folder / "out").c_str(), &after) == 0);
    CHECK(before.st_ino == after.st_ino);
    CHECK(read_file(folder / "out") == "redirected");
    close(opened);
  }

  TEST_CASE("file: a full disk leaves the old file and no temporary one") {
    const SmallDisk disk(64 * 1024);
    if (!disk.mounted()) {
      MESSAGE("skipped: a small file system cannot be mounted here");
      return;
    }
    const TemporaryFolder& folder = disk.folder();
    write_atomically(folder / "a", "old");
    CHECK(mentions(message_of(ErrorCode::file, [&] { write_atomically(folder / "a", std::string(1 << 20, 'x')); }),
                   {"/a: cannot be written: No space left on device"}));
    CHECK(read_file(folder / "a") == "old");
    CHECK(folder.names() == std::vector<std::string>{"a"});
    CHECK(mentions(message_of(ErrorCode::file, [&] { check_space(folder / "new/b", 1 << 20, "checkpoint"); }),
                   {"checkpoint: ", "/new/b needs 1.05 MB", "kB left"}));
    check_space(folder / "new/b", 1000, "checkpoint");
  }

  TEST_CASE("file: what killed writers left is removed, what is being written stays") {
    const TemporaryFolder folder;
    write_atomically(folder / ".rezero-1-0.tmp", "left by a killed writer");
    std::filesystem::create_symlink("nowhere", folder / ".rezero-1-1.tmp");
    write_atomically(folder / "a", "x");
    FileWriter writer(folder / "b");
    CHECK(remove_temporary_files(folder.path()) == 2);
    writer.write("y");
    writer.commit();
    CHECK(folder.names() == std::vector<std::string>{"a", "b"});
    CHECK(remove_temporary_files(folder / "none") == 0);
  }

  TEST_CASE("file: paths and texts of messages") {
    CHECK(absolute("/a/./b") == "/a/b");
    CHECK(absolute("/a/../b") == "/a/../b");  // a may be a link
    CHECK(printable("line\nfeed\x1b") == "line\\x0afeed\\x1b");
    CHECK(printable(std::string(500, 'x')).size() == 103);
    CHECK(grouped(0) == "0");
    CHECK(grouped(1234567) == "1,234,567");
    CHECK(byte_text(1) == "1 byte");
    CHECK(byte_text(999) == "999 bytes");
    CHECK(byte_text(1500000) == "1.50 MB");
    CHECK(byte_text(UINT64_MAX) == "18.4 EB");
  }
}
