#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace omnifit::supernet {

/// Batch-norm statistics of one subnet: a value, so that many subnets are calibrated and evaluated
/// at once over one set of weights. One entry per batch norm the plan executes, in execution order.
class BnStats {
 public:
  struct Entry {
    at::Tensor mean;      ///< [c]
    at::Tensor variance;  ///< [c], biased
  };
  std::vector<Entry> entries;
};

}  // namespace omnifit::supernet
