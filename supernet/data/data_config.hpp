#pragma once

#include "core/fields.hpp"

#include <string>
#include <vector>

namespace omnifit::supernet {

/// Where images come from.
enum class DataFormat { kSynthetic, kIdx, kCifar, kImageFolder };
/// Their names in a job: "synthetic", "idx", "cifar", "image_folder".
const core::EnumTable<DataFormat>& data_formats();

/// The `data` section of a job.
struct DataConfig {
  DataFormat format = DataFormat::kSynthetic;
  /// Folder of the files; relative to the job file (resolved by the caller). Synthetic: none.
  std::string root;
  /// Names in the folder. cifar: record files; idx: images file, then labels file; image_folder:
  /// the folder of the class folders; empty: the usual names (see idx.hpp, cifar.hpp and
  /// image_folder.hpp).
  std::vector<std::string> train_files;
  std::vector<std::string> test_files;
  /// image_folder: a CSV file in the folder that gives every image's label (see image_labels.hpp);
  /// empty: the class folders, sorted by name, are labelled 0, 1, …
  std::string labels;
  std::string label_column = "label";  ///< of that file
  int num_classes = 10;  ///< labels are in [0, num_classes); unless a labels file gives them, each
                         ///< split shows every one
  int image_px = 32;     ///< side of the images; smaller ones of idx and cifar are zero-padded
  /// image_folder: the shorter side before the centre is cut out, at least image_px; 0 = what the
  /// reference takes, ceil(image_px / 0.875)
  int resize_px = 0;
  /// image_folder: training images are random crops of the picture, scaled to image_px
  bool random_crop = false;
  double min_crop_area = 0.08;  ///< smallest share of the picture's area that is cut out
  /// What pixels in [0, 1] are normalised with, per channel; both empty: the training split's own
  std::vector<double> mean;
  std::vector<double> deviation;
  /// image_folder: most that the decoded images may take, those in the making included
  double memory_limit_gb = 8.0;
  int num_train = 0;  ///< images used of what validation leaves; 0 = all. Synthetic: 0 = 10,000
  int num_validation = 5000;  ///< held out of the training files for collection and search
  int num_test = 0;           ///< 0 = all. Synthetic: 0 = 2,000
  void fields(core::Fields& f);
  friend bool operator==(const DataConfig&, const DataConfig&) = default;

  /// The shorter side before the centre is cut out.
  [[nodiscard]] int effective_resize_px() const;
};

/// For configurations that were built in code and never met the reader.
/// @throws ConfigError "data.FIELD …" for the first field that is out of range or contradicts
/// another one.
void check_data_config(const DataConfig& config);

}  // namespace omnifit::supernet
