#pragma once

#include "search/evaluator.hpp"
#include "search/problem.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace omnifit::search {

/// Why a search ended. All of them are expected outcomes; whether there is a result says
/// SearchTrace::best.
enum class StopReason {
  kGenerationsDone,
  kEvaluationBudgetUsed,
  kSpaceExhausted,   ///< every subnet of the space was evaluated
  kNoFeasibleFound,  ///< generations or budget ran out without a single feasible subnet
  kBoundsExhausted,  ///< no subnet within the bounds was left that is one gene away from a known
                     ///< one
};

/// "generations done", "evaluation budget used", "space exhausted", "no feasible subnet found",
/// "no further subnet within the bounds".
const std::string& stop_reason_text(StopReason reason);

/// One arch and its metrics, in the order of SearchTrace::metrics.
struct Evaluated {
  space::Arch arch;
  std::vector<double> values;
  Score score;
};

/// State after a generation (evolution) or a batch (random search); figures are of the problem's
/// first objective in the metric's own sign.
struct GenerationRecord {
  int generation = 0;
  std::int64_t num_evaluations = 0;  ///< so far
  std::optional<double> best;        ///< best feasible so far
  std::optional<double> mean;        ///< over the feasible members of the population (or batch)
  double feasible_share = 0.0;       ///< of the population (or batch)
};

/// Everything a search did.
struct SearchTrace {
  std::vector<Metric> metrics;  ///< of the evaluator
  std::vector<GenerationRecord> generations;
  std::vector<Evaluated> archive;  ///< every evaluated arch once, in order of evaluation
  std::optional<std::size_t>
      best;  ///< archive index of the best feasible arch by the first objective
  std::vector<std::size_t>
      front;  ///< archive indices of the feasible non-dominated archs, see Scorer::trade_off;
              ///< best first objective first, one arch per distinct trade-off
  StopReason stop_reason = StopReason::kGenerationsDone;

  [[nodiscard]] std::int64_t num_feasible() const;
  /// Column of a metric, or nullopt if the evaluator does not have it.
  [[nodiscard]] std::optional<std::size_t> column(const std::string& metric) const;
};

/// At most `max_results` archive indices to keep and to measure: the best first, then down the
/// front. A longer front is thinned, finely near the best and coarsely far from it; its last member
/// stays too where more than one is kept.
/// @throws std::invalid_argument if max_results < 1
std::vector<std::size_t> results(const SearchTrace& trace, int max_results);

/// One line for people when `trace.best` is empty: which bound nobody met and how near the search
/// came, or that the bounds were only met one at a time.
std::string explain_infeasible(const SearchTrace& trace, const Problem& problem);

}  // namespace omnifit::search
