#include "supernet/data/cifar.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"

#include <algorithm>
#include <cstddef>
#include <string>
#include <system_error>

namespace omnifit::supernet {
namespace {

constexpr std::size_t kSidePx = 32;
constexpr std::size_t kChannels = 3;
constexpr std::size_t kPlaneBytes = kSidePx * kSidePx;
constexpr std::size_t kRecordBytes = 1 + kChannels * kPlaneBytes;

[[noreturn]] void fail(const std::filesystem::path& file, const std::string& message) {
  throw DataError(fmt::format("{}: {}", core::path_text(file), message));
}

/// Planes to interleaved channels.
void append_pixels(std::span<const std::byte> planes, std::vector<std::uint8_t>& pixels) {
  for (std::size_t i = 0; i < kPlaneBytes; ++i) {
    for (std::size_t channel = 0; channel < kChannels; ++channel) {
      pixels.push_back(std::to_integer<std::uint8_t>(planes[channel * kPlaneBytes + i]));
    }
  }
}

void append_file(const std::filesystem::path& file, int num_classes, RawImages& raw) {
  const std::vector<std::byte> bytes = core::read_file(file, kMaxDataFileBytes);
  if (bytes.empty()) fail(file, "holds no images");
  if (bytes.size() % kRecordBytes != 0) {
    fail(file, fmt::format("{} bytes are not a whole number of {}-byte records; the file is "
                           "truncated or of another format",
                           bytes.size(), kRecordBytes));
  }
  const std::size_t num_records = bytes.size() / kRecordBytes;
  raw.pixels.reserve(raw.pixels.size() + num_records * kChannels * kPlaneBytes);
  for (std::size_t record = 0; record < num_records; ++record) {
    const auto span = std::span(bytes).subspan(record * kRecordBytes, kRecordBytes);
    const auto label = std::to_integer<std::int32_t>(span[0]);
    check_label(file, static_cast<std::int64_t>(record), label, num_classes);
    raw.labels.push_back(label);
    append_pixels(span.subspan(1), raw.pixels);
  }
}

}  // namespace

RawImages read_cifar(std::span<const std::filesystem::path> files, int num_classes) {
  RawImages raw;
  raw.height_px = kSidePx;
  raw.width_px = kSidePx;
  raw.channels = kChannels;
  for (const std::filesystem::path& file : files) append_file(file, num_classes, raw);
  return raw;
}

std::vector<std::filesystem::path> find_cifar_train_files(const std::filesystem::path& root) {
  std::error_code error;
  std::vector<std::filesystem::path> files;
  std::filesystem::directory_iterator entry(root, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with("data_batch_") && name.ends_with(".bin")) files.push_back(entry->path());
  }
  if (error) fail(root, fmt::format("cannot list this folder: {}", error.message()));
  // The order of a folder's entries is the file system's whim.
  std::sort(files.begin(), files.end());
  if (files.empty() && name_exists(root / "train.bin")) files.push_back(root / "train.bin");
  if (files.empty()) {
    fail(root,
         "no training file: looked for data_batch_*.bin and train.bin; "
         "name others in data.train_files");
  }
  return files;
}

std::vector<std::filesystem::path> find_cifar_test_files(const std::filesystem::path& root) {
  for (const char* name : {"test_batch.bin", "val.bin"}) {
    if (name_exists(root / name)) return {root / name};
  }
  fail(root,
       "no test file: looked for test_batch.bin and val.bin; name another in data.test_files");
}

}  // namespace omnifit::supernet
