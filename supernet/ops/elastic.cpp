#include "supernet/ops/elastic.hpp"

#include "core/error.hpp"

#include <ATen/ATen.h>

namespace omnifit::supernet::ops {

at::Tensor slice_weight(const at::Tensor& weight, std::int64_t rows, std::int64_t columns) {
  at::Tensor sliced = weight;
  if (rows != weight.size(0)) sliced = sliced.narrow(0, 0, rows);
  if (columns != weight.size(1)) sliced = sliced.narrow(1, 0, columns);
  return sliced;
}

at::Tensor slice_vector(const at::Tensor& vector, std::int64_t count) {
  return count == vector.size(0) ? vector : vector.narrow(0, 0, count);
}

at::Tensor centre_crop(const at::Tensor& weight, std::int64_t kernel_size) {
  const std::int64_t start = weight.size(2) / 2 - kernel_size / 2;
  return weight.narrow(2, start, kernel_size).narrow(3, start, kernel_size);
}

at::Tensor slice_depthwise_kernel(const at::Tensor& weight, std::int64_t channels, int kernel_size,
                                  std::span<const int> sizes,
                                  std::span<const at::Tensor> matrices) {
  OMNIFIT_CHECK(!sizes.empty() && matrices.size() + 1 == sizes.size(),
                "{} kernel sizes need {} matrices, got {}", sizes.size(), sizes.size() - 1,
                matrices.size());
  OMNIFIT_CHECK(weight.size(2) == sizes.back(), "weight has kernel {}, expected {}", weight.size(2),
                sizes.back());
  at::Tensor filter = slice_vector(weight, channels);
  for (std::size_t i = sizes.size() - 1; sizes[i] != kernel_size; --i) {
    OMNIFIT_CHECK(i > 0, "kernel size {} is not elastic", kernel_size);
    const int smaller = sizes[i - 1];
    const at::Tensor window =
        centre_crop(filter, smaller).reshape({channels, std::int64_t{smaller} * smaller});
    filter = at::mm(window, matrices[i - 1].t()).view({channels, 1, smaller, smaller});
  }
  return filter;
}

}  // namespace omnifit::supernet::ops
