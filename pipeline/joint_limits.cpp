#include "pipeline/joint_limits.hpp"

#include "search/joint_feasibility.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace omnifit::pipeline {

std::string conflict_text(const space::SearchSpace& space, const std::vector<Limit>& limits,
                          const SumOf& sum_of) {
  std::vector<search::AdditiveLimit> sums;
  std::vector<const Limit*> of_sums;
  for (const Limit& limit : limits) {
    const space::AdditiveCost* cost = sum_of(limit.quantity);
    if (cost == nullptr) continue;
    sums.push_back({cost, limit.value, limit.at_least});
    of_sums.push_back(&limit);
  }
  if (sums.size() < 2) return {};
  const auto conflict = search::find_conflict(space, sums);
  if (!conflict) return {};
  std::vector<std::string> names;
  for (const std::size_t i : conflict->limits) names.push_back(of_sums[i]->text());
  std::vector<std::string> nearest;
  for (const search::NearestLimit& found : conflict->nearest) {
    const Quantity& quantity = of_sums[found.limit]->quantity;
    nearest.push_back(fmt::format("{} {}", quantity.key(), quantity.format(found.reached)));
  }
  return fmt::format(
      "no subnet of the space keeps {} at once (proven){}", fmt::join(names, " and "),
      nearest.empty() ? ""
                      : fmt::format("; where the rest is kept, the nearest found is {}",
                                    fmt::join(nearest, ", or ")));
}

}  // namespace omnifit::pipeline
