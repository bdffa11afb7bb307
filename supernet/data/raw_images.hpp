#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace omnifit::supernet {

/// Largest image or record file, unpacked or not; a header that asks for more is wrong or hostile.
inline constexpr std::uint64_t kMaxDataFileBytes = std::uint64_t{4} << 30;

/// Images as a file holds them, before padding and splitting.
struct RawImages {
  int height_px = 0;
  int width_px = 0;
  int channels = 0;
  std::vector<std::uint8_t> pixels;  ///< [count, height, width, channels]
  std::vector<std::int32_t> labels;  ///< [count], each in [0, classes)
  [[nodiscard]] std::int64_t count() const { return static_cast<std::int64_t>(labels.size()); }
};

/// Whether something of that name exists; a link that leads nowhere or in a circle does, so that
/// opening it tells what is wrong with it.
bool name_exists(const std::filesystem::path& path);

/// @throws DataError naming the file, record and class range if `label` is none of the classes.
void check_label(const std::filesystem::path& file, std::int64_t record, int label,
                 int num_classes);

}  // namespace omnifit::supernet
