#include "supernet/images.hpp"

#include "core/error.hpp"

#include <ATen/ATen.h>

namespace omnifit::supernet {

at::Tensor image_batch(const Dataset& data, const ImageSplit& split,
                       std::span<const std::int64_t> indices, const Augmentation* augmentation) {
  const auto count = static_cast<std::int64_t>(indices.size());
  at::Tensor images = at::empty({count, data.channels, data.image_px, data.image_px}, at::kFloat,
                                at::MemoryFormat::ChannelsLast);
  OMNIFIT_CHECK(images.numel() == batch_size_floats(data, count), "batch of {} floats, expected {}",
                batch_size_floats(data, count), images.numel());
  fill_batch(data, split, indices, augmentation, images.data_ptr<float>());
  return images;
}

at::Tensor label_batch(const ImageSplit& split, std::span<const std::int64_t> indices) {
  at::Tensor labels = at::empty({static_cast<std::int64_t>(indices.size())}, at::kLong);
  fill_labels(split, indices, labels.data_ptr<std::int64_t>());
  return labels;
}

at::Tensor resize_images(const at::Tensor& images, std::int64_t px) {
  if (images.size(2) == px && images.size(3) == px) return images;
  return at::_upsample_bilinear2d_aa(images.contiguous(), {px, px}, /*align_corners=*/false)
      .contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace omnifit::supernet
