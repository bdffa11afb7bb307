#include "predictors/features.hpp"

#include "core/error.hpp"
#include "core/hash.hpp"
#include "space/costs.hpp"
#include "space/encoding.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <stdexcept>
#include <utility>

namespace omnifit::predictors {
namespace {

constexpr space::Encoding kEncoding = space::Encoding::kOneHot;

/// The stage whose genes shape a term of a cost: the last of them, because a block also depends on
/// the width of the stage before. -1: no stage's.
int stage_of(const space::SearchSpace& space, const space::AdditiveCost::Term& term) {
  int stage = -1;
  for (const int gene : term.genes) {
    stage = std::max(stage, space.genes()[static_cast<std::size_t>(gene)].stage);
  }
  return stage;
}

std::optional<double> macs_of(const space::LayerSpec& spec) {
  return static_cast<double>(space::macs(spec));
}

std::optional<double> params_of(const space::LayerSpec& spec) {
  return static_cast<double>(space::params_count(spec));
}

}  // namespace

ArchFeatures::ArchFeatures(const space::SearchSpace& space, const space::TaskIo& io)
    : space_(space), num_encoded_(space::num_columns(space, kEncoding)) {
  group_encoding();
  if (space.family_kind() == space::Family::kTabular) {
    add_label_counts();
  } else {
    add_axis_sums();
    add_costs(io);
  }
  std::string text =
      fmt::format("{} in={} classes={}", core::hex64(space::layout_version(space, kEncoding)),
                  io.in_channels, io.num_classes);
  for (const std::string& name : figure_names_) text += "\n" + name;
  layout_version_ = core::stable_hash(text);
}

void ArchFeatures::group_encoding() {
  std::map<space::Axis, int> group_of_axis;
  for (const space::Gene& gene : space_.genes()) {
    const auto next = static_cast<int>(group_of_axis.size());
    const int group = group_of_axis.try_emplace(gene.axis, next).first->second;
    column_groups_.insert(column_groups_.end(), gene.choices.size(), group);
  }
}

void ArchFeatures::add_axis_sums() {
  std::map<space::Axis, Figure> sums;
  for (std::size_t g = 0; g < space_.genes().size(); ++g) {
    const space::Gene& gene = space_.genes()[g];
    Figure& figure = sums[gene.axis];
    figure.by_choice.resize(space_.genes().size());
    figure.by_choice[g] = gene.choices;
  }
  for (auto& [axis, figure] : sums) {
    add_figure("sum of " + space::axis_name(axis), std::move(figure));
  }
}

void ArchFeatures::add_label_counts() {
  std::map<std::string, Figure> counts;
  for (std::size_t g = 0; g < space_.genes().size(); ++g) {
    const space::Gene& gene = space_.genes()[g];
    for (std::size_t c = 0; c < gene.choices.size(); ++c) {
      Figure& figure = counts[space::choice_text(gene, static_cast<int>(c))];
      figure.by_choice.resize(space_.genes().size());
      figure.by_choice[g].resize(gene.choices.size(), 0.0);
      figure.by_choice[g][c] = 1.0;
    }
  }
  for (auto& [label, figure] : counts) add_figure("count of " + label, std::move(figure));
}

void ArchFeatures::add_costs(const space::TaskIo& io) {
  const std::pair<const char*, std::optional<double> (*)(const space::LayerSpec&)> kinds[] = {
      {"macs", macs_of}, {"params", params_of}};
  for (const auto& [name, of_unit] : kinds) {
    const auto whole = space::AdditiveCost::compile(space_, io, of_unit);
    std::map<int, std::vector<space::AdditiveCost::Term>> by_stage;
    for (space::AdditiveCost::Term& term : whole.terms()) {
      by_stage[stage_of(space_, term)].push_back(std::move(term));
    }
    add_cost(fmt::format("log {}", name), whole);
    for (const auto& [stage, terms] : by_stage) {
      if (stage < 0) continue;
      add_cost(fmt::format("log {} of stage {}", name, stage),
               space::AdditiveCost::from_terms(space_, terms));
    }
  }
}

void ArchFeatures::add_cost(const std::string& name, space::AdditiveCost cost) {
  Figure figure;
  figure.cost = static_cast<int>(costs_.size());
  costs_.push_back(std::move(cost));
  add_figure(name, std::move(figure));
}

void ArchFeatures::add_figure(const std::string& name, Figure figure) {
  double low = 0.0;
  double high = 0.0;
  if (figure.cost >= 0) {
    low = value(figure, space::smallest(space_));
    high = value(figure, space::largest(space_));
  } else {
    for (std::size_t g = 0; g < figure.by_choice.size(); ++g) {
      const std::vector<double>& values = figure.by_choice[g];
      if (values.empty()) continue;
      const auto [least, most] = std::minmax_element(values.begin(), values.end());
      low += space_.genes()[g].active_if ? 0.0 : *least;  // a gene without effect adds nothing
      high += *most;
    }
  }
  figure.low = low;
  figure.factor = high > low ? 1.0 / (high - low) : 0.0;
  figure_names_.push_back(name);
  column_groups_.push_back(*std::max_element(column_groups_.begin(), column_groups_.end()) + 1);
  figures_.push_back(std::move(figure));
}

double ArchFeatures::value(const Figure& figure, const space::Arch& arch) const {
  if (figure.cost >= 0) return std::log1p(costs_[static_cast<std::size_t>(figure.cost)](arch));
  double sum = 0.0;
  for (std::size_t g = 0; g < figure.by_choice.size(); ++g) {
    const std::vector<double>& values = figure.by_choice[g];
    const auto gene = static_cast<int>(g);
    if (values.empty() || !space::is_active(space_, arch, gene)) continue;
    sum += values[static_cast<std::size_t>(arch.choice(gene))];
  }
  return sum;
}

Eigen::MatrixXd ArchFeatures::encode(std::span<const space::Arch> archs) const {
  Eigen::MatrixXd features(static_cast<Eigen::Index>(archs.size()), num_columns());
  std::vector<double> row(static_cast<std::size_t>(num_encoded_));
  for (std::size_t i = 0; i < archs.size(); ++i) {
    if (archs[i].space_fingerprint() != space_.fingerprint()) {
      throw std::invalid_argument(
          fmt::format("arch {} is of another space than '{}'", i, space_.name()));
    }
    const auto r = static_cast<Eigen::Index>(i);
    space::encode(space_, archs[i], kEncoding, row);
    for (int j = 0; j < num_encoded_; ++j) features(r, j) = row[static_cast<std::size_t>(j)];
    for (std::size_t f = 0; f < figures_.size(); ++f) {
      const Figure& figure = figures_[f];
      features(r, num_encoded_ + static_cast<int>(f)) =
          (value(figure, archs[i]) - figure.low) * figure.factor;
    }
  }
  return features;
}

}  // namespace omnifit::predictors
