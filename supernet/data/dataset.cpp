#include "supernet/data/dataset.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/hash.hpp"
#include "core/log.hpp"
#include "core/rng.hpp"
#include "core/units.hpp"
#include "supernet/data/cifar.hpp"
#include "supernet/data/idx.hpp"
#include "supernet/data/image_folder.hpp"
#include "supernet/data/image_labels.hpp"
#include "supernet/data/jpeg.hpp"
#include "supernet/data/raw_images.hpp"
#include "supernet/data/synthetic.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <numeric>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

namespace omnifit::supernet {
namespace {

/// The given images, padded with black to a square; an odd pixel goes to the right or bottom.
ImageSplit gather(const RawImages& raw, std::span<const std::int64_t> indices, int image_px) {
  const auto channels = static_cast<std::size_t>(raw.channels);
  const auto side = static_cast<std::size_t>(image_px);
  const auto height = static_cast<std::size_t>(raw.height_px);
  const std::size_t row_bytes = static_cast<std::size_t>(raw.width_px) * channels;
  const std::size_t left = (side - static_cast<std::size_t>(raw.width_px)) / 2 * channels;
  const std::size_t top = (side - height) / 2;
  ImageSplit split;
  split.pixels.assign(indices.size() * side * side * channels, 0);
  split.labels.reserve(indices.size());
  std::uint8_t* image = split.pixels.data();
  for (const std::int64_t index : indices) {
    const auto at = static_cast<std::size_t>(index);
    const std::uint8_t* source = raw.pixels.data() + at * height * row_bytes;
    for (std::size_t y = 0; y < height; ++y) {
      std::copy_n(source + y * row_bytes, row_bytes, image + (top + y) * side * channels + left);
    }
    split.labels.push_back(raw.labels[at]);
    image += side * side * channels;
  }
  return split;
}

/// The training or the test files of a format whose files hold many images each.
RawImages read_files(const DataConfig& config, const std::filesystem::path& root, bool test) {
  std::vector<std::filesystem::path> files;
  for (const std::string& name : test ? config.test_files : config.train_files) {
    files.push_back(root / name);
  }
  if (config.format == DataFormat::kCifar) {
    if (files.empty()) files = test ? find_cifar_test_files(root) : find_cifar_train_files(root);
    return read_cifar(files, config.num_classes);
  }
  if (files.empty()) {
    const auto found = find_idx_files(root, test ? "t10k" : "train");
    files.assign(found.begin(), found.end());
  }
  return read_idx(files[0], files[1], config.num_classes);
}

void check_root(const std::filesystem::path& root) {
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(root, error);
  if (std::filesystem::is_directory(status)) return;
  if (status.type() == std::filesystem::file_type::not_found) {
    throw DataError(fmt::format("{}: no such folder", core::path_text(root)));
  }
  if (error) {
    throw DataError(fmt::format("{}: cannot read: {}", core::path_text(root), error.message()));
  }
  throw DataError(fmt::format("{}: not a folder", core::path_text(root)));
}

void check_side(const RawImages& raw, const std::filesystem::path& root, const char* which,
                int image_px) {
  if (raw.height_px <= image_px && raw.width_px <= image_px) return;
  throw DataError(fmt::format("{}: {} images are {}x{} pixels, larger than data.image_px = {}",
                              core::path_text(root), which, raw.height_px, raw.width_px, image_px));
}

/// A random order of [0, count): prefixes of it are random samples, however the files are sorted.
std::vector<std::int64_t> shuffled_indices(std::int64_t count, std::uint64_t seed, bool test) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(count));
  std::iota(indices.begin(), indices.end(), 0);
  core::Rng rng = core::Rng::stream(seed, core::Purpose::kSplit, {test ? 1U : 0U});
  rng.shuffle(std::span(indices));
  return indices;
}

void check_available(const char* field, std::int64_t wanted, std::int64_t most,
                     const std::string& why) {
  if (wanted <= most) return;
  throw ConfigError(fmt::format("data.{}: {} images asked for, at most {} possible: {}", field,
                                wanted, most, why));
}

/// The images of each split as indices into the training and the test files.
struct SplitIndices {
  std::vector<std::int64_t> train;
  std::vector<std::int64_t> validation;
  std::vector<std::int64_t> test;
};

