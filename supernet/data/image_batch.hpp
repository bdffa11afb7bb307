#pragma once

#include "core/rng.hpp"
#include "supernet/data/dataset.hpp"
#include "supernet/data/resample.hpp"

#include <cstdint>
#include <span>

namespace omnifit::supernet {

/// Random changes of training images, drawn from a stream keyed by (seed, epoch, image index): what
/// an image looks like in an epoch depends neither on its place in a batch nor on the thread that
/// fills it. Where the data set has a random crop, that replaces the shift.
struct Augmentation {
  int max_shift_px =
      0;  ///< translation by up to that many pixels each way; black pixels move in; ≥ 0
  bool flip = false;        ///< mirror left and right with probability one half
  std::uint64_t seed = 1;   ///< of the run
  std::uint64_t epoch = 0;  ///< counted over the whole training, not per phase
};

/// Number of floats fill_batch() writes for `num_images` images of `data`.
[[nodiscard]] std::int64_t batch_size_floats(const Dataset& data, std::int64_t num_images);

/// The part of a picture that a random crop shows, drawn as the reference does: ten attempts at an
/// area and an aspect ratio that fit, then the largest centred part of an allowed aspect ratio.
PixelRect draw_random_crop(const RandomCrop& crop, PictureSize picture, core::Rng& rng);

/// Writes normalised images, (pixel / 255 − mean) / deviation per channel, to nhwc [n, px, px,
/// channels] (channels-last memory), n = indices.size().
///
/// @param split of `data`. @param indices into `split`, each in [0, split.count()), repeats
/// allowed.
/// @param augmentation null: images as they are, of larger ones the centre. @param nhwc room for
/// batch_size_floats() floats. Thread-safe; filling a batch in pieces on several threads gives the
/// same floats.
void fill_batch(const Dataset& data, const ImageSplit& split, std::span<const std::int64_t> indices,
                const Augmentation* augmentation, float* nhwc);

/// Writes the labels of the same images to labels [n].
void fill_labels(const ImageSplit& split, std::span<const std::int64_t> indices,
                 std::int64_t* labels);

}  // namespace omnifit::supernet
