#include "supernet/data/raw_images.hpp"

#include "core/error.hpp"
#include "core/utf8.hpp"

#include <system_error>

namespace omnifit::supernet {

std::string path_text(const std::filesystem::path& path) {
  const std::string bytes = path.string();
  std::string text;
  for (std::size_t at = 0; at < bytes.size();) {
    const core::CodePoint point = core::decode_utf8(bytes, at);
    if (point.valid) {
      text += bytes.substr(at, point.size);
    } else {
      text += fmt::format("\\x{:02x}", static_cast<unsigned>(point.value));
    }
    at += point.size;
  }
  return text;
}

bool name_exists(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::exists(std::filesystem::symlink_status(path, error));
}

void check_label(const std::filesystem::path& file, std::int64_t record, int label,
                 int num_classes) {
  if (label >= 0 && label < num_classes) return;
  throw DataError(fmt::format("{}: label {} of image {} is out of range; allowed: 0 to {}",
                              path_text(file), label, record, num_classes - 1));
}

}  // namespace omnifit::supernet
