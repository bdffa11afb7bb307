#pragma once

#include "supernet/data/dataset.hpp"
#include "supernet/data/decode_memory.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace omnifit::supernet {

/// Names of the folders of class folders where the job gives none.
inline constexpr const char* kTrainFolder = "train";
inline constexpr const char* kTestFolder = "val";

/// One picture, not read yet.
struct ImageFile {
  std::filesystem::path path;
  std::int32_t label = 0;
};

/// What a folder of class folders holds.
struct ImageFolder {
  std::vector<std::string> classes;  ///< names of the class folders in ascending byte order
  std::vector<ImageFile> files;      ///< by class, then by name; the label is the class's index
  std::int64_t num_skipped = 0;      ///< files that are not named like JPEG files
  std::filesystem::path first_skipped;
};

/// Lists a folder whose sub-folders are the classes. Images are the files in them whose names end
/// in .jpg, .jpeg or .jpe, in upper or lower case; names that begin with a dot are passed over,
/// other files counted. Symbolic links are followed. Nothing is opened.
///
/// @throws DataError "PATH: …": missing, not a folder, cannot be listed (also links in a circle),
/// no class folder, a class without images, a folder inside a class folder.
ImageFolder list_image_folder(const std::filesystem::path& folder);

/// What is kept of every picture.
struct DecodeOptions {
  int image_px = 32;
  int resize_px = 37;  ///< what the shorter side becomes first, at least image_px
  bool whole = false;  ///< keep more than the centre, for random crops
};

/// Longest side that is kept of a whole picture, in shorter sides: the middle of longer ones.
inline constexpr int kMaxKeptAspect = 3;

/// Which images a split shows, and where each goes in its pixels.
struct DecodePlan {
  std::vector<ImageFile> files;
  std::vector<StoredImage> images;
  std::uint64_t size_bytes = 0;
};

/// The images `indices` of `files`, in that order. With `whole` the sizes are read from the files'
/// headers, on all cores. @throws DataError "PATH: …" for the first header that is wrong.
DecodePlan plan_decoding(std::span<const ImageFile> files, std::span<const std::int64_t> indices,
                         const DecodeOptions& options);

/// Decodes the images of a plan on all cores: each is scaled so that its shorter side is resize_px,
/// then the centre square of image_px is cut out (or, with `whole`, the picture is kept up to
/// kMaxKeptAspect). The result does not depend on the number of cores. Safe points in between.
///
/// @param memory what the pictures in work take together; cores wait for it.
/// @param warnings gets a line if files were damaged but could be decoded.
/// @throws DataError "PATH: …" for the first image of the plan that cannot be decoded.
ImageSplit decode_images(const DecodePlan& plan, const DecodeOptions& options, DecodeMemory& memory,
                         std::vector<std::string>& warnings);

}  // namespace omnifit::supernet
