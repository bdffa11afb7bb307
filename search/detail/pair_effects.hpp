#pragma once

#include "core/rng.hpp"
#include "search/detail/genetics.hpp"

#include <Eigen/Core>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace omnifit::search::detail {

/// A choice of a gene, numbered over all genes of a space.
using Feature = std::uint16_t;

/// A few features, at most one per gene. @pre nobody adds more
class Features {
 public:
  void add(Feature feature) { all_[count_++] = feature; }
  [[nodiscard]] const Feature* begin() const { return all_.data(); }
  [[nodiscard]] const Feature* end() const { return all_.data() + count_; }
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] Feature operator[](std::size_t index) const { return all_[index]; }

 private:
  std::array<Feature, space::Arch::kMaxGenes> all_{};
  std::size_t count_ = 0;
};

/// The features that an arch loses and wins when it becomes another one.
struct Exchange {
  Features lost;
  Features won;
};

/// A figure as a sum over the choices of an arch and over their pairs: an effect of each choice and
/// one of each two choices that meet, among genes that are active. There are far more effects than
/// archs to learn them from, so the smallest effects that explain these are looked for.
///
/// Single precision: values should be of the order of one, as distances from a middle.
class PairEffects {
 public:
  struct Sample {
    Features features;  ///< ascending
    float value = 0.0F;
  };

  /// No choice has an effect.
  explicit PairEffects(const Genetics& genetics);

  /// The features of an arch: the choices of its active genes. @pre the choices are canonical
  [[nodiscard]] Features features(const Choices& choices) const;
  /// What of these features changes on the way from one arch to another. @pre both are canonical
  [[nodiscard]] Exchange exchange(const Choices& from, const Choices& to) const;
  [[nodiscard]] Feature feature(std::size_t gene, std::uint8_t choice) const {
    return static_cast<Feature>(first_[gene] + choice);
  }
  /// The sum for an arch. @pre the features ascend, as features() gives them
  [[nodiscard]] float operator()(const Features& features) const;

  /// Passes over all samples in random order; in each the effects that meet in a sample share what
  /// it leaves unexplained (Kaczmarz's method, a shrinking part of it). Begins with the effects
  /// that are there: as new archs come, a few passes are enough. @pre all values are finite
  void fit(std::span<Sample> samples, int passes, core::Rng& rng);

  /// Floats of pairs(): the number of features, rounded up to a whole block.
  [[nodiscard]] std::size_t stride() const { return stride_; }
  /// What every arch has.
  [[nodiscard]] float mean() const { return mean_; }
  /// The effect of a choice alone.
  [[nodiscard]] float own(Feature feature) const { return own_[feature]; }
  /// Its effects with every other feature; 0 with those of the same gene.
  [[nodiscard]] const float* pairs(Feature feature) const {
    return pairs_.data() + static_cast<std::size_t>(feature) * stride_;
  }

  /// Floats that are added at once.
  static constexpr std::size_t kBlock = 16;

 private:
  void explain(const Sample& sample, float rate);
  void mirror();

  const Genetics* genetics_;
  std::vector<std::size_t> first_;  ///< feature of a gene's first choice
  std::size_t stride_ = 0;
  float mean_ = 0.0F;
  std::vector<float> own_;
  /// [feature, feature], symmetric outside of fit(). Each row begins a cache line.
  std::vector<float, Eigen::aligned_allocator<float>> pairs_;
};

/// What each feature is worth beside an arch, so that what a step changes is known from the few
/// features that it takes away and brings, not from all pairs.
class PairField {
 public:
  /// Beside no arch, until reset(). The effects must outlive the field.
  explicit PairField(const PairEffects& effects) : effects_(&effects) {}
  PairField(const PairEffects& effects, const Features& features) : effects_(&effects) {
    reset(features);
  }

  /// Beside another arch, and as the effects are now.
  void reset(const Features& features);
  /// The sum of the effects for the arch that reset() was given.
  [[nodiscard]] float height() const { return height_; }

  /// What the sum of the effects gains if the arch loses and wins these features.
  [[nodiscard]] float gain(const Features& lost, const Features& won) const;
  /// Makes that step.
  void move(const Features& lost, const Features& won);

 private:
  void add(Feature feature, float sign);

  const PairEffects* effects_;
  float height_ = 0.0F;
  std::vector<float> worth_;
};

}  // namespace omnifit::search::detail
