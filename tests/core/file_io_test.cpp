#include "core/file_io.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include "core/error.hpp"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <string>

using namespace omnifit::core;
using Catch::Matchers::ContainsSubstring;
using omnifit::test::TempDir;
namespace fs = std::filesystem;

namespace {

std::string to_text(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string gzip(const std::string& text) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string packed(compressBound(static_cast<uLong>(text.size())) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

/// What reading `packed` as a gzip file ends with.
std::string gzip_refusal(const TempDir& dir, const std::string& packed, std::uint64_t max_bytes) {
  const fs::path file = dir / "data.gz";
  write_file_atomically(file, packed);
  try {
    read_gzip_file(file, max_bytes);
  } catch (const omnifit::DataError& error) {
    const std::string message = error.what();
    REQUIRE(message.starts_with(file.string() + ": "));
    return message.substr(file.string().size() + 2);
  }
  return "(accepted)";
}

std::size_t files_in(const fs::path& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

/// Runs `work` in a forked child. @return its wait status.
int in_child(const std::function<void()>& work) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    work();
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

}  // namespace

TEST_CASE("what is written is read back", "[core][unit]") {
  const TempDir dir;
  std::string content("bytes \0 and\nlines\n", 18);
  for (int k = 0; k < 12; ++k) content += content;
  write_file_atomically(dir / "a", content);
  CHECK(read_text_file(dir / "a") == content);
  CHECK(to_text(read_file(dir / "a")) == content);
  CHECK(read_text_file(dir / "a", content.size()) == content);
  write_file_atomically(dir / "a", std::string_view());
  CHECK(read_file(dir / "a").empty());
  CHECK(files_in(dir.path()) == 1);
}

TEST_CASE("files that report no size are read whole", "[core][unit]") {
  CHECK_THAT(read_text_file("/proc/self/status"), ContainsSubstring("VmPeak"));
}

TEST_CASE("paths are named in UTF-8", "[core][unit]") {
  CHECK(path_text("gr\xc3\xbc\xc3\x9f/\xe2\x82\xac") == "gr\xc3\xbc\xc3\x9f/\xe2\x82\xac");
  CHECK(path_text("") == "");
  CHECK(path_text("a\xff/\xe2\x82.gz") == "a\\xff/\\xe2\\x82.gz");
  CHECK_THROWS_WITH(read_file("none\xff"), "none\\xff: no such file");
  CHECK_THROWS_WITH(write_file_atomically(fs::path("none\xff/state"), "x"),
                    "none\\xff/state: cannot write: No such file or directory");
}

TEST_CASE("a file that cannot be read is refused by name", "[core][error]") {
  const TempDir dir;
  const std::string missing = (dir / "none").string();
  CHECK_THROWS_AS(read_file(missing), omnifit::DataError);
  CHECK_THROWS_WITH(read_file(missing), missing + ": no such file");
  CHECK_THROWS_WITH(read_file(dir.path()), dir.path().string() + ": not a regular file");
  REQUIRE(::mkfifo((dir / "pipe").c_str(), 0600) == 0);
  CHECK_THROWS_WITH(read_file(dir / "pipe"), (dir / "pipe").string() + ": not a regular file");
  CHECK_THROWS_WITH(read_file(dir / "none" / "x"), ContainsSubstring(": no such file"));
  write_file_atomically(dir / "a", "12345");
  CHECK_THROWS_WITH(read_file(dir / "a" / "x"),
                    ContainsSubstring(": cannot read: Not a directory"));
  CHECK_THROWS_WITH(read_file(dir / "a", 4),
                    (dir / "a").string() + ": larger than the 4 B allowed");
  CHECK_THROWS_WITH(read_text_file("/proc/self/status", 10),
                    "/proc/self/status: larger than the 10 B allowed");
}

TEST_CASE("gzip files are unpacked, other files pass through", "[core][unit]") {
  const TempDir dir;
  std::string text;
  for (int k = 0; k < 300000; ++k)
    text += static_cast<char>('a' + ((k % 1000) * (k % 1000) / 7) % 26);
  write_file_atomically(dir / "one.gz", gzip(text));
  CHECK(to_text(read_gzip_file(dir / "one.gz", text.size())) == text);
  write_file_atomically(dir / "two.gz", gzip(text) + gzip("tail") + std::string(512, '\0'));
  CHECK(to_text(read_gzip_file(dir / "two.gz", UINT64_MAX)) == text + "tail");
  write_file_atomically(dir / "empty.gz", gzip(""));
  CHECK(read_gzip_file(dir / "empty.gz", 0).empty());
  write_file_atomically(dir / "plain", "plain");
  CHECK(to_text(read_gzip_file(dir / "plain", 5)) == "plain");
}

TEST_CASE("damaged and oversized gzip files are refused", "[core][error]") {
  const TempDir dir;
  const std::string text(3'000'000, 'x');
  const std::string good = gzip(text);
  CHECK(gzip_refusal(dir, good, text.size()) == "(accepted)");

  std::string bad_crc = good;
  bad_crc[bad_crc.size() - 8] = static_cast<char>(bad_crc[bad_crc.size() - 8] ^ 1);
  CHECK(gzip_refusal(dir, bad_crc, text.size()) == "corrupt gzip data: incorrect data check");
  std::string bad_length = good;
  bad_length.back() = static_cast<char>(bad_length.back() ^ 1);
  CHECK(gzip_refusal(dir, bad_length, text.size()) == "corrupt gzip data: incorrect length check");
  std::string bad_body = good;
  bad_body[10] = '\x07';
  CHECK_THAT(gzip_refusal(dir, bad_body, text.size()), ContainsSubstring("corrupt gzip data: "));
  for (std::size_t size : {std::size_t{2}, std::size_t{9}, good.size() / 2, good.size() - 1}) {
    CAPTURE(size);
    CHECK(gzip_refusal(dir, good.substr(0, size), text.size()) ==
          "gzip data ends too early; the file is truncated");
  }
  CHECK(gzip_refusal(dir, good + "junk", text.size()) ==
        "corrupt gzip data: foreign bytes after the end");
  // A bomb stops at the limit, not when memory runs out.
  CHECK(gzip_refusal(dir, good, text.size() - 1) == "larger than the 3.0 MB allowed");
  CHECK(gzip_refusal(dir, good + good, text.size()) == "larger than the 3.0 MB allowed");
  CHECK(gzip_refusal(dir, "plain text", 4) == "larger than the 4 B allowed");
}

TEST_CASE("a writer that fails leaves the old file and no rubbish", "[core][error]") {
  const TempDir dir;
  const fs::path file = dir / "state";
  write_file_atomically(file, "old");
  CHECK_THROWS_WITH(write_file_atomically(file,
                                          [](const fs::path& temporary) {
                                            std::ofstream(temporary) << "half";
                                            throw omnifit::DataError("gave up");
                                          }),
                    "gave up");
  CHECK(read_text_file(file) == "old");
  CHECK(files_in(dir.path()) == 1);

  write_file_atomically(file, [](const fs::path& temporary) { std::ofstream(temporary) << "new"; });
  CHECK(read_text_file(file) == "new");
  CHECK(files_in(dir.path()) == 1);
}

TEST_CASE("a process killed in the middle of writing leaves the old file", "[core][unit]") {
  const TempDir dir;
  const fs::path file = dir / "state";
  write_file_atomically(file, "old");
  const int status = in_child([&file] {
    write_file_atomically(file, [](const fs::path& temporary) {
      std::ofstream(temporary) << "half of the new content" << std::flush;
      ::kill(::getpid(), SIGKILL);
    });
  });
  REQUIRE(WIFSIGNALED(status));
  CHECK(read_text_file(file) == "old");
  write_file_atomically(file, "next run");
  CHECK(read_text_file(file) == "next run");
}

TEST_CASE("a disk that takes no more bytes leaves the old file", "[core][error]") {
  const TempDir dir;
  const fs::path file = dir / "state";
  write_file_atomically(file, "old");
  // A limit on the file size fails the same write that a full disk would, with EFBIG for ENOSPC.
  const int status = in_child([&file] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{1000, 1000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(10);
    try {
      write_file_atomically(file, std::string(5000, 'x'));
    } catch (const omnifit::EnvironmentError& error) {
      ::_exit(error.what() == file.string() + ": cannot write: File too large" ? 42 : 11);
    }
    ::_exit(12);
  });
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 42);
  CHECK(read_text_file(file) == "old");
  CHECK(files_in(dir.path()) == 1);
}

TEST_CASE("a place that cannot be written is named", "[core][error]") {
  const TempDir dir;
  const std::string file = (dir / "none" / "state").string();
  CHECK_THROWS_AS(write_file_atomically(file, "x"), omnifit::EnvironmentError);
  CHECK_THROWS_WITH(write_file_atomically(file, "x"),
                    file + ": cannot write: No such file or directory");
  fs::create_directory(dir / "folder");
  CHECK_THROWS_WITH(write_file_atomically(dir / "folder", "x"),
                    (dir / "folder").string() + ": cannot write: Is a directory");
  CHECK(files_in(dir.path()) == 1);
}

TEST_CASE("replacing a file keeps its permissions and follows links", "[core][unit]") {
  const TempDir dir;
  const fs::path file = dir / "state";
  write_file_atomically(file, "old");
  fs::permissions(file, fs::perms(0640));
  fs::create_symlink("state", dir / "link");
  write_file_atomically(dir / "link", "new");
  CHECK(fs::is_symlink(dir / "link"));
  CHECK(read_text_file(file) == "new");
  CHECK(fs::status(file).permissions() == fs::perms(0640));
}

TEST_CASE("a bare file name is written into the working folder", "[core][unit]") {
  const TempDir dir;
  const int status = in_child([&dir] {
    if (::chdir(dir.path().c_str()) != 0) ::_exit(10);
    write_file_atomically("bare", "x");
  });
  REQUIRE(status == 0);
  CHECK(read_text_file(dir / "bare") == "x");
}

TEST_CASE("a working folder that was removed is told", "[core][error]") {
  const TempDir dir;
  CHECK(working_folder() == fs::current_path());
  const fs::path gone = dir / "gone";
  fs::create_directory(gone);
  const int status = in_child([&gone] {
    if (::chdir(gone.c_str()) != 0 || ::rmdir(gone.c_str()) != 0) ::_exit(10);
    try {
      static_cast<void>(working_folder());
    } catch (const omnifit::EnvironmentError& error) {
      const std::string expected =
          "the working folder cannot be found: No such file or directory; change to one that is "
          "there";
      ::_exit(error.what() == expected ? 0 : 11);
    }
    ::_exit(12);
  });
  CHECK(status == 0);
}
