#pragma once

#include "core/fields.hpp"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace omnifit::supernet {

/// Where images come from.
enum class DataFormat { kSynthetic, kIdx, kCifar };
/// Their names in a job: "synthetic", "idx", "cifar".
const core::EnumTable<DataFormat>& data_formats();

/// The `data` section of a job.
struct DataConfig {
  DataFormat format = DataFormat::kSynthetic;
  /// Folder of the files; relative to the job file (resolved by the caller). Synthetic: none.
  std::string root;
  /// Names in the folder. cifar: record files; idx: images file, then labels file; empty: the usual
  /// names (see idx.hpp and cifar.hpp).
  std::vector<std::string> train_files;
  std::vector<std::string> test_files;
  int num_classes = 10;  ///< labels are in [0, num_classes), and each split shows every one
  int image_px = 32;     ///< side of the images; smaller ones are zero-padded evenly
  int num_train = 0;     ///< images used of what validation leaves; 0 = all. Synthetic: 0 = 10,000
  int num_validation = 5000;  ///< held out of the training files for collection and search
  int num_test = 0;           ///< 0 = all. Synthetic: 0 = 2,000
  void fields(core::Fields& f);
  friend bool operator==(const DataConfig&, const DataConfig&) = default;
};

/// Images of one split: bytes [count, px, px, channels] and their labels. Their order is random or
/// takes turns over the classes, so that the first images of a split are a fair sample of it.
struct ImageSplit {
  std::vector<std::uint8_t> pixels;
  std::vector<std::int32_t> labels;
  [[nodiscard]] std::int64_t count() const { return static_cast<std::int64_t>(labels.size()); }
};

/// An image classification data set in memory. Validation images are held out of the training files
/// and never trained on; the test split is only read by verify and reports. Every split is in
/// random order (synthetic: classes take turns), so that a prefix is a fair sample however the
/// files are sorted.
struct Dataset {
  std::string name;  ///< "synthetic", or the folder's name
  int channels = 3;
  int image_px = 32;
  int num_classes = 10;
  ImageSplit train;
  ImageSplit validation;
  ImageSplit test;
  std::vector<float> mean;       ///< per channel, of the training split, pixels in [0, 1]
  std::vector<float> deviation;  ///< per channel standard deviation, at least 1/255
  std::string fingerprint;  ///< hash of every pixel, label and split: changes when the files change
};

/// Loads or draws the data set. The split depends on `seed` alone. Progress-free: at most seconds.
/// @throws DataError "PATH: …" for everything that can be wrong with the files; ConfigError for
/// sizes that do not fit.
Dataset load_dataset(const DataConfig& config, std::uint64_t seed);

}  // namespace omnifit::supernet
