#include "search/detail/pair_model.hpp"

#include "core/rng.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

namespace omnifit::search::detail {
namespace {

/// A stream of random numbers, beside those of populations and walks.
constexpr std::uint64_t kFitStream = 4;

}  // namespace

bool PairModel::measure(std::span<const std::size_t> rows) {
  if (unit_ > 0.0) return true;
  std::vector<double> values;
  for (const std::size_t row : rows) {
    if (std::isfinite(ledger_.value(row))) values.push_back(ledger_.value(row));
  }
  if (values.empty()) return false;
  std::ranges::sort(values, std::greater());
  middle_ = values[values.size() / 2];
  unit_ = values[values.size() / 4] - values[values.size() * 3 / 4];
  return unit_ > 0.0;
}

void PairModel::fit(std::span<const std::size_t> rows, int passes, double least) {
  std::vector<PairEffects::Sample> samples;
  samples.reserve(rows.size());
  for (const std::size_t row : rows) {
    const double value = ledger_.value(row);
    if (!(value >= least) || !std::isfinite(value)) continue;
    samples.push_back(
        {draft_.features(ledger_.choices(row)), static_cast<float>((value - middle_) / unit_)});
  }
  core::Rng rng = core::Rng::stream(seed_, core::Purpose::kSearch, {kFitStream, fits_++});
  draft_.fit(samples, passes, rng);
}

}  // namespace omnifit::search::detail
