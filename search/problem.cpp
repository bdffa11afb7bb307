#include "search/problem.hpp"

#include "core/error.hpp"
#include "core/node.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

namespace omnifit::search {
namespace {

std::size_t find_column(const std::vector<Metric>& metrics, const std::string& name,
                        const char* role) {
  std::vector<std::string> known;
  for (const Metric& metric : metrics) {
    if (metric.name == name) return known.size();
    known.push_back(metric.name);
  }
  const std::string nearest = core::did_you_mean(name, known);
  throw ConfigError(fmt::format(
      "search: {} '{}' is no metric of the evaluator{} (allowed: {})", role, name,
      nearest.empty() ? "" : fmt::format("; did you mean '{}'?", nearest), fmt::join(known, ", ")));
}

void check_bound(const Bound& bound) {
  if (!bound.min && !bound.max) {
    throw ConfigError(
        fmt::format("search: the bound on '{}' has neither a minimum nor a maximum", bound.metric));
  }
  if ((bound.min && !std::isfinite(*bound.min)) || (bound.max && !std::isfinite(*bound.max))) {
    throw ConfigError(fmt::format("search: the bound {} must be a finite number", to_text(bound)));
  }
  if (bound.min && bound.max && *bound.min > *bound.max) {
    throw ConfigError(
        fmt::format("search: the bounds on '{}' contradict each other: at least {} and at most {}",
                    bound.metric, *bound.min, *bound.max));
  }
}

}  // namespace

double relative_excess(double excess, double limit) {
  if (excess <= 0.0) return 0.0;
  return limit == 0.0 ? excess : excess / std::abs(limit);
}

std::string to_text(const Bound& bound) {
  if (bound.min && bound.max)
    return fmt::format("{:.6g} <= {} <= {:.6g}", *bound.min, bound.metric, *bound.max);
  if (bound.min) return fmt::format("{} >= {:.6g}", bound.metric, *bound.min);
  if (bound.max) return fmt::format("{} <= {:.6g}", bound.metric, *bound.max);
  return bound.metric;
}

Scorer::Scorer(const Problem& problem, const std::vector<Metric>& metrics) {
  if (problem.objectives.empty()) throw ConfigError("search: at least one objective is needed");
  std::set<std::string> seen;
  for (const Objective& objective : problem.objectives) {
    const std::size_t column = find_column(metrics, objective.metric, "objective");
    if (!seen.insert(objective.metric).second) {
      throw ConfigError(fmt::format("search: objective '{}' is named twice", objective.metric));
    }
    const bool maximise = objective.maximise.value_or(metrics[column].maximise);
    objectives_.push_back({.column = column, .sign = maximise ? -1.0 : 1.0});
  }
  trade_off_ = objectives_;
  seen.clear();
  for (const Bound& bound : problem.bounds) {
    const std::size_t column = find_column(metrics, bound.metric, "bounded metric");
    if (!seen.insert(bound.metric).second) {
      throw ConfigError(fmt::format(
          "search: '{}' is bounded twice; give its minimum and maximum together", bound.metric));
    }
    check_bound(bound);
    limits_.push_back({.column = column, .min = bound.min, .max = bound.max});
    const bool is_objective = std::any_of(objectives_.begin(), objectives_.end(),
                                          [&](const Term& term) { return term.column == column; });
    if (objectives_.size() == 1 && !is_objective) {
      trade_off_.push_back({.column = column, .sign = bound.max ? 1.0 : -1.0});
    }
  }
}

Score Scorer::score(std::span<const double> row) const {
  Score score;
  for (const Term& term : objectives_) score.objectives.push_back(term.sign * row[term.column]);
  if (!std::all_of(row.begin(), row.end(), [](double value) { return std::isfinite(value); })) {
    score.violation = std::numeric_limits<double>::infinity();
    return score;
  }
  for (const Limit& limit : limits_) {
    const double value = row[limit.column];
    if (limit.max) score.violation += relative_excess(value - *limit.max, *limit.max);
    if (limit.min) score.violation += relative_excess(*limit.min - value, *limit.min);
  }
  score.feasible = score.violation == 0.0;
  return score;
}

std::vector<double> Scorer::trade_off(std::span<const double> row) const {
  std::vector<double> point;
  for (const Term& term : trade_off_) point.push_back(term.sign * row[term.column]);
  return point;
}

bool better(const Score& a, const Score& b) {
  if (a.feasible != b.feasible) return a.feasible;
  if (!a.feasible) return a.violation < b.violation;
  return a.objectives.front() < b.objectives.front();
}

}  // namespace omnifit::search
