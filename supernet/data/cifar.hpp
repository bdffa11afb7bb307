#pragma once

#include "supernet/data/raw_images.hpp"

#include <filesystem>
#include <span>
#include <vector>

namespace omnifit::supernet {

/// Images in CIFAR-10's binary layout: records of one label byte and 32×32 red, green and blue
/// bytes, plane by plane, row-major; the files are taken one after the other.
///
/// @throws DataError "PATH: …": missing, empty, not a whole number of records, labels outside
/// [0, num_classes).
RawImages read_cifar(std::span<const std::filesystem::path> files, int num_classes);

/// Training files of the usual names: every `data_batch_*.bin` in ascending order of name, else
/// `train.bin`. @throws DataError if there is none or the folder cannot be listed.
std::vector<std::filesystem::path> find_cifar_train_files(const std::filesystem::path& root);

/// Test file of the usual names: `test_batch.bin`, else `val.bin`. @throws DataError if there is
/// none.
std::vector<std::filesystem::path> find_cifar_test_files(const std::filesystem::path& root);

}  // namespace omnifit::supernet
