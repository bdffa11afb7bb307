#include "search/detail/ledger.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace omnifit::search::detail {
namespace {

/// Rows that the effects are fitted on: more would not make them better, only later.
constexpr std::size_t kFittedRows = 2000;

}  // namespace

bool Ledger::propose(const Choices& choices) {
  return archive_.room() > 0 && archive_.propose(choices).second;
}

std::vector<std::size_t> Ledger::evaluate() {
  if (archive_.batch_size() == 0) return {};
  return archive_.evaluate();
}

void Ledger::record(std::span<const std::size_t> members) {
  if (recorded_ == size()) return;
  recorded_ = size();
  ++generations_;
  archive_.record(members);
}

std::optional<std::size_t> Ledger::find(const Choices& choices) const {
  const auto row = archive_.find(choices);
  return row && *row < size() ? row : std::nullopt;
}

double Ledger::fitness(std::size_t row) const {
  return archive_[row].score.feasible ? value(row) : -std::numeric_limits<double>::infinity();
}

GeneEffects Ledger::effects() const {
  std::vector<ScoredChoices> scored;
  for (std::size_t row = size() - std::min(size(), kFittedRows); row < size(); ++row) {
    if (std::isfinite(value(row))) scored.push_back({choices(row), value(row)});
  }
  return fit_gene_effects(genetics_, scored);
}

}  // namespace omnifit::search::detail
