#include "pipeline/joint_limits.hpp"

#include "search/joint_feasibility.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace omnifit::pipeline {
namespace {

/// Those of the limits that are sums over units.
struct Sums {
  std::vector<search::AdditiveLimit> limits;
  std::vector<const Limit*> of;  ///< parallel to `limits`

  Sums(const std::vector<Limit>& all, const SumOf& sum_of) {
    for (const Limit& limit : all) {
      const space::AdditiveCost* cost = sum_of(limit.quantity);
      if (cost == nullptr) continue;
      limits.push_back({cost, limit.value, limit.at_least});
      of.push_back(&limit);
    }
  }
};

}  // namespace

std::optional<space::Arch> joint_witness(const space::SearchSpace& space,
                                         const std::vector<Limit>& limits, const SumOf& sum_of) {
  const Sums sums(limits, sum_of);
  if (sums.limits.size() < 2) return std::nullopt;
  return search::decide_feasibility(space, sums.limits).witness;
}

std::string conflict_text(const space::SearchSpace& space, const std::vector<Limit>& limits,
                          const SumOf& sum_of) {
  const Sums sums(limits, sum_of);
  if (sums.limits.size() < 2) return {};
  const auto conflict = search::find_conflict(space, sums.limits);
  if (!conflict) return {};
  std::vector<std::string> names;
  for (const std::size_t i : conflict->limits) names.push_back(sums.of[i]->text());
  std::vector<std::string> nearest;
  for (const search::NearestLimit& found : conflict->nearest) {
    const Quantity& quantity = sums.of[found.limit]->quantity;
    nearest.push_back(fmt::format("{} {}", quantity.key(), quantity.format(found.reached)));
  }
  return fmt::format(
      "no subnet of the space keeps {} at once (proven){}", fmt::join(names, " and "),
      nearest.empty() ? ""
                      : fmt::format("; where the rest is kept, the nearest found is {}",
                                    fmt::join(nearest, ", or ")));
}

}  // namespace omnifit::pipeline
