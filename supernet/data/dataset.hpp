#pragma once

#include "supernet/data/data_config.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace omnifit::supernet {

/// Where an image of any size lies in a split's pixels: bytes [height, width, channels].
struct StoredImage {
  std::uint64_t offset = 0;
  std::int32_t height_px = 0;
  std::int32_t width_px = 0;
};

/// Images of one split: bytes [count, px, px, channels] and their labels. Their order is random or
/// takes turns over the classes, so that the first images of a split are a fair sample of it.
struct ImageSplit {
  std::vector<std::uint8_t> pixels;
  std::vector<std::int32_t> labels;
  /// One per image where they differ in size and are larger than the data set's image_px: what is
  /// seen of one is its centre, or a random crop in training. Empty: all are px by px.
  std::vector<StoredImage> stored;
  [[nodiscard]] std::int64_t count() const { return static_cast<std::int64_t>(labels.size()); }
};

/// Training images are random parts of the stored ones: a share of the area, uniform in
/// [min_area, 1], with an aspect ratio log-uniform in [3/4, 4/3], as in the reference.
struct RandomCrop {
  double min_area = 0.08;  ///< in (0, 1]
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
  std::optional<RandomCrop> random_crop;  ///< replaces shifts where training images are augmented
  /// What pixels in [0, 1] are normalised with, per channel: given by the job, or the training
  /// split's mean and standard deviation (at least 1/255).
  std::vector<float> mean;
  std::vector<float> deviation;
  std::vector<std::string> warnings;  ///< about files that were skipped or damaged; logged, too
  /// Hash of every pixel, label and split and of how they are shown: changes when the files change.
  std::string fingerprint;
};

/// Loads or draws the data set. The split depends on `seed` alone. Progress-free; an image folder
/// is decoded on all cores, some hundred images a second on each, with safe points in between.
/// @throws DataError "PATH: …" for everything that can be wrong with the files; ConfigError for
/// sizes that do not fit.
Dataset load_dataset(const DataConfig& config, std::uint64_t seed);

/// The test split alone, the others are left empty and their files are not read: what measuring a
/// finished network needs. The same images in the same order as load_dataset()'s.
/// @throws ConfigError also if the job does not give data.mean and data.deviation, which would be
/// measured on the training images.
Dataset load_test_split(const DataConfig& config, std::uint64_t seed);

}  // namespace omnifit::supernet
