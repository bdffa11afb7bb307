#include "supernet/data/image_folder.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/interrupt.hpp"
#include "core/threads.hpp"
#include "core/units.hpp"
#include "supernet/data/resample.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <numeric>
#include <string_view>
#include <system_error>

namespace omnifit::supernet {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& message) {
  throw DataError(fmt::format("{}: {}", core::path_text(path), message));
}

bool is_jpeg_name(const std::filesystem::path& name) {
  std::string extension = name.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::array<std::string_view, 3> kExtensions = {".jpg", ".jpeg", ".jpe"};
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

/// Paths in a folder without the hidden ones, sorted: the order of a folder's entries is the file
/// system's whim.
std::vector<std::filesystem::path> sorted_entries(const std::filesystem::path& folder) {
  std::error_code error;
  std::vector<std::filesystem::path> paths;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (!entry->path().filename().native().starts_with('.')) paths.push_back(entry->path());
  }
  if (error) fail(folder, fmt::format("cannot list this folder: {}", error.message()));
  std::sort(paths.begin(), paths.end(),
            [](const auto& a, const auto& b) { return a.native() < b.native(); });
  return paths;
}

/// Whether a path leads to a folder; links are followed.
bool is_folder(const std::filesystem::path& path) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(path, error);
  if (error && status.type() == std::filesystem::file_type::none) {
    fail(path, fmt::format("cannot read: {}", error.message()));
  }
  return std::filesystem::is_directory(status);
}

void count_skipped(const std::filesystem::path& path, ImageFolder& result) {
  if (result.num_skipped++ == 0) result.first_skipped = path;
}

void list_class(const std::filesystem::path& folder, ImageFolder& result) {
  const std::size_t files_before = result.files.size();
  const auto label = static_cast<std::int32_t>(result.classes.size());
  for (const std::filesystem::path& path : sorted_entries(folder)) {
    const bool jpeg = is_jpeg_name(path.filename());
    // What a link that leads nowhere is called decides; opening it will tell what is wrong with it.
    std::error_code unknown;
    if (!jpeg && !std::filesystem::exists(std::filesystem::symlink_status(path, unknown))) continue;
    if (is_folder(path)) {
      fail(path, "a folder inside a class folder; images must lie in the class folder itself");
    }
    if (jpeg) {
      result.files.push_back({path, label});
    } else {
      count_skipped(path, result);
    }
  }
  if (result.files.size() == files_before) {
    fail(folder, "a class without images: no file ends in .jpg, .jpeg or .jpe");
  }
  result.classes.push_back(folder.filename().string());
}

/// What is kept of a picture of that size, in the picture scaled to the shorter side.
PixelRect kept_part(PictureSize scaled, const DecodeOptions& options) {
  if (!options.whole) return centre_square(scaled, options.image_px);
  const int longest = kMaxKeptAspect * options.resize_px;
  const int width = std::min(scaled.width_px, longest);
  const int height = std::min(scaled.height_px, longest);
  return {(scaled.width_px - width) / 2, (scaled.height_px - height) / 2, width, height};
}

void report_damage(const std::vector<ImageFile>& files, const std::vector<std::string>& damage,
                   std::vector<std::string>& warnings) {
  const auto damaged = [](const std::string& text) { return !text.empty(); };
  const auto first = std::find_if(damage.begin(), damage.end(), damaged);
  if (first == damage.end()) return;
  warnings.push_back(
      fmt::format("{}: damaged but decoded: {}; {} such files of {}",
                  core::path_text(files[static_cast<std::size_t>(first - damage.begin())].path),
                  *first, std::count_if(first, damage.end(), damaged), damage.size()));
}

}  // namespace

ImageFolder list_image_folder(const std::filesystem::path& folder) {
  ImageFolder result;
  for (const std::filesystem::path& path : sorted_entries(folder)) {
    if (is_folder(path)) {
      list_class(path, result);
    } else {
      count_skipped(path, result);
    }
  }
  if (result.classes.empty()) fail(folder, "holds no class folder");
  return result;
}

DecodePlan plan_decoding(std::span<const ImageFile> files, std::span<const std::int64_t> indices,
                         const DecodeOptions& options) {
  DecodePlan plan;
  plan.images.assign(indices.size(), {0, options.image_px, options.image_px});
  for (const std::int64_t index : indices)
    plan.files.push_back(files[static_cast<std::size_t>(index)]);
  if (options.whole) {
    core::parallel_for(
        static_cast<std::int64_t>(indices.size()), core::available_cores(), [&](std::int64_t i) {
          core::check_interrupt();
          const auto at = static_cast<std::size_t>(i);
          const PictureSize size = read_jpeg_size(plan.files[at].path);
          const PixelRect part = kept_part(resized_size(size, options.resize_px), options);
          plan.images[at] = {0, part.height_px, part.width_px};
        });
  }
  for (StoredImage& image : plan.images) {
    image.offset = plan.size_bytes;
    plan.size_bytes += static_cast<std::uint64_t>(image.height_px) *
                       static_cast<std::uint64_t>(image.width_px) * kRgbChannels;
  }
  return plan;
}

ImageSplit decode_images(const DecodePlan& plan, const DecodeOptions& options, DecodeMemory& memory,
                         std::vector<std::string>& warnings) {
  ImageSplit split;
  split.pixels.resize(plan.size_bytes);
  for (const ImageFile& file : plan.files) split.labels.push_back(file.label);
  std::vector<std::string> damage(plan.files.size());
  core::parallel_for(static_cast<std::int64_t>(plan.files.size()), core::available_cores(),
                     [&](std::int64_t i) {
                       core::check_interrupt();
                       const auto at = static_cast<std::size_t>(i);
                       const std::filesystem::path& file = plan.files[at].path;
                       Picture picture = read_jpeg(file, &memory);
                       const PictureSize scaled = resized_size(picture.size, options.resize_px);
                       const PixelRect part = kept_part(scaled, options);
                       const StoredImage& place = plan.images[at];
                       if (part.height_px != place.height_px || part.width_px != place.width_px) {
                         fail(file, "changed while it was read");
                       }
                       resample(view(picture), scaled, part, split.pixels.data() + place.offset);
                       damage[at] = std::move(picture.damage);
                     });
  report_damage(plan.files, damage, warnings);
  if (options.whole) split.stored = plan.images;
  return split;
}

}  // namespace omnifit::supernet
