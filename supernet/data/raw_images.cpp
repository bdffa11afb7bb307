#include "supernet/data/raw_images.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"

#include <system_error>

namespace omnifit::supernet {

bool name_exists(const std::filesystem::path& path) {
  std::error_code error;
  return std::filesystem::exists(std::filesystem::symlink_status(path, error));
}

void check_label(const std::filesystem::path& file, std::int64_t record, int label,
                 int num_classes) {
  if (label >= 0 && label < num_classes) return;
  throw DataError(fmt::format("{}: label {} of image {} is out of range; allowed: 0 to {}",
                              core::path_text(file), label, record, num_classes - 1));
}

}  // namespace omnifit::supernet
