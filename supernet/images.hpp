#pragma once

#include "supernet/data/dataset.hpp"
#include "supernet/data/image_batch.hpp"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

namespace omnifit::supernet {

/// Normalised images [n, c, px, px] of a split in channels-last memory; `augmentation` null: as
/// they are.
at::Tensor image_batch(const Dataset& data, const ImageSplit& split,
                       std::span<const std::int64_t> indices, const Augmentation* augmentation);

/// Their labels, int64 [n].
at::Tensor label_batch(const ImageSplit& split, std::span<const std::int64_t> indices);

/// Images at another side: bilinear with antialiasing, channels-last; the same tensor if the side
/// is right already.
at::Tensor resize_images(const at::Tensor& images, std::int64_t px);

}  // namespace omnifit::supernet
