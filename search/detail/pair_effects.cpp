#include "search/detail/pair_effects.hpp"

#include <bit>

namespace omnifit::search::detail {
namespace {

/// How much sooner than a pair a single choice is believed to be the cause.
constexpr float kOwnWeight = 8.0F;
/// Part of what a sample leaves unexplained that is taken over in the first pass, and in the last
/// one: samples contradict each other where pairs do not tell everything.
constexpr float kFirstRate = 0.52F;
constexpr float kLastRate = 0.02F;

using Block = Eigen::Array<float, PairEffects::kBlock, 1>;

Eigen::Map<Block> block(float* row, std::size_t index) {
  return Eigen::Map<Block>(row + index * PairEffects::kBlock);
}
Eigen::Map<const Block> block(const float* row, std::size_t index) {
  return Eigen::Map<const Block>(row + index * PairEffects::kBlock);
}

/// Ones in the first places of a block, by their number.
using Places = std::array<Block, PairEffects::kBlock>;
const Places& first_places() {
  static const Places kAll = [] {
    Places all;
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i].setZero();
      all[i].head(static_cast<Eigen::Index>(i)).setOnes();
    }
    return all;
  }();
  return kAll;
}

/// A row of zeros with a value at each of some features, as long as it lives.
class Marks {
 public:
  Marks(const Features& features, std::size_t stride, float value) : features_(features) {
    std::vector<float>& row = scratch();
    if (row.size() < stride) row.assign(stride, 0.0F);
    for (const Feature feature : features) row[feature] = value;
    row_ = row.data();
  }
  ~Marks() {
    for (const Feature feature : features_) row_[feature] = 0.0F;
  }
  Marks(const Marks&) = delete;
  Marks& operator=(const Marks&) = delete;

  [[nodiscard]] const float* row() const { return row_; }

 private:
  /// Of zeros while nobody marks anything.
  static std::vector<float>& scratch() {
    thread_local std::vector<float> row;
    return row;
  }

  const Features& features_;
  float* row_ = nullptr;
};

}  // namespace

PairEffects::PairEffects(const Genetics& genetics) : genetics_(&genetics) {
  std::size_t count = 0;
  for (std::size_t g = 0; g < genetics.num_genes(); ++g) {
    first_.push_back(count);
    count += genetics.num_choices(g);
  }
  stride_ = (count + kBlock - 1) / kBlock * kBlock;
  own_.assign(stride_, 0.0F);
  pairs_.assign(count * stride_, 0.0F);
}

Features PairEffects::features(const Choices& choices) const {
  Features found;
  std::uint64_t active = genetics_->active_genes(choices);
  for (; active != 0; active &= active - 1) {
    const auto gene = static_cast<std::size_t>(std::countr_zero(active));
    found.add(feature(gene, choices[gene]));
  }
  return found;
}

Exchange PairEffects::exchange(const Choices& from, const Choices& to) const {
  Exchange exchange;
  const std::uint64_t before = genetics_->active_genes(from);
  const std::uint64_t after = genetics_->active_genes(to);
  std::uint64_t changed = (before ^ after) | Genetics::differing(from, to);
  for (; changed != 0; changed &= changed - 1) {
    const auto gene = static_cast<std::size_t>(std::countr_zero(changed));
    if ((before >> gene & 1U) != 0) exchange.lost.add(feature(gene, from[gene]));
    if ((after >> gene & 1U) != 0) exchange.won.add(feature(gene, to[gene]));
  }
  return exchange;
}

