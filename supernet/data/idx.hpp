#pragma once

#include "supernet/data/raw_images.hpp"

#include <array>
#include <filesystem>

namespace omnifit::supernet {

/// Images (magic 2051) and labels (magic 2049) in the IDX format of MNIST and its successors:
/// big-endian, plain or gzip, one grey channel.
///
/// @throws DataError "PATH: …": missing, truncated, too long, corrupt, wrong magic, images without
/// pixels, no images, counts that differ, labels outside [0, num_classes). Never allocates what a
/// header merely claims.
RawImages read_idx(const std::filesystem::path& images_file,
                   const std::filesystem::path& labels_file, int num_classes);

/// Images and labels file of the usual names, `<prefix>-images-idx3-ubyte` and
/// `<prefix>-labels-idx1-ubyte`, plain or with ".gz". @param prefix "train" or "t10k"
/// @throws DataError if the folder holds neither form.
std::array<std::filesystem::path, 2> find_idx_files(const std::filesystem::path& root,
                                                    const std::string& prefix);

}  // namespace omnifit::supernet
