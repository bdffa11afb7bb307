#include "core/hash.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"

#include <openssl/evp.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

namespace omnifit::core {
namespace {

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
    OMNIFIT_CHECK(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1,
                  "SHA-256 is not available in the crypto library");
  }
  void update(const void* data, std::size_t size_bytes) {
    OMNIFIT_CHECK(EVP_DigestUpdate(context_.get(), data, size_bytes) == 1, "SHA-256 update failed");
  }
  std::string hex() {
    std::array<unsigned char, 32> digest{};
    OMNIFIT_CHECK(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1,
                  "SHA-256 finalisation failed");
    std::string text;
    for (unsigned char byte : digest) text += fmt::format("{:02x}", byte);
    return text;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

std::uint64_t stable_hash(std::span<const std::byte> bytes) {
  return XXH64(bytes.data(), bytes.size(), 0);
}

std::uint64_t stable_hash(std::string_view text) { return XXH64(text.data(), text.size(), 0); }

std::string hex64(std::uint64_t value) { return fmt::format("{:016x}", value); }

std::uint64_t parse_hex64(std::string_view text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, 16);
  const bool lower_case = text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  if (text.size() != 16 || !lower_case || error != std::errc() || stop != end) {
    throw DataError(fmt::format("a hash must be 16 lower-case hex digits, got '{}'", text));
  }
  return value;
}

std::string sha256_hex(std::span<const std::byte> bytes) {
  Sha256 sha;
  sha.update(bytes.data(), bytes.size());
  return sha.hex();
}

std::string sha256_hex(std::string_view text) {
  return sha256_hex(std::as_bytes(std::span(text.data(), text.size())));
}

std::string sha256_file(const std::filesystem::path& file) {
  const auto fail = [&file](int code) {
    throw EnvironmentError(
        fmt::format("{}: cannot read: {}", path_text(file), std::strerror(code)));
  };
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> stream(std::fopen(file.c_str(), "rb"),
                                                         &std::fclose);
  if (!stream) fail(errno);
  Sha256 sha;
  std::vector<char> buffer(std::size_t{1} << 20);
  while (true) {
    const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), stream.get());
    if (count == 0) break;
    sha.update(buffer.data(), count);
  }
  if (std::ferror(stream.get()) != 0) fail(errno);
  return sha.hex();
}

}  // namespace omnifit::core