void choose_training_images(const DataConfig& config, std::int64_t available, std::uint64_t seed,
                            SplitIndices& indices) {
  check_available(
      "num_validation", config.num_validation, available - 1,
      fmt::format("the training files hold {}, and one must be left to train on", available));
  const std::int64_t remaining = available - config.num_validation;
  check_available("num_train", config.num_train, remaining,
                  fmt::format("the training files hold {}, {} of them are for validation",
                              available, config.num_validation));
  const std::vector<std::int64_t> order = shuffled_indices(available, seed, false);
  const auto first_train = order.begin() + config.num_validation;
  indices.validation.assign(order.begin(), first_train);
  indices.train.assign(first_train,
                       config.num_train > 0 ? first_train + config.num_train : order.end());
}

void choose_test_images(const DataConfig& config, std::int64_t available, std::uint64_t seed,
                        SplitIndices& indices) {
  check_available("num_test", config.num_test, available, "the test files hold no more");
  indices.test = shuffled_indices(available, seed, true);
  if (config.num_test > 0) indices.test.resize(static_cast<std::size_t>(config.num_test));
}

void check_classes(const Dataset& data, const ImageSplit& split, const char* which,
                   const std::string& where) {
  std::vector<bool> seen(static_cast<std::size_t>(data.num_classes), false);
  for (const std::int32_t label : split.labels) seen[static_cast<std::size_t>(label)] = true;
  const auto absent = std::find(seen.begin(), seen.end(), false);
  if (absent == seen.end()) return;
  throw DataError(
      fmt::format("{}: class {} has no image among the {} of the {} split; lower "
                  "data.num_classes = {} or use more images",
                  where, absent - seen.begin(), split.count(), which, data.num_classes));
}

/// Gives every image its label. @throws DataError for an image without one.
void set_labels(const ImageLabels& labels, const std::filesystem::path& root,
                const std::filesystem::path& labels_file, std::vector<ImageFile>& files) {
  for (ImageFile& file : files) {
    const std::string name = file.path.lexically_relative(root).generic_string();
    const auto found = labels.find(name);
    if (found == labels.end()) {
      throw DataError(fmt::format("{}: no row for image '{}'", core::path_text(labels_file),
                                  core::path_text(name)));
    }
    file.label = found->second;
  }
}

/// Per-channel mean and deviation from integer sums: exact, whatever the order.
void measure_pixels(Dataset& data) {
  const auto channels = static_cast<std::size_t>(data.channels);
  std::vector<std::uint64_t> sum(channels, 0);
  std::vector<std::uint64_t> sum_squares(channels, 0);
  for (std::size_t i = 0; i < data.train.pixels.size(); i += channels) {
    for (std::size_t c = 0; c < channels; ++c) {
      const std::uint64_t value = data.train.pixels[i + c];
      sum[c] += value;
      sum_squares[c] += value * value;
    }
  }
  const double count = static_cast<double>(data.train.pixels.size() / channels);
  for (std::size_t c = 0; c < channels; ++c) {
    const double mean = static_cast<double>(sum[c]) / count;
    const double variance = static_cast<double>(sum_squares[c]) / count - mean * mean;
    data.mean.push_back(static_cast<float>(mean / 255.0));
    data.deviation.push_back(
        static_cast<float>(std::max(std::sqrt(std::max(variance, 0.0)), 1.0) / 255.0));
  }
}

std::string dataset_fingerprint(const DataConfig& config, const Dataset& data) {
  std::string text =
      fmt::format("channels {} px {} classes {}", data.channels, data.image_px, data.num_classes);
  for (const ImageSplit* split : {&data.train, &data.validation, &data.test}) {
    text += fmt::format(" {} {}", core::sha256_hex(std::as_bytes(std::span(split->pixels))),
                        core::sha256_hex(std::as_bytes(std::span(split->labels))));
    for (const StoredImage& image : split->stored) {
      text += fmt::format(" {}x{}", image.height_px, image.width_px);
    }
  }
  // Measured values follow from the pixels.
  if (!config.mean.empty()) {
    text += fmt::format(" mean {} deviation {}", fmt::join(config.mean, ","),
                        fmt::join(config.deviation, ","));
  }
  if (data.random_crop) text += fmt::format(" random crop {}", data.random_crop->min_area);
  return core::sha256_hex(text);
}

