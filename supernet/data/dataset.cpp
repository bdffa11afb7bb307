#include "supernet/data/dataset.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/hash.hpp"
#include "core/rng.hpp"
#include "supernet/data/cifar.hpp"
#include "supernet/data/idx.hpp"
#include "supernet/data/raw_images.hpp"
#include "supernet/data/synthetic.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

namespace omnifit::supernet {
namespace {

constexpr int kMinImagePx = 8;
constexpr int kMaxImagePx = 1024;
constexpr int kMaxClasses = 256;  // both formats hold labels of one byte

/// What is wrong with one field in the light of the others.
struct FieldError {
  const char* field;
  std::string message;
};

std::vector<FieldError> synthetic_errors(const DataConfig& config) {
  std::vector<FieldError> errors;
  if (config.num_classes > kMaxSyntheticClasses) {
    errors.push_back({"num_classes", fmt::format("the synthetic set has {} classes, got {}",
                                                 kMaxSyntheticClasses, config.num_classes)});
  }
  const auto check_count = [&](const char* field, int count) {
    if (count == 0 || count >= config.num_classes) return;
    errors.push_back({field, fmt::format("must hold an image of each of the {} classes, got {}",
                                         config.num_classes, count)});
  };
  check_count("num_train", config.num_train);
  check_count("num_validation", config.num_validation);
  check_count("num_test", config.num_test);
  const auto check_unused = [&](const char* field, bool unused) {
    if (!unused) errors.push_back({field, "the synthetic set is drawn, not read; leave this out"});
  };
  check_unused("root", config.root.empty());
  check_unused("train_files", config.train_files.empty());
  check_unused("test_files", config.test_files.empty());
  return errors;
}

std::vector<FieldError> cross_field_errors(const DataConfig& config) {
  if (config.format == DataFormat::kSynthetic) return synthetic_errors(config);
  std::vector<FieldError> errors;
  if (config.root.empty()) {
    errors.push_back({"root", fmt::format("format {} needs the folder of its files",
                                          core::enum_name(data_formats(), config.format))});
  }
  const auto check_pair = [&](const char* field, const std::vector<std::string>& files) {
    if (config.format != DataFormat::kIdx || files.empty() || files.size() == 2) return;
    errors.push_back({field, fmt::format("format idx takes two files, images then labels, got {}",
                                         files.size())});
  };
  check_pair("train_files", config.train_files);
  check_pair("test_files", config.test_files);
  return errors;
}

/// For configurations that were built in code and never met the reader.
void check_config(const DataConfig& config) {
  const auto check_range = [](const char* field, int value, int low, int high) {
    if (value >= low && value <= high) return;
    throw ConfigError(fmt::format("data.{} must be in [{}, {}], got {}", field, low, high, value));
  };
  check_range("num_classes", config.num_classes, 2, kMaxClasses);
  check_range("image_px", config.image_px, kMinImagePx, kMaxImagePx);
  check_range("num_train", config.num_train, 0, INT32_MAX);
  check_range("num_validation", config.num_validation, 1, INT32_MAX);
  check_range("num_test", config.num_test, 0, INT32_MAX);
  for (const FieldError& error : cross_field_errors(config)) {
    throw ConfigError(fmt::format("data.{}: {}", error.field, error.message));
  }
}

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

/// Training and test files of a data set, read.
struct RawSet {
  RawImages train;
  RawImages test;
};

RawSet read_files(const DataConfig& config, const std::filesystem::path& root) {
  const auto resolve = [&root](const std::vector<std::string>& names) {
    std::vector<std::filesystem::path> files;
    for (const std::string& name : names) files.push_back(root / name);
    return files;
  };
  std::vector<std::filesystem::path> train = resolve(config.train_files);
  std::vector<std::filesystem::path> test = resolve(config.test_files);
  if (config.format == DataFormat::kCifar) {
    if (train.empty()) train = find_cifar_train_files(root);
    if (test.empty()) test = find_cifar_test_files(root);
    return {read_cifar(train, config.num_classes), read_cifar(test, config.num_classes)};
  }
  const auto use_names = [&root](std::vector<std::filesystem::path>& files, const char* prefix) {
    if (!files.empty()) return;
    const auto found = find_idx_files(root, prefix);
    files.assign(found.begin(), found.end());
  };
  use_names(train, "train");
  use_names(test, "t10k");
  return {read_idx(train[0], train[1], config.num_classes),
          read_idx(test[0], test[1], config.num_classes)};
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

void split_files(const DataConfig& config, const RawSet& raw, std::uint64_t seed, Dataset& data) {
  const std::int64_t available = raw.train.count();
  check_available(
      "num_validation", config.num_validation, available - 1,
      fmt::format("the training files hold {}, and one must be left to train on", available));
  const std::int64_t remaining = available - config.num_validation;
  check_available("num_train", config.num_train, remaining,
                  fmt::format("the training files hold {}, {} of them are for validation",
                              available, config.num_validation));
  check_available("num_test", config.num_test, raw.test.count(), "the test files hold no more");

  const std::vector<std::int64_t> train_order = shuffled_indices(available, seed, false);
  const std::vector<std::int64_t> test_order = shuffled_indices(raw.test.count(), seed, true);
  const auto count_or = [](int count, std::int64_t all) {
    return static_cast<std::size_t>(count > 0 ? count : all);
  };
  const auto order = std::span(train_order);
  const auto num_validation = static_cast<std::size_t>(config.num_validation);
  data.validation = gather(raw.train, order.first(num_validation), data.image_px);
  data.train =
      gather(raw.train, order.subspan(num_validation, count_or(config.num_train, remaining)),
             data.image_px);
  data.test =
      gather(raw.test, std::span(test_order).first(count_or(config.num_test, raw.test.count())),
             data.image_px);
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

std::string dataset_fingerprint(const Dataset& data) {
  std::string text =
      fmt::format("channels {} px {} classes {}", data.channels, data.image_px, data.num_classes);
  for (const ImageSplit* split : {&data.train, &data.validation, &data.test}) {
    text += fmt::format(" {} {}", core::sha256_hex(std::as_bytes(std::span(split->pixels))),
                        core::sha256_hex(std::as_bytes(std::span(split->labels))));
  }
  return core::sha256_hex(text);
}

Dataset draw_synthetic(const DataConfig& config, std::uint64_t seed) {
  Dataset data;
  data.name = "synthetic";
  data.image_px = config.image_px;
  data.num_classes = config.num_classes;
  const auto draw = [&](int split, int count, int count_if_zero) {
    return draw_synthetic_split(seed, split, count > 0 ? count : count_if_zero, config.num_classes,
                                config.image_px);
  };
  data.train = draw(0, config.num_train, kDefaultSyntheticTrain);
  data.validation = draw(1, config.num_validation, config.num_validation);
  data.test = draw(2, config.num_test, kDefaultSyntheticTest);
  return data;
}

/// The folder's own name, whatever way the path to it is written.
std::string folder_name(const std::filesystem::path& root) {
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::weakly_canonical(root, error);
  return core::path_text(error || absolute.filename().empty() ? root : absolute.filename());
}

Dataset load_files(const DataConfig& config, std::uint64_t seed) {
  const std::filesystem::path root = config.root;
  check_root(root);
  const RawSet raw = read_files(config, root);
  check_side(raw.train, root, "training", config.image_px);
  check_side(raw.test, root, "test", config.image_px);
  Dataset data;
  data.name = folder_name(root);
  data.channels = raw.train.channels;
  data.image_px = config.image_px;
  data.num_classes = config.num_classes;
  split_files(config, raw, seed, data);
  return data;
}

}  // namespace

const core::EnumTable<DataFormat>& data_formats() {
  static const core::EnumTable<DataFormat> table = {{DataFormat::kSynthetic, "synthetic"},
                                                    {DataFormat::kIdx, "idx"},
                                                    {DataFormat::kCifar, "cifar"}};
  return table;
}

void DataConfig::fields(core::Fields& f) {
  f.choice("format", format, data_formats(),
           "synthetic (drawn, no files), idx (MNIST family), cifar (CIFAR-10 binary records)");
  f.text("root", root, "folder of the files, relative to this file");
  f.texts("train_files", train_files,
          "in the folder; idx: images then labels; empty: the usual names");
  f.texts("test_files", test_files, "as above");
  f.integer("num_classes", num_classes, {2, kMaxClasses}, "labels are 0 to num_classes - 1");
  f.integer("image_px", image_px, {kMinImagePx, kMaxImagePx},
            "side of the images; smaller ones are padded with black");
  f.integer("num_train", num_train, {0, INT32_MAX},
            fmt::format("training images; 0: all, or {} synthetic ones", kDefaultSyntheticTrain));
  f.integer("num_validation", num_validation, {1, INT32_MAX},
            "held out of the training files; the search looks at these");
  f.integer("num_test", num_test, {0, INT32_MAX},
            fmt::format("test images; 0: all, or {} synthetic ones", kDefaultSyntheticTest));
  if (!f.reading()) return;
  for (const FieldError& error : cross_field_errors(*this)) f.error(error.field, error.message);
}

Dataset load_dataset(const DataConfig& config, std::uint64_t seed) {
  check_config(config);
  const bool synthetic = config.format == DataFormat::kSynthetic;
  Dataset data = synthetic ? draw_synthetic(config, seed) : load_files(config, seed);
  const std::string where = synthetic ? data.name : core::path_text(config.root);
  check_classes(data, data.train, "training", where);
  check_classes(data, data.validation, "validation", where);
  check_classes(data, data.test, "test", where);
  measure_pixels(data);
  data.fingerprint = dataset_fingerprint(data);
  return data;
}

}  // namespace omnifit::supernet
