#include "search/detail/size_strata.hpp"

#include "space/arch.hpp"
#include "space/sampling.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_set>

namespace omnifit::search::detail {
namespace {

constexpr std::size_t kDrawsPerArch = 50;

/// Column of the metric that stands for size.
std::optional<std::size_t> size_column(const Evaluator& exact, const Problem& problem) {
  const std::vector<Metric>& metrics = exact.metrics();
  const auto find = [&](const std::string& name) -> std::optional<std::size_t> {
    const auto found = std::ranges::find(metrics, name, &Metric::name);
    if (found == metrics.end() || found->maximise) return std::nullopt;
    return static_cast<std::size_t>(found - metrics.begin());
  };
  for (const Objective& objective : problem.objectives) {
    if (const auto column = find(objective.metric)) return column;
  }
  for (const Bound& bound : problem.bounds) {
    if (const auto column = find(bound.metric)) return column;
  }
  return std::nullopt;
}

double mean_choice(const space::SearchSpace& space, const space::Arch& arch) {
  double sum = 0.0;
  for (std::size_t g = 0; g < space.genes().size(); ++g) {
    const auto last = static_cast<double>(space.genes()[g].choices.size() - 1);
    sum += arch.choice(static_cast<int>(g)) / last;
  }
  return sum / static_cast<double>(std::max<std::size_t>(1, space.genes().size()));
}

std::vector<double> sizes_of(const space::SearchSpace& space, Evaluator* exact,
                             const Problem& problem, const std::vector<space::Arch>& archs) {
  std::vector<double> sizes;
  const auto column = exact != nullptr ? size_column(*exact, problem) : std::nullopt;
  if (!column) {
    for (const space::Arch& arch : archs) sizes.push_back(mean_choice(space, arch));
    return sizes;
  }
  const MetricTable table = exact->evaluate(archs);
  for (std::size_t i = 0; i < archs.size(); ++i) sizes.push_back(table.row(i)[*column]);
  return sizes;
}

}  // namespace

std::vector<space::Arch> size_strata(const space::SearchSpace& space, Evaluator* exact,
                                     const Problem& problem, std::size_t count, core::Rng rng) {
  std::vector<space::Arch> drawn;
  std::unordered_set<space::Arch, space::ArchHash> seen;
  for (std::size_t i = 0; i < count * kDrawsPerArch; ++i) {
    const space::Arch arch =
        i % 2 == 0 ? space::sample(space, rng) : space::sample_spread(space, rng);
    if (seen.insert(arch).second) drawn.push_back(arch);
  }
  std::vector<double> sizes = sizes_of(space, exact, problem, drawn);
  for (std::size_t i = drawn.size(); i-- > 0;) {
    if (std::isfinite(sizes[i])) continue;
    sizes.erase(sizes.begin() + static_cast<std::ptrdiff_t>(i));
    drawn.erase(drawn.begin() + static_cast<std::ptrdiff_t>(i));
  }
  if (drawn.empty()) return drawn;
  const auto [low, high] = std::ranges::minmax(sizes);
  const double width = std::max((high - low) / static_cast<double>(count), 1e-300);
  // The first drawn of each part, then the others in the order they were drawn.
  std::vector<bool> taken(count, false);
  std::vector<space::Arch> archs;
  std::vector<space::Arch> others;
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    const auto part = std::min(count - 1, static_cast<std::size_t>((sizes[i] - low) / width));
    (taken[part] ? others : archs).push_back(drawn[i]);
    taken[part] = true;
  }
  const std::size_t missing = count - std::min(count, archs.size());
  archs.insert(archs.end(), others.begin(),
               others.begin() + static_cast<std::ptrdiff_t>(std::min(missing, others.size())));
  return archs;
}

}  // namespace omnifit::search::detail