Dataset draw_synthetic(const DataConfig& config, std::uint64_t seed, bool test_only) {
  Dataset data;
  data.name = "synthetic";
  data.image_px = config.image_px;
  data.num_classes = config.num_classes;
  const auto draw = [&](int split, int count, int count_if_zero) {
    return draw_synthetic_split(seed, split, count > 0 ? count : count_if_zero, config.num_classes,
                                config.image_px);
  };
  data.test = draw(2, config.num_test, kDefaultSyntheticTest);
  if (test_only) return data;
  data.train = draw(0, config.num_train, kDefaultSyntheticTrain);
  data.validation = draw(1, config.num_validation, config.num_validation);
  return data;
}

/// The folder's own name, whatever way the path to it is written.
std::string folder_name(const std::filesystem::path& root) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::weakly_canonical(root, error);
  return core::path_text(error || absolute.filename().empty() ? root : absolute.filename());
}

void load_record_files(const DataConfig& config, std::uint64_t seed, bool test_only,
                       Dataset& data) {
  const std::filesystem::path root = config.root;
  SplitIndices indices;
  if (!test_only) {
    const RawImages train = read_files(config, root, false);
    check_side(train, root, "training", config.image_px);
    choose_training_images(config, train.count(), seed, indices);
    data.train = gather(train, indices.train, data.image_px);
    data.validation = gather(train, indices.validation, data.image_px);
  }
  const RawImages test = read_files(config, root, true);
  check_side(test, root, "test", config.image_px);
  choose_test_images(config, test.count(), seed, indices);
  data.test = gather(test, indices.test, data.image_px);
  data.channels = test.channels;
}

/// A folder of class folders, listed and labelled.
ImageFolder find_images(const DataConfig& config, const std::optional<ImageLabels>& labels,
                        bool test, Dataset& data) {
  const std::filesystem::path root = config.root;
  const std::vector<std::string>& given = test ? config.test_files : config.train_files;
  const std::filesystem::path folder = root / (!given.empty() ? given[0]
                                               : test         ? kTestFolder
                                                              : kTrainFolder);
  check_root(folder);
  ImageFolder found = list_image_folder(folder);
  if (found.num_skipped > 0) {
    data.warnings.push_back(fmt::format(
        "{}: skipped {} files that are not named .jpg, .jpeg or .jpe; the first is {}",
        core::path_text(folder), found.num_skipped, core::path_text(found.first_skipped)));
  }
  if (labels) {
    set_labels(*labels, root, root / config.labels, found.files);
  } else if (found.classes.size() != static_cast<std::size_t>(config.num_classes)) {
    throw DataError(fmt::format("{}: {} class folders, but data.num_classes = {}",
                                core::path_text(folder), found.classes.size(), config.num_classes));
  }
  return found;
}

void check_same_classes(const ImageFolder& train, const ImageFolder& test,
                        const std::filesystem::path& root) {
  const auto [a, b] = std::mismatch(train.classes.begin(), train.classes.end(),
                                    test.classes.begin(), test.classes.end());
  if (a == train.classes.end() && b == test.classes.end()) return;
  const bool only_train = b == test.classes.end() || (a != train.classes.end() && *a < *b);
  throw DataError(
      fmt::format("{}: class folder '{}' is only among the {} images; both need the "
                  "same, or a file that data.labels names",
                  core::path_text(root), core::path_text(only_train ? *a : *b),
                  only_train ? "training" : "test"));
}

/// What the limit leaves for pictures that are being decoded.
DecodeMemory check_memory(const DataConfig& config,
                          std::initializer_list<const DecodePlan*> plans) {
  std::size_t num_images = 0;
  std::uint64_t size_bytes = 0;
  for (const DecodePlan* plan : plans) {
    num_images += plan->files.size();
    size_bytes += plan->size_bytes;
  }
  const double limit_bytes = config.memory_limit_gb * 1e9;
  if (static_cast<double>(size_bytes) <= limit_bytes) {
    return DecodeMemory(static_cast<std::uint64_t>(limit_bytes) - size_bytes);
  }
  throw ConfigError(
      fmt::format("data.memory_limit_gb: {} decoded images take {}, the limit is {}; use fewer "
                  "images, a smaller data.image_px or a higher limit",
                  num_images, core::format_bytes(static_cast<double>(size_bytes)),
                  core::format_bytes(limit_bytes)));
}

