#pragma once

#include "core/rng.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <numeric>
#include <span>
#include <vector>

/// What studies draw and average.
namespace omnifit::study {

using Indices = std::vector<std::size_t>;
using Times = std::vector<double>;

inline constexpr std::uint64_t kSeed = 1;

inline core::Rng stream(std::initializer_list<std::uint64_t> indices) {
  return core::Rng::stream(kSeed, core::Purpose::kFit, indices);
}

inline Indices shuffled(std::size_t size, std::initializer_list<std::uint64_t> indices) {
  Indices order(size);
  std::iota(order.begin(), order.end(), std::size_t{0});
  core::Rng rng = stream(indices);
  rng.shuffle(std::span(order));
  return order;
}

template <class T>
std::vector<T> pick(const std::vector<T>& values, const Indices& indices) {
  std::vector<T> picked;
  picked.reserve(indices.size());
  for (const std::size_t i : indices) picked.push_back(values[i]);
  return picked;
}

inline double median(Times values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? std::nan("") : values[values.size() / 2];
}

inline double mean(const Times& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace omnifit::study
