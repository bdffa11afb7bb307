#include "supernet/data/data_config.hpp"

#include "core/error.hpp"
#include "supernet/data/synthetic.hpp"

#include <cmath>
#include <cstdint>

namespace omnifit::supernet {
namespace {

constexpr int kMinImagePx = 8;
constexpr int kMaxImagePx = 1024;
constexpr int kMaxResizePx = 4096;
constexpr int kMaxClasses = 65536;
constexpr int kMaxByteLabels = 256;  // idx and cifar hold labels of one byte

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

std::vector<FieldError> record_file_errors(const DataConfig& config) {
  std::vector<FieldError> errors;
  const std::string& format = core::enum_name(data_formats(), config.format);
  if (config.num_classes > kMaxByteLabels) {
    errors.push_back(
        {"num_classes", fmt::format("format {} holds labels of one byte, at most {} classes, got "
                                    "{}",
                                    format, kMaxByteLabels, config.num_classes)});
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

std::vector<FieldError> image_folder_errors(const DataConfig& config) {
  std::vector<FieldError> errors;
  const auto check_one = [&](const char* field, const std::vector<std::string>& files) {
    if (files.size() <= 1) return;
    errors.push_back(
        {field, fmt::format("format image_folder takes one folder of class folders, got {}",
                            files.size())});
  };
  check_one("train_files", config.train_files);
  check_one("test_files", config.test_files);
  if (config.resize_px != 0 && config.resize_px < config.image_px) {
    errors.push_back({"resize_px", fmt::format("must be 0 or at least image_px = {}, got {}",
                                               config.image_px, config.resize_px)});
  }
  return errors;
}

/// Keys that only pictures of any size know.
std::vector<FieldError> picture_only_errors(const DataConfig& config) {
  std::vector<FieldError> errors;
  const auto check_unused = [&](const char* field, bool unused) {
    if (unused) return;
    errors.push_back({field, fmt::format("is for format image_folder, not for {}; leave this out",
                                         core::enum_name(data_formats(), config.format))});
  };
  check_unused("labels", config.labels.empty());
  check_unused("resize_px", config.resize_px == 0);
  check_unused("random_crop", !config.random_crop);
  return errors;
}

std::vector<FieldError> normalisation_errors(const DataConfig& config) {
  if (config.mean.size() == config.deviation.size()) return {};
  return {{config.mean.size() < config.deviation.size() ? "mean" : "deviation",
           fmt::format("mean and deviation need one value per channel each, got {} and {}",
                       config.mean.size(), config.deviation.size())}};
}

std::vector<FieldError> cross_field_errors(const DataConfig& config) {
  std::vector<FieldError> errors = normalisation_errors(config);
  const auto add = [&errors](const std::vector<FieldError>& more) {
    errors.insert(errors.end(), more.begin(), more.end());
  };
  if (config.format != DataFormat::kSynthetic && config.root.empty()) {
    errors.push_back({"root", fmt::format("format {} needs the folder of its files",
                                          core::enum_name(data_formats(), config.format))});
  }
  switch (config.format) {
    case DataFormat::kSynthetic:
      add(synthetic_errors(config));
      break;
    case DataFormat::kIdx:
    case DataFormat::kCifar:
      add(record_file_errors(config));
      break;
    case DataFormat::kImageFolder:
      add(image_folder_errors(config));
      return errors;
  }
  add(picture_only_errors(config));
  return errors;
}

void check_normalisation(const DataConfig& config) {
  for (const double value : config.mean) {
    if (value >= 0.0 && value <= 1.0) continue;
    throw ConfigError(fmt::format("data.mean must be in [0, 1], got {}", value));
  }
  for (const double value : config.deviation) {
    if (value > 0.0 && value <= 1.0) continue;
    throw ConfigError(fmt::format("data.deviation must be in (0, 1], got {}", value));
  }
}

}  // namespace

const core::EnumTable<DataFormat>& data_formats() {
  static const core::EnumTable<DataFormat> table = {{DataFormat::kSynthetic, "synthetic"},
                                                    {DataFormat::kIdx, "idx"},
                                                    {DataFormat::kCifar, "cifar"},
                                                    {DataFormat::kImageFolder, "image_folder"}};
  return table;
}

void DataConfig::fields(core::Fields& f) {
  f.choice("format", format, data_formats(),
           "synthetic (drawn, no files), idx (MNIST family), cifar (CIFAR-10 binary records), "
           "image_folder (JPEG files in class folders)");
  f.text("root", root, "folder of the files, relative to this file");
  f.texts("train_files", train_files,
          "in the folder; idx: images then labels; image_folder: the folder of the class folders; "
          "empty: the usual names");
  f.texts("test_files", test_files, "as above");
  f.text("labels", labels,
         "image_folder: CSV file in the folder with a 'path' column that gives the labels; empty: "
         "class folders sorted by name are 0, 1, ...");
  f.text("label_column", label_column, "which column of that file holds the labels", true);
  f.integer("num_classes", num_classes, {2, kMaxClasses}, "labels are 0 to num_classes - 1");
  f.integer("image_px", image_px, {kMinImagePx, kMaxImagePx},
            "side of the images; smaller ones of idx and cifar are padded with black");
  f.integer("resize_px", resize_px, {0, kMaxResizePx},
            "image_folder: shorter side before the centre is cut out; 0: image_px / 0.875, rounded "
            "up");
  f.boolean("random_crop", random_crop,
            "image_folder: train on random crops of the pictures instead of shifted centres");
  f.real("min_crop_area", min_crop_area, {0.0, 1.0, true},
         "smallest share of a picture that a random crop shows");
  f.reals("mean", mean, {0.0, 1.0},
          "per channel, of pixels in [0, 1]; empty: measured on the training images");
  f.reals("deviation", deviation, {0.0, 1.0, true}, "as above");
  f.real("memory_limit_gb", memory_limit_gb, {0.0, 1e6, true},
         "image_folder: most that the decoded images may take, those in the making included");
  f.integer("num_train", num_train, {0, INT32_MAX},
            fmt::format("training images; 0: all, or {} synthetic ones", kDefaultSyntheticTrain));
  f.integer("num_validation", num_validation, {1, INT32_MAX},
            "held out of the training files; the search looks at these");
  f.integer("num_test", num_test, {0, INT32_MAX},
            fmt::format("test images; 0: all, or {} synthetic ones", kDefaultSyntheticTest));
  if (!f.reading()) return;
  for (const FieldError& error : cross_field_errors(*this)) f.error(error.field, error.message);
}

int DataConfig::effective_resize_px() const {
  constexpr int kNumerator = 8;  // 1 / 0.875
  constexpr int kDenominator = 7;
  return resize_px > 0 ? resize_px : (image_px * kNumerator + kDenominator - 1) / kDenominator;
}

void check_data_config(const DataConfig& config) {
  const auto check_range = [](const char* field, int value, int low, int high) {
    if (value >= low && value <= high) return;
    throw ConfigError(fmt::format("data.{} must be in [{}, {}], got {}", field, low, high, value));
  };
  check_range("num_classes", config.num_classes, 2, kMaxClasses);
  check_range("image_px", config.image_px, kMinImagePx, kMaxImagePx);
  check_range("resize_px", config.resize_px, 0, kMaxResizePx);
  check_range("num_train", config.num_train, 0, INT32_MAX);
  check_range("num_validation", config.num_validation, 1, INT32_MAX);
  check_range("num_test", config.num_test, 0, INT32_MAX);
  if (!(config.min_crop_area > 0.0 && config.min_crop_area <= 1.0)) {
    throw ConfigError(
        fmt::format("data.min_crop_area must be in (0, 1], got {}", config.min_crop_area));
  }
  check_normalisation(config);
  for (const FieldError& error : cross_field_errors(config)) {
    throw ConfigError(fmt::format("data.{}: {}", error.field, error.message));
  }
}

}  // namespace omnifit::supernet
