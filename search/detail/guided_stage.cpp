#include "search/detail/guided_stage.hpp"

#include "core/interrupt.hpp"
#include "core/rng.hpp"
#include "core/threads.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace omnifit::search::detail {
namespace {

/// Parts of all evaluations that the sample and a batch are at most, and their largest sizes.
constexpr std::int64_t kSamplesPerStage = 6;
constexpr std::int64_t kLargestSample = 1500;
constexpr std::int64_t kBatchesPerStage = 20;
constexpr std::int64_t kLargestBatch = 250;
/// Archs that the effects are fitted to: the best ones, and the newest ones, which show where the
/// effects were wrong.
constexpr std::size_t kBestRows = 1000;
constexpr std::size_t kNewestRows = 500;
/// How far below the best one, in spreads of the sample, they may lie: at first, and later, when
/// what matters is how the good ones differ.
constexpr double kFirstSpreads = 5.0;
constexpr double kSpreads = 1.5;
constexpr int kFirstPasses = 20;
constexpr int kPasses = 4;
/// Best archs that walks start from, but for a few that start anywhere.
constexpr std::size_t kStarts = 60;
constexpr double kRandomStarts = 0.2;
/// A stream of random numbers, beside those of populations.
constexpr std::uint64_t kWalkStream = 3;

}  // namespace

void GuidedStage::run(std::int64_t evaluations, std::span<const space::Arch> seeds) {
  const std::size_t end = ledger_.size() + static_cast<std::size_t>(evaluations);
  const auto size = static_cast<std::size_t>(
      std::min(kLargestSample, std::max<std::int64_t>(1, evaluations / kSamplesPerStage)));
  if (!sample(size, seeds)) return;
  const auto batch = static_cast<std::size_t>(
      std::min(kLargestBatch, std::max<std::int64_t>(1, evaluations / kBatchesPerStage)));
  while (ledger_.open() && ledger_.size() < end) {
    core::check_interrupt();
    for (const auto& choices : walk(std::min(batch, end - ledger_.size()))) {
      if (choices) ledger_.propose(*choices);
    }
    ++batch_;
    const std::vector<std::size_t> born = ledger_.evaluate();
    if (born.empty()) return;
    rank(born);
    ledger_.record(best(kStarts));
    fit(telling_rows(), kSpreads, kPasses);
  }
}

std::vector<std::size_t> GuidedStage::best(std::size_t count) const {
  return {best_.begin(),
          best_.begin() + static_cast<std::ptrdiff_t>(std::min(count, best_.size()))};
}

bool GuidedStage::sample(std::size_t size, std::span<const space::Arch> seeds) {
  const std::vector<std::size_t> rows =
      newcomers_.population(std::max(size, seeds.size()), 0, seeds);
  rank(rows);
  ledger_.record(best(kStarts));
  if (!model_.measure(best_)) return false;
  fit(rows, kFirstSpreads, kFirstPasses);
  return true;
}

void GuidedStage::rank(std::span<const std::size_t> rows) {
  for (const std::size_t row : rows) {
    if (std::isfinite(ledger_.fitness(row))) best_.push_back(row);
  }
  // Equals by age, so that the result never depends on how a sort treats them.
  std::ranges::sort(best_, [&](std::size_t a, std::size_t b) {
    const double fitness_a = ledger_.fitness(a);
    const double fitness_b = ledger_.fitness(b);
    return fitness_a != fitness_b ? fitness_a > fitness_b : a < b;
  });
  if (best_.size() > kLargestSample) best_.resize(kLargestSample);
}

void GuidedStage::fit(std::span<const std::size_t> rows, double spreads, int passes) {
  model_.fit(rows, passes, ledger_.value(best_.front()) - spreads * model_.unit());
  model_.publish();
}

std::vector<std::size_t> GuidedStage::telling_rows() const {
  std::vector<std::size_t> rows = best(kBestRows);
  std::vector<std::size_t> newest(std::min(kNewestRows, ledger_.size()));
  std::iota(newest.begin(), newest.end(), ledger_.size() - newest.size());
  rows.insert(rows.end(), newest.begin(), newest.end());
  std::ranges::sort(rows);
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  return rows;
}

std::vector<std::optional<Choices>> GuidedStage::walk(std::uint64_t count) const {
  std::vector<std::optional<Choices>> ends(count);
  core::parallel_for(static_cast<std::int64_t>(count), ledger_.threads(), [&](std::int64_t index) {
    const auto i = static_cast<std::uint64_t>(index);
    core::Rng rng = core::Rng::stream(seed_, core::Purpose::kSearch, {kWalkStream, batch_, i});
    if (const auto from = start(rng)) ends[i] = annealer_.walk(*from, rng);
  });
  return ends;
}

std::optional<Choices> GuidedStage::start(core::Rng& rng) const {
  if (rng.bernoulli(kRandomStarts)) return newcomers_.random_arch(rng);
  return ledger_.choices(best_[rng.below(std::min(kStarts, best_.size()))]);
}

}  // namespace omnifit::search::detail
