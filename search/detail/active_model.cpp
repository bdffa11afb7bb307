#include "search/detail/active_model.hpp"

#include "core/error.hpp"
#include "search/detail/expected_gain.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace omnifit::search::detail {
namespace {

constexpr double kReferenceMargin = 0.01;

/// Position among the metrics of both evaluators.
std::size_t column_of(const ActiveSeams& seams, const std::string& name) {
  const std::vector<Metric>& measured = seams.measured.metrics();
  const auto found = std::ranges::find(measured, name, &Metric::name);
  if (found != measured.end()) return static_cast<std::size_t>(found - measured.begin());
  OMNIFIT_CHECK(seams.exact != nullptr, "metric '{}' is unknown", name);
  const std::vector<Metric>& exact = seams.exact->metrics();
  const auto at = std::ranges::find(exact, name, &Metric::name);
  OMNIFIT_CHECK(at != exact.end(), "metric '{}' is unknown", name);
  return measured.size() + static_cast<std::size_t>(at - exact.begin());
}

const Metric& metric_at(const ActiveSeams& seams, std::size_t column) {
  const std::size_t num_measured = seams.measured.metrics().size();
  return column < num_measured ? seams.measured.metrics()[column]
                               : seams.exact->metrics()[column - num_measured];
}

}  // namespace

ActiveModel::ActiveModel(const ActiveSeams& seams, const Problem& problem, double exploration)
    : seams_(seams), exploration_(exploration), surrogates_(num_measured()) {
  const auto name = [&](const std::string& metric) {
    const std::size_t column = column_of(seams, metric);
    if (column < num_measured() && !surrogates_[column])
      surrogates_[column] = seams.surrogate(seams.measured.metrics()[column]);
    return column;
  };
  for (const Objective& objective : problem.objectives) {
    const std::size_t column = name(objective.metric);
    const bool maximise = objective.maximise.value_or(metric_at(seams, column).maximise);
    objectives_.push_back({.column = column, .sign = maximise ? -1.0 : 1.0, .min = {}, .max = {}});
  }
  for (const Bound& bound : problem.bounds)
    bounds_.push_back({.column = name(bound.metric), .min = bound.min, .max = bound.max});
}

bool ActiveModel::fit(const Archive& archive) {
  for (std::size_t column = 0; column < surrogates_.size(); ++column) {
    if (!surrogates_[column]) continue;
    std::vector<space::Arch> archs;
    std::vector<double> values;
    for (std::size_t i = 0; i < archive.size(); ++i) {
      if (!std::isfinite(archive[i].values[column])) continue;
      archs.push_back(archive[i].arch);
      values.push_back(archive[i].values[column]);
    }
    if (archs.size() < 2) return false;
    surrogates_[column]->fit(archs, values);
  }
  return true;
}

std::vector<ActiveModel::Column> ActiveModel::columns(std::span<const space::Arch> archs) const {
  std::vector<Column> found(num_measured());
  for (std::size_t column = 0; column < surrogates_.size(); ++column) {
    if (!surrogates_[column]) continue;
    SurrogatePrediction prediction = surrogates_[column]->predict(archs);
    for (double& deviation : prediction.deviation) deviation *= exploration_;
    found[column] = {std::move(prediction.mean), std::move(prediction.deviation)};
  }
  if (seams_.exact == nullptr) return found;
  const MetricTable exact = seams_.exact->evaluate(archs);
  for (std::size_t c = 0; c < seams_.exact->metrics().size(); ++c) {
    Column& column = found.emplace_back();
    for (std::size_t i = 0; i < archs.size(); ++i) column.mean.push_back(exact.row(i)[c]);
    column.deviation.assign(archs.size(), 0.0);
  }
  return found;
}

std::vector<Expected> ActiveModel::expect(std::span<const space::Arch> archs) const {
  const std::vector<Column> all = columns(archs);
  std::vector<Expected> expected(archs.size());
  for (std::size_t i = 0; i < archs.size(); ++i) {
    expected[i].chance = 1.0;
    for (const Quantity& objective : objectives_) {
      const double mean = all[objective.column].mean[i];
      if (!std::isfinite(mean)) expected[i].chance = 0.0;
      expected[i].mean.push_back(objective.sign * mean);
      expected[i].deviation.push_back(all[objective.column].deviation[i]);
    }
    for (const Quantity& bound : bounds_) {
      const double mean = all[bound.column].mean[i];
      const double deviation = all[bound.column].deviation[i];
      if (bound.max) expected[i].chance *= chance_below(*bound.max, mean, deviation);
      if (bound.min) expected[i].chance *= chance_below(-*bound.min, -mean, deviation);
    }
  }
  return expected;
}

std::vector<double> ActiveModel::reference(const Archive& archive) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::vector<double> best(archive.num_objectives(), kInfinity);
  std::vector<double> worst(archive.num_objectives(), -kInfinity);
  for (std::size_t i = 0; i < archive.size(); ++i) {
    const std::vector<double>& point = archive[i].score.objectives;
    if (!std::isfinite(archive[i].score.violation)) continue;
    for (std::size_t c = 0; c < point.size(); ++c) {
      best[c] = std::min(best[c], point[c]);
      worst[c] = std::max(worst[c], point[c]);
    }
  }
  for (std::size_t c = 0; c < worst.size(); ++c) {
    // Equal values have no range; the reference must still be worse than they are.
    const double range = worst[c] - best[c];
    worst[c] += range > 0.0 ? kReferenceMargin * range : std::max(1e-9, std::abs(worst[c]));
  }
  return worst;
}

}  // namespace omnifit::search::detail