void load_image_folder(const DataConfig& config, std::uint64_t seed, bool test_only,
                       Dataset& data) {
  const std::filesystem::path root = config.root;
  std::optional<ImageLabels> labels;
  if (!config.labels.empty()) {
    labels = read_image_labels(root / config.labels, config.label_column, config.num_classes);
  }
  const DecodeOptions centres{config.image_px, config.effective_resize_px(), false};
  const DecodeOptions crops{config.image_px, config.effective_resize_px(), config.random_crop};
  SplitIndices indices;
  const ImageFolder test = find_images(config, labels, true, data);
  choose_test_images(config, static_cast<std::int64_t>(test.files.size()), seed, indices);
  const DecodePlan test_plan = plan_decoding(test.files, indices.test, centres);
  DecodePlan train_plan;
  DecodePlan validation_plan;
  if (!test_only) {
    const ImageFolder train = find_images(config, labels, false, data);
    if (!labels) check_same_classes(train, test, root);
    choose_training_images(config, static_cast<std::int64_t>(train.files.size()), seed, indices);
    train_plan = plan_decoding(train.files, indices.train, crops);
    validation_plan = plan_decoding(train.files, indices.validation, centres);
    if (config.random_crop) data.random_crop = RandomCrop{config.min_crop_area};
  }
  DecodeMemory memory = check_memory(config, {&train_plan, &validation_plan, &test_plan});
  data.train = decode_images(train_plan, crops, memory, data.warnings);
  data.validation = decode_images(validation_plan, centres, memory, data.warnings);
  data.test = decode_images(test_plan, centres, memory, data.warnings);
  data.channels = kRgbChannels;
}

void set_normalisation(const DataConfig& config, Dataset& data) {
  if (config.mean.empty()) {
    measure_pixels(data);
    return;
  }
  if (config.mean.size() != static_cast<std::size_t>(data.channels)) {
    throw ConfigError(fmt::format("data.mean: {} values for images of {} channels",
                                  config.mean.size(), data.channels));
  }
  data.mean.assign(config.mean.begin(), config.mean.end());
  data.deviation.assign(config.deviation.begin(), config.deviation.end());
}

Dataset load(const DataConfig& config, std::uint64_t seed, bool test_only) {
  check_data_config(config);
  Dataset data;
  if (config.format == DataFormat::kSynthetic) {
    data = draw_synthetic(config, seed, test_only);
  } else {
    check_root(config.root);
    data.name = folder_name(config.root);
    data.image_px = config.image_px;
    data.num_classes = config.num_classes;
    const bool folders = config.format == DataFormat::kImageFolder;
    (folders ? load_image_folder : load_record_files)(config, seed, test_only, data);
  }
  for (const std::string& warning : data.warnings) core::log_warning("{}", warning);
  // A labels file may be about more classes than are shown: a network's, not the folder's.
  if (config.labels.empty()) {
    const std::string where = config.root.empty() ? data.name : core::path_text(config.root);
    if (!test_only) {
      check_classes(data, data.train, "training", where);
      check_classes(data, data.validation, "validation", where);
    }
    check_classes(data, data.test, "test", where);
  }
  set_normalisation(config, data);
  data.fingerprint = dataset_fingerprint(config, data);
  return data;
}

}  // namespace

Dataset load_dataset(const DataConfig& config, std::uint64_t seed) {
  return load(config, seed, false);
}

Dataset load_test_split(const DataConfig& config, std::uint64_t seed) {
  if (config.mean.empty()) {
    throw ConfigError(
        "data.mean: give data.mean and data.deviation, which the network was trained with, or the "
        "training images are needed to measure them");
  }
  return load(config, seed, true);
}

}  // namespace omnifit::supernet
