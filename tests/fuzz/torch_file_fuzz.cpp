#include "core/error.hpp"
#include "formats/torch_file.hpp"
#include "tests/fuzz/torch_file_object.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdlib>

using namespace omnifit;

/// Any bytes must give a state dict or a DataError of one line; everything else is a finding. The
/// first byte says what the rest is: a whole file, or the pickle of one in either container, so
/// that checksums and lengths around it do not stop the fuzzer.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const test::Bytes rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  test::Bytes file;
  switch (data[0] % 3) {
    case 0:
      file = rest;
      break;
    case 1:
      file = test::legacy_file(rest, test::seed_storages());
      break;
    default:
      file = test::zip_file(test::zip_items(rest, test::seed_storages()));
  }
  try {
    const auto content = formats::parse_torch_file("file", test::as_bytes(file));
    for (const auto& tensor : content.tensors) {
      if (static_cast<std::size_t>(tensor.to_float32().count()) * sizeof(float) !=
          tensor.to_float32().data.size()) {
        std::abort();
      }
    }
  } catch (const DataError& error) {
    if (std::string_view(error.what()).find('\n') != std::string_view::npos) std::abort();
  }
  return 0;
}
