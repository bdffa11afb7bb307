#pragma once

#include "formats/folded_network.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace omnifit::test {

/// The folded network computed by plain loops in double precision, written from the description of
/// FoldedNetwork alone: what every export format is compared with.
class ReferenceForward {
 public:
  explicit ReferenceForward(const formats::FoldedNetwork& network) : network_(network) {}

  /// Logits [n, classes] of images [n, c, px, px].
  [[nodiscard]] formats::NamedTensor operator()(const formats::NamedTensor& images) {
    const auto values = images.floats();
    const auto count = images.shape[0];
    const auto size = values.size() / static_cast<std::size_t>(count);
    std::vector<float> logits;
    for (std::size_t n = 0; n < static_cast<std::size_t>(count); ++n) {
      Feature x{network_.plan.io.in_channels, network_.plan.resolution_px, {}};
      x.values.assign(values.begin() + static_cast<std::ptrdiff_t>(n * size),
                      values.begin() + static_cast<std::ptrdiff_t>((n + 1) * size));
      for (std::size_t i = 0; i < network_.plan.units.size(); ++i) {
        unit_ = static_cast<int>(i);
        x = std::visit([&](const auto& spec) { return run(spec, x); }, network_.plan.units[i].spec);
      }
      for (const double value : x.values) logits.push_back(static_cast<float>(value));
    }
    return formats::NamedTensor::from_floats("logits", {count, network_.plan.io.num_classes},
                                             logits);
  }

 private:
  struct Feature {
    int channels;
    int px;
    std::vector<double> values;
    [[nodiscard]] double at(int c, int y, int x) const {
      if (y < 0 || x < 0 || y >= px || x >= px) return 0.0;
      return values[static_cast<std::size_t>((c * px + y) * px + x)];
    }
  };

  static double relu6(double x) { return std::min(std::max(x, 0.0), 6.0); }
  static Feature activate(Feature x, space::Act act) {
    for (double& v : x.values) {
      if (act == space::Act::kRelu) v = std::max(v, 0.0);
      if (act == space::Act::kRelu6) v = relu6(v);
      if (act == space::Act::kHSwish) v = v * relu6(v + 3) / 6;
    }
    return x;
  }

  Feature conv(const Feature& x, const std::string& part, int out, int kernel_size, int stride,
               bool depthwise, bool bias) {
    const auto weight = network_.tensor(unit_, part + "weight").floats();
    const int pad = kernel_size / 2;
    const int px = (x.px + 2 * pad - kernel_size) / stride + 1;
    const int in = depthwise ? 1 : x.channels;
    Feature y{out, px, {}};
    for (int o = 0; o < out; ++o) {
      const double start =
          bias ? network_.tensor(unit_, part + "bias").floats()[static_cast<std::size_t>(o)] : 0.0;
      for (int row = 0; row < px; ++row) {
        for (int column = 0; column < px; ++column) {
          double sum = start;
          for (int i = 0; i < in; ++i) {
            for (int ky = 0; ky < kernel_size; ++ky) {
              for (int kx = 0; kx < kernel_size; ++kx) {
                const auto at = ((o * in + i) * kernel_size + ky) * kernel_size + kx;
                sum += static_cast<double>(weight[static_cast<std::size_t>(at)]) *
                       x.at(depthwise ? o : i, row * stride + ky - pad, column * stride + kx - pad);
              }
            }
          }
          y.values.push_back(sum);
        }
      }
    }
    return y;
  }

  static Feature mean(const Feature& x) {
    Feature y{x.channels, 1, {}};
    for (int c = 0; c < x.channels; ++c) {
      double sum = 0.0;
      for (int row = 0; row < x.px; ++row) {
        for (int column = 0; column < x.px; ++column) sum += x.at(c, row, column);
      }
      y.values.push_back(sum / (x.px * x.px));
    }
    return y;
  }

  static Feature sum(Feature a, const Feature& b) {
    for (std::size_t i = 0; i < a.values.size(); ++i) a.values[i] += b.values[i];
    return a;
  }