float PairEffects::operator()(const Features& features) const {
  const Marks marks(features, stride_, 1.0F);
  const Places& first = first_places();
  const std::size_t count = features.size();
  // Features ascend, and of each pair the row of the higher one counts: block by block of the lower
  // one, because then the rows are merely added up.
  Block sum = Block::Zero();
  std::size_t i = 0;
  for (std::size_t b = 0; i < count; ++b) {
    Block rows = block(own_.data(), b);
    for (; i < count && features[i] / kBlock == b; ++i) {
      rows = rows + block(pairs(features[i]), b) * first[features[i] % kBlock];
    }
    const float* at = pairs_.data() + b * kBlock;
    const auto row = [&](std::size_t j) { return block(at + features[j] * stride_, 0); };
    // Sums that do not wait for each other.
    Block second = Block::Zero();
    Block third = Block::Zero();
    std::size_t j = i;
    for (; j + 3 <= count; j += 3) {
      rows = rows + row(j);
      second = second + row(j + 1);
      third = third + row(j + 2);
    }
    for (; j < count; ++j) rows = rows + row(j);
    rows = rows + (second + third);
    sum = sum + rows * block(marks.row(), b);
  }
  return mean_ + sum.sum();
}

void PairEffects::fit(std::span<Sample> samples, int passes, core::Rng& rng) {
  for (int pass = 0; pass < passes; ++pass) {
    rng.shuffle(samples);
    const float left = 1.0F - static_cast<float>(pass) / static_cast<float>(passes);
    const float rate = kLastRate + left * (kFirstRate - kLastRate);
    for (const Sample& sample : samples) explain(sample, rate);
  }
  mirror();
}

void PairEffects::explain(const Sample& sample, float rate) {
  const Features& features = sample.features;
  const std::size_t count = features.size();
  const auto singles = static_cast<float>(count);
  const float shares = 1.0F + kOwnWeight * singles + singles * (singles - 1.0F) / 2.0F;
  const float share = rate * (sample.value - (*this)(features)) / shares;
  mean_ += share;
  const Marks marks(features, stride_, share);
  const Places& first = first_places();
  // The half of the square that operator() reads, in the same order.
  std::size_t i = 0;
  for (std::size_t b = 0; i < count; ++b) {
    const Block marked = block(marks.row(), b);
    float* at = pairs_.data() + b * kBlock;
    for (; i < count && features[i] / kBlock == b; ++i) {
      own_[features[i]] += kOwnWeight * share;
      block(at + features[i] * stride_, 0) += marked * first[features[i] % kBlock];
    }
    for (std::size_t j = i; j < count; ++j) block(at + features[j] * stride_, 0) += marked;
  }
}

void PairEffects::mirror() {
  const std::size_t count = pairs_.size() / stride_;
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < i; ++j) pairs_[j * stride_ + i] = pairs_[i * stride_ + j];
  }
}

void PairField::reset(const Features& features) {
  worth_.resize(effects_->stride());
  for (std::size_t f = 0; f < worth_.size(); ++f) {
    worth_[f] = effects_->own(static_cast<Feature>(f));
  }
  for (const Feature feature : features) add(feature, 1.0F);
  // Each pair is part of what both of its features are worth.
  float twice = 0.0F;
  for (const Feature feature : features) twice += effects_->own(feature) + worth_[feature];
  height_ = effects_->mean() + twice / 2.0F;
}

float PairField::gain(const Features& lost, const Features& won) const {
  float gain = 0.0F;
  for (std::size_t i = 0; i < lost.size(); ++i) {
    const float* row = effects_->pairs(lost[i]);
    gain -= worth_[lost[i]];
    // A pair that is lost with both of its features is lost once.
    for (std::size_t j = 0; j < i; ++j) gain += row[lost[j]];
  }
  for (std::size_t i = 0; i < won.size(); ++i) {
    const float* row = effects_->pairs(won[i]);
    gain += worth_[won[i]];
    for (const Feature gone : lost) gain -= row[gone];
    for (std::size_t j = 0; j < i; ++j) gain += row[won[j]];
  }
  return gain;
}

void PairField::move(const Features& lost, const Features& won) {
  for (const Feature feature : lost) add(feature, -1.0F);
  for (const Feature feature : won) add(feature, 1.0F);
}

void PairField::add(Feature feature, float sign) {
  const float* row = effects_->pairs(feature);
  for (std::size_t b = 0; b < worth_.size() / PairEffects::kBlock; ++b) {
    block(worth_.data(), b) += sign * block(row, b);
  }
}

}  // namespace omnifit::search::detail
