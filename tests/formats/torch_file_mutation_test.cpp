#include "core/error.hpp"
#include "core/rng.hpp"
#include "formats/torch_file.hpp"
#include "tests/fuzz/torch_file_object.hpp"
#include "tests/support/catch.hpp"

using namespace omnifit;

namespace {

/// One to eight changes: bytes set, bits flipped, parts removed, repeated, exchanged.
test::Bytes mutated(test::Bytes bytes, core::Rng& rng) {
  const std::uint64_t changes = 1 + rng.below(8);
  for (std::uint64_t i = 0; i < changes && bytes.size() > 16; ++i) {
    const auto at = static_cast<std::size_t>(rng.below(bytes.size() - 8));
    const auto length = static_cast<std::size_t>(1 + rng.below(8));
    switch (rng.below(5)) {
      case 0:
        bytes[at] = static_cast<char>(rng.below(256));
        break;
      case 1:
        bytes[at] = static_cast<char>(bytes[at] ^ static_cast<char>(1U << rng.below(8)));
        break;
      case 2:
        bytes.erase(at, length);
        break;
      case 3:
        bytes.insert(static_cast<std::size_t>(rng.below(bytes.size())), bytes.substr(at, length));
        break;
      default:
        bytes.replace(at, 4,
                      test::raw(static_cast<std::uint32_t>(rng.below(std::uint64_t{1} << 32))));
    }
  }
  return bytes;
}

/// Whatever the bytes: a state dict or one line of refusal, and nothing else.
bool accepted(const test::Bytes& file) {
  try {
    const auto content = formats::parse_torch_file("file", test::as_bytes(file));
    std::size_t size_bytes = 0;
    for (const auto& tensor : content.tensors) size_bytes += tensor.data.size();
    CHECK(size_bytes <= 16 * file.size());
    return true;
  } catch (const DataError& error) {
    CHECK(std::string(error.what()).find('\n') == std::string::npos);
    return false;
  }
}

}  // namespace

TEST_CASE("mutated files are read or refused, never more", "[formats][property]") {
  const bool python2 = GENERATE(false, true);
  CAPTURE(python2);
  const test::Bytes good = python2 ? test::seed_python2_object() : test::seed_object();
  const auto storages = test::seed_storages();
  const auto wrap = GENERATE(0, 1, 2, 3);
  CAPTURE(wrap);
  int num_accepted = 0;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    core::Rng rng =
        core::Rng::stream(1, core::Purpose::kTest, {static_cast<std::uint64_t>(wrap), i});
    // Mutations of whole containers, and of the pickle alone inside containers that are right.
    test::Bytes file;
    if (wrap == 0) file = mutated(test::legacy_file(good, storages), rng);
    if (wrap == 1) file = mutated(test::zip_file(test::zip_items(good, storages), i % 2 == 0), rng);
    if (wrap == 2) file = test::legacy_file(mutated(good, rng), storages);
    if (wrap == 3) file = test::zip_file(test::zip_items(mutated(good, rng), storages));
    num_accepted += accepted(file) ? 1 : 0;
  }
  // Some changes hit what carries no meaning (locations, ignored values), most do not.
  CHECK(num_accepted < 1500);
  CHECK(accepted(test::legacy_file(good, storages)));
}
