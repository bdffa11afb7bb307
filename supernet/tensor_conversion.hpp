#pragma once

#include "formats/tensor_file.hpp"

#include <ATen/core/Tensor.h>

#include <string>

namespace omnifit::supernet {

/// A row-major copy in plain memory; floating tensors become float32, integers int64.
formats::NamedTensor to_named(const std::string& name, const at::Tensor& tensor);
/// A CPU tensor with storage of its own.
at::Tensor to_tensor(const formats::NamedTensor& tensor);

}  // namespace omnifit::supernet
