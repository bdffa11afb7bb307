#pragma once

#include "supernet/ops/simd.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace omnifit::supernet::ops::kernels {

/// Two sums per channel, kept in double by each part and added in part order.
class ChannelSums {
 public:
  ChannelSums(int parts, int channels)
      : parts_(parts),
        channels_(simd::round_up(channels, 16)),
        sums_(static_cast<std::size_t>(parts) * 2 * static_cast<std::size_t>(channels_)) {}

  /// Adds the lanes of `first` and `second` to channels [channel, channel + lanes).
  template <class V>
  void add(int part, int channel, V first, V second) {
    double* to = sums_.data() + static_cast<std::ptrdiff_t>(part) * 2 * channels_ + channel;
    for (int lane = 0; lane < simd::kLanes<V>; ++lane) {
      to[lane] += static_cast<double>(first[lane]);
      to[lane + channels_] += static_cast<double>(second[lane]);
    }
  }

  [[nodiscard]] double first(int channel) const { return total(channel); }
  [[nodiscard]] double second(int channel) const { return total(channel + channels_); }

  /// Mean and biased variance from sums of values and of squares.
  void statistics(double count, int channels, float* mean, float* variance) const {
    for (int c = 0; c < channels; ++c) {
      const double average = first(c) / count;
      mean[c] = static_cast<float>(average);
      variance[c] = static_cast<float>(std::max(0.0, second(c) / count - average * average));
    }
  }

  /// Writes both sums.
  void write(int channels, float* first_out, float* second_out) const {
    for (int c = 0; c < channels; ++c) {
      first_out[c] = static_cast<float>(first(c));
      second_out[c] = static_cast<float>(second(c));
    }
  }

 private:
  [[nodiscard]] double total(int index) const {
    double sum = 0.0;
    for (int part = 0; part < parts_; ++part) {
      sum += sums_[static_cast<std::size_t>(part) * 2 * static_cast<std::size_t>(channels_) +
                   static_cast<std::size_t>(index)];
    }
    return sum;
  }

  int parts_;
  int channels_;
  std::vector<double> sums_;
};

}  // namespace omnifit::supernet::ops::kernels
