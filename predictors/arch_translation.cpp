#include "predictors/arch_translation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <stdexcept>

namespace omnifit::predictors {
namespace {

std::uint8_t nearest(const std::vector<double>& choices, double value) {
  const auto nearer = [value](double a, double b) {
    return std::abs(a - value) < std::abs(b - value);
  };
  return static_cast<std::uint8_t>(std::ranges::min_element(choices, nearer) - choices.begin());
}

/// Value of a position that is no gene; nullopt if the space has no such position.
std::optional<double> fixed_value(const space::SearchSpace& space, const space::Gene& gene) {
  const bool in_stage = gene.stage >= 0 && gene.block >= 0;
  if (in_stage && gene.block >= space.stages()[static_cast<std::size_t>(gene.stage)].max_depth()) {
    return std::nullopt;
  }
  return space::axis_value(space, space::smallest(space), gene.axis, gene.stage, gene.block);
}

}  // namespace

ArchTranslation::ArchTranslation(const space::SearchSpace& from, const space::SearchSpace& to)
    : to_(to), from_(from.fingerprint()) {
  const bool same = from.fingerprint() == to.fingerprint();
  if (!same && from.family() != to.family()) {
    throw std::invalid_argument(fmt::format("space '{}' is of family {}, '{}' of family {}",
                                            to.name(), to.family(), from.name(), from.family()));
  }
  if (!same && from.family_kind() != space::Family::kMbConv &&
      from.family_kind() != space::Family::kBottleneck) {
    throw std::invalid_argument(
        fmt::format("space '{}' is another than '{}', and a {} space has "
                    "no siblings",
                    to.name(), from.name(), from.family()));
  }
  if (from.stages().size() != to.stages().size()) {
    throw std::invalid_argument(fmt::format("space '{}' has {} stages, '{}' has {}", to.name(),
                                            to.stages().size(), from.name(), from.stages().size()));
  }
  for (std::size_t g = 0; g < to.genes().size(); ++g) {
    const space::Gene& gene = to.genes()[g];
    Source source;
    if (same) {
      source.gene = static_cast<int>(g);
      for (std::size_t c = 0; c < gene.choices.size(); ++c) {
        source.choice_of.push_back(static_cast<std::uint8_t>(c));
      }
    } else if (const auto own = from.find_gene(gene.axis, gene.stage, gene.block)) {
      source.gene = *own;
      for (const double value : from.genes()[static_cast<std::size_t>(*own)].choices) {
        source.choice_of.push_back(nearest(gene.choices, value));
      }
    } else {
      const std::optional<double> value = fixed_value(from, gene);
      source.choice_of.push_back(value ? nearest(gene.choices, *value) : std::uint8_t{0});
    }
    sources_.push_back(std::move(source));
  }
}

space::Arch ArchTranslation::operator()(const space::Arch& arch) const {
  if (arch.space_fingerprint() != from_) {
    throw std::invalid_argument("the arch is of another space than the translation");
  }
  std::vector<std::uint8_t> choices;
  choices.reserve(sources_.size());
  for (const Source& source : sources_) {
    const int choice = source.gene >= 0 ? arch.choice(source.gene) : 0;
    choices.push_back(source.choice_of[static_cast<std::size_t>(choice)]);
  }
  return {to_, choices};
}

}  // namespace omnifit::predictors
