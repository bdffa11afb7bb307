#include "search/detail/archive.hpp"

#include "core/error.hpp"
#include "search/pareto.hpp"

#include <algorithm>
#include <utility>

namespace omnifit::search::detail {
namespace {

/// Archive indices of the feasible trade-offs, see SearchTrace::front.
std::vector<std::size_t> front_of(const std::vector<Evaluated>& archive, const Scorer& scorer) {
  std::vector<std::size_t> feasible;
  for (std::size_t i = 0; i < archive.size(); ++i) {
    if (archive[i].score.feasible) feasible.push_back(i);
  }
  MetricTable points(feasible.size(), scorer.num_trade_off());
  for (std::size_t i = 0; i < feasible.size(); ++i) {
    std::ranges::copy(scorer.trade_off(archive[feasible[i]].values), points.row(i).begin());
  }
  std::vector<std::size_t> rows = non_dominated(points);
  // The rows ascend, so a stable sort keeps the earliest of equal trade-offs first.
  std::ranges::stable_sort(rows, [&](std::size_t a, std::size_t b) {
    return std::ranges::lexicographical_compare(points.row(a), points.row(b));
  });
  rows.erase(std::unique(rows.begin(), rows.end(),
                         [&](std::size_t a, std::size_t b) {
                           return std::ranges::equal(points.row(a), points.row(b));
                         }),
             rows.end());
  std::vector<std::size_t> front;
  front.reserve(rows.size());
  for (const std::size_t row : rows) front.push_back(feasible[row]);
  return front;
}

/// Archs that room is made for beforehand.
constexpr std::int64_t kMostReserved = 200'000;

/// The number of archs to be expected, for the progress bar.
std::int64_t expected_evaluations(std::int64_t max_evaluations, space::Count cardinality) {
  return cardinality < static_cast<space::Count>(max_evaluations)
             ? static_cast<std::int64_t>(cardinality)
             : max_evaluations;
}

}  // namespace

Archive::Archive(const space::SearchSpace& space, Evaluator& evaluator, const Problem& problem,
                 std::int64_t max_evaluations, core::ProgressSink& progress)
    : space_(space),
      evaluator_(evaluator),
      scorer_(problem, evaluator.metrics()),
      max_evaluations_(max_evaluations),
      progress_(progress),
      cardinality_(space::cardinality(space)) {
  trace_.metrics = evaluator.metrics();
  first_objective_column_ = trace_.column(problem.objectives.front().metric).value();
  trace_.archive.reserve(static_cast<std::size_t>(
      std::min(kMostReserved, expected_evaluations(max_evaluations_, cardinality_))));
  progress_.begin("search", expected_evaluations(max_evaluations_, cardinality_), "subnets", 0);
}

Archive::~Archive() { progress_.end(); }

bool Archive::propose(const space::Arch& arch) {
  Choices choices{};
  std::ranges::copy(arch.choices(), choices.begin());
  if (!proposed_.insert(choices).second) return false;
  batch_.push_back(arch);
  return true;
}

std::pair<std::size_t, bool> Archive::propose(const Choices& choices) {
  const auto [index, is_new] = proposed_.insert(choices);
  if (is_new) batch_.emplace_back(space_, std::span(choices).first(space_.genes().size()));
  return {index, is_new};
}

bool Archive::propose_neighbour() {
  for (; oldest_open_ < size(); ++oldest_open_) {
    for (const space::Arch& arch : space::neighbours(space_, trace_.archive[oldest_open_].arch)) {
      if (propose(arch)) return true;
    }
  }
  return false;
}

std::int64_t Archive::room() const {
  const auto taken = static_cast<std::int64_t>(proposed_.size());
  return expected_evaluations(max_evaluations_, cardinality_) - taken;
}

std::vector<std::size_t> Archive::evaluate() {
  const MetricTable table = evaluator_.evaluate(batch_);
  OMNIFIT_CHECK(table.rows() == batch_.size(), "the evaluator gave {} rows for {} archs",
                table.rows(), batch_.size());
  std::vector<std::size_t> added;
  for (std::size_t i = 0; i < batch_.size(); ++i) {
    const auto row = table.row(i);
    OMNIFIT_CHECK(row.size() == trace_.metrics.size(),
                  "the evaluator gave {} metrics, announced were {}", row.size(),
                  trace_.metrics.size());
    added.push_back(size());
    trace_.archive.push_back({.arch = batch_[i],
                              .values = std::vector<double>(row.begin(), row.end()),
                              .score = scorer_.score(row)});
    const Score& score = trace_.archive.back().score;
    if (score.feasible && (!leader_ || better(score, trace_.archive[*leader_].score)))
      leader_ = added.back();
  }
  const auto evaluated = static_cast<std::int64_t>(batch_.size());
  batch_.clear();
  progress_.advance(evaluated,
                    live_figures_.text(trace_, scorer_, leader_, first_objective_column_));
  return added;
}

void Archive::record(std::span<const std::size_t> members) {
  GenerationRecord record;
  record.generation = static_cast<int>(trace_.generations.size());
  record.num_evaluations = static_cast<std::int64_t>(size());
  double sum = 0.0;
  int num_feasible = 0;
  for (const std::size_t member : members) {
    if (!trace_.archive[member].score.feasible) continue;
    ++num_feasible;
    sum += trace_.archive[member].values[first_objective_column_];
  }
  if (leader_) record.best = trace_.archive[*leader_].values[first_objective_column_];
  if (num_feasible > 0) record.mean = sum / num_feasible;
  if (!members.empty()) record.feasible_share = num_feasible / static_cast<double>(members.size());
  trace_.generations.push_back(record);
}

void find_front(SearchTrace& trace, const Scorer& scorer) {
  trace.front = front_of(trace.archive, scorer);
  trace.best.reset();
  if (!trace.front.empty()) trace.best = trace.front.front();
}

SearchTrace Archive::finish() {
  find_front(trace_, scorer_);
  if (space_exhausted()) {
    trace_.stop_reason = StopReason::kSpaceExhausted;
  } else if (!trace_.best) {
    trace_.stop_reason = StopReason::kNoFeasibleFound;
  } else if (budget_used()) {
    trace_.stop_reason = StopReason::kEvaluationBudgetUsed;
  } else {
    trace_.stop_reason = StopReason::kGenerationsDone;
  }
  return std::move(trace_);
}

}  // namespace omnifit::search::detail
