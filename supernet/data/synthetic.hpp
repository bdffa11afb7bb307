#pragma once

#include "supernet/data/dataset.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace omnifit::supernet {

/// Classes there are: ten shapes, each filled with one of four textures.
inline constexpr int kMaxSyntheticClasses = 40;
/// Images drawn where the job asks for 0.
inline constexpr int kDefaultSyntheticTrain = 10000;
inline constexpr int kDefaultSyntheticTest = 2000;

/// "disc, stripes": what the class shows. In every block of ten classes each shape occurs once and
/// two or three classes share a texture; from the eleventh class on, shape and texture are both
/// needed.
/// @pre 0 <= label < kMaxSyntheticClasses
std::string synthetic_class_name(int label);

/// Draws one picture: the class's shape and texture at a random place, size, turn and colour, over
/// a textured ground, among fragments of other classes, behind bars, unevenly lit, with noise.
///
/// Only IEEE operations that are rounded correctly, in a fixed order: the same bytes on every
/// machine.
/// @param split 0 train, 1 validation, 2 test. @param index of the image in its split.
/// @param rgb [px, px, 3]
void draw_synthetic_image(std::uint64_t seed, int split, std::int64_t index, int label,
                          int image_px, std::span<std::uint8_t> rgb);

/// `count` images of a split on all cores. Image i shows class i mod `num_classes`, so every prefix
/// is balanced; it depends on (seed, split, i, classes, size) alone, not on `count`.
ImageSplit draw_synthetic_split(std::uint64_t seed, int split, std::int64_t count, int num_classes,
                                int image_px);

}  // namespace omnifit::supernet