  Feature run(const space::ConvSpec& spec, const Feature& x) {
    const Feature y = activate(conv(x, "", spec.out_channels, spec.kernel_size, spec.stride, false,
                                    spec.batch_norm || spec.bias),
                               spec.act);
    return spec.shortcut ? sum(y, x) : y;
  }

  Feature run(const space::BottleneckSpec& spec, const Feature& x) {
    Feature y = activate(conv(x, "conv1.", spec.mid_channels, 1, 1, false, true), spec.act);
    y = activate(conv(y, "conv2.", spec.mid_channels, spec.kernel_size, spec.stride, false, true),
                 spec.act);
    y = conv(y, "conv3.", spec.out_channels, 1, 1, false, true);
    Feature shortcut = x;
    if (spec.downsample == space::Downsample::kAvgPoolConv) {
      shortcut =
          conv(window_means(x, spec.stride), "downsample.", spec.out_channels, 1, 1, false, true);
    } else if (spec.downsample == space::Downsample::kConv) {
      shortcut = conv(x, "downsample.", spec.out_channels, 1, spec.stride, false, true);
    }
    return activate(sum(y, shortcut), spec.act);
  }

  /// Windows side by side; those at the far edges may hold fewer pixels.
  static Feature window_means(const Feature& x, int side) {
    Feature y{x.channels, (x.px + side - 1) / side, {}};
    for (int c = 0; c < x.channels; ++c) {
      for (int row = 0; row < x.px; row += side) {
        for (int column = 0; column < x.px; column += side) {
          double total = 0.0;
          int count = 0;
          for (int r = row; r < std::min(row + side, x.px); ++r) {
            for (int k = column; k < std::min(column + side, x.px); ++k, ++count) {
              total += x.at(c, r, k);
            }
          }
          y.values.push_back(total / count);
        }
      }
    }
    return y;
  }

  static Feature run(const space::MaxPoolSpec& spec, const Feature& x) {
    Feature y{x.channels, (x.px - 1) / spec.stride + 1, {}};
    const int half = spec.kernel_size / 2;
    for (int c = 0; c < x.channels; ++c) {
      for (int row = 0; row < y.px; ++row) {
        for (int column = 0; column < y.px; ++column) {
          double most = -1e300;
          for (int r = row * spec.stride - half; r <= row * spec.stride + half; ++r) {
            for (int k = column * spec.stride - half; k <= column * spec.stride + half; ++k) {
              const bool inside = r >= 0 && k >= 0 && r < x.px && k < x.px;
              if (inside) most = std::max(most, x.at(c, r, k));
            }
          }
          y.values.push_back(most);
        }
      }
    }
    return y;
  }

  Feature run(const space::MbConvSpec& spec, const Feature& input) {
    Feature x = input;
    if (spec.expand) {
      x = activate(conv(x, "expand.", spec.mid_channels, 1, 1, false, true), spec.act);
    }
    x = activate(
        conv(x, "depthwise.", spec.mid_channels, spec.kernel_size, spec.stride, true, true),
        spec.act);
    if (spec.se_channels > 0) {
      const Feature reduced = activate(
          conv(mean(x), "se.reduce.", spec.se_channels, 1, 1, false, true), space::Act::kRelu);
      const Feature gate = conv(reduced, "se.expand.", spec.mid_channels, 1, 1, false, true);
      for (std::size_t i = 0; i < x.values.size(); ++i) {
        const auto channel = i / static_cast<std::size_t>(x.px * x.px);
        x.values[i] *= relu6(gate.values[channel] + 3) / 6;
      }
    }
    x = conv(x, "project.", spec.out_channels, 1, 1, false, true);
    return spec.shortcut ? sum(x, input) : x;
  }

  static Feature run(const space::PoolSpec&, const Feature& x) { return mean(x); }

  Feature run(const space::LinearSpec& spec, const Feature& x) {
    return conv(x, "", spec.out_features, 1, 1, false, true);
  }

  const formats::FoldedNetwork& network_;
  int unit_ = 0;
};

}  // namespace omnifit::test
