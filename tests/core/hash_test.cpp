#include "core/hash.hpp"

#include "tests/support/catch.hpp"
#include "tests/support/temp_dir.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"

#include <vector>

using namespace omnifit::core;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("stable hashes are XXH64's published values", "[core][golden]") {
  CHECK(hex64(stable_hash("")) == "ef46db3751d8e999");
  CHECK(hex64(stable_hash("a")) == "d24ec4f1a98c6e5b");
  CHECK(hex64(stable_hash("abc")) == "44bc2cf5ad770999");
  const std::string text = "Nobody inspects the spammish repetition";
  CHECK(hex64(stable_hash(text)) == "fbcea83c8a378bf1");
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  CHECK(stable_hash(bytes) == stable_hash(text));
  CHECK(stable_hash(bytes.subspan(1)) != stable_hash(text));
}

TEST_CASE("hex64 and parse_hex64 are inverse", "[core][property]") {
  for (std::uint64_t value : {0ULL, 1ULL, 0xffffffffffffffffULL, 0x0123456789abcdefULL}) {
    CHECK(hex64(value).size() == 16);
    CHECK(parse_hex64(hex64(value)) == value);
  }
}

TEST_CASE("anything but 16 lower-case hex digits is refused", "[core][error]") {
  for (const char* text :
       {"", "0", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF", "0x23456789abcdef",
        "-123456789abcdef", "0123456789abcde ", "0123456789abcdeg"}) {
    CAPTURE(text);
    CHECK_THROWS_WITH(parse_hex64(text),
                      "a hash must be 16 lower-case hex digits, got '" + std::string(text) + "'");
  }
  CHECK_THROWS_AS(parse_hex64("x"), omnifit::DataError);
}

TEST_CASE("SHA-256 gives the published values for text and files", "[core][golden]") {
  const std::string empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
  const std::string abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  const std::string million = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
  CHECK(sha256_hex("") == empty);
  CHECK(sha256_hex("abc") == abc);
  const omnifit::test::TempDir dir;
  write_file_atomically(dir / "empty", std::string_view());
  write_file_atomically(dir / "million", std::string(1000000, 'a'));
  CHECK(sha256_file(dir / "empty") == empty);
  CHECK(sha256_file(dir / "million") == million);
}

TEST_CASE("a file that cannot be hashed is named", "[core][error]") {
  const omnifit::test::TempDir dir;
  CHECK_THROWS_AS(sha256_file(dir / "none"), omnifit::EnvironmentError);
  CHECK_THROWS_WITH(sha256_file(dir / "none"),
                    (dir / "none").string() + ": cannot read: No such file or directory");
  CHECK_THROWS_WITH(sha256_file(dir.path()), ContainsSubstring(": cannot read: Is a directory"));
}
