#pragma once

#include "search/front_history.hpp"
#include "search/problem.hpp"
#include "search/trace.hpp"
#include "space/arch.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace SQLite {
class Database;
}

namespace omnifit::search {

/// What a search was asked for, as the project file names it.
struct SearchRunRow {
  std::int64_t stage_run_id = 0;
  std::string budget;    ///< as the job says it, e.g. "latency <= 40%"
  std::string strategy;  ///< strategy_name()
  std::uint64_t seed = 0;
  /// Where its top-1 figures come from.
  enum class Top1Source { kPredicted, kMeasured, kTable };
  Top1Source top1_source = Top1Source::kPredicted;
};

/// "predicted", "measured" (on validation images), "table" (of a tabular space, as its latencies).
const std::string& top1_source_name(SearchRunRow::Top1Source source);

struct SearchStoreOptions {
  int max_results = 20;  ///< rows of search_result, ≥ 1; see results()
  /// Searches of the same problem that this one is compared with: the box that its hypervolumes are
  /// shares of covers what they found too.
  std::vector<const SearchTrace*> compared{};
  /// The box instead, of an earlier search of the same problem; see front_history_in().
  std::optional<std::vector<FrontHistory::Axis>> box{};
};

/// The bounds as JSON: a maximum under the metric's name, a minimum under "min_" and its name.
std::string bounds_json(const Problem& problem);

/// Writes search_run, search_generation and search_result; a run of the same stage run, budget and
/// strategy is replaced. Call inside Database::write. `arch_id` gives the row of an arch
/// (store::put_arch) and is called for results only. "top1" fills top1; the latency that the
/// problem bounds, or else "latency_ms", fills latency_ms.
/// @return id of the search_run. @throws std::invalid_argument if the evaluator had no metric
/// "top1".
std::int64_t put_search(SQLite::Database& sql, const SearchRunRow& row, const Problem& problem,
                        const SearchTrace& trace,
                        const std::function<std::int64_t(const space::Arch&)>& arch_id,
                        const SearchStoreOptions& options = {});

/// One row of search_result with its arch.
struct SearchResultRow {
  int rank = 0;
  std::int64_t arch_id = 0;
  std::string arch_text;
  double top1 = 0.0;
  std::optional<double> latency_ms;
};

/// A stored run without its generations.
struct StoredSearch {
  std::int64_t id = 0;
  std::string budget;
  std::string strategy;
  std::string top1_source;  ///< top1_source_name()
  std::string constraints_json;
  std::uint64_t seed = 0;
  std::int64_t num_evaluations = 0;
  std::optional<double> best_top1;
  std::string stop_reason;
  std::vector<SearchResultRow> results;  ///< by rank
};

/// All runs of a stage run in the order they were stored.
std::vector<StoredSearch> searches(SQLite::Database& sql, std::int64_t stage_run_id);

}  // namespace omnifit::search
