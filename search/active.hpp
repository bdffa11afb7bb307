#pragma once

#include "core/fields.hpp"
#include "core/progress.hpp"
#include "search/evaluator.hpp"
#include "search/problem.hpp"
#include "search/surrogate.hpp"
#include "search/trace.hpp"
#include "space/search_space.hpp"

#include <cstdint>
#include <functional>
#include <span>

namespace omnifit::search {

/// A search for few, costly measurements; see run_active_search.
struct ActiveConfig {
  int initial_samples = 30;  ///< measured before the first model, spread over all sizes; ≥ 4
  int batch_size = 10;       ///< measured between two fits, ≥ 1
  /// How many of the model's deviations count as its uncertainty: 0 trusts the mean, 1 the model.
  double exploration = 1.0;
  int candidates = 2'000;              ///< archs that are predicted per batch, ≥ 100
  std::int64_t max_evaluations = 300;  ///< distinct archs measured, ≥ 1

  void fields(core::Fields& f);
};

/// What an active search works with. All must outlive the call.
struct ActiveSeams {
  Evaluator& measured;         ///< costly: asked for at most max_evaluations archs
  Evaluator* exact = nullptr;  ///< cheap and exact (a table, MACs): asked for every candidate
  SurrogateFactory surrogate;  ///< of a metric of `measured`
};

/// How an active search begins and what it tells on the way.
struct ActiveStart {
  std::span<const space::Arch> seeds;  ///< measured first
  /// Archive of an earlier run, in its order: nothing in it is measured again. If space, seams,
  /// configuration, problem, seed and seeds are those of that run, the result is the one it would
  /// have had.
  std::span<const Evaluated> archive;
  /// Called with what was measured beyond `archive`, batch by batch, before interruption is asked
  /// for: appended to `archive` it is what the next run needs.
  std::function<void(std::span<const Evaluated>)> on_batch;
};

/// Search with a model in the loop. Starts from the smallest and the largest subnet and archs
/// spread evenly over all sizes (by the first exact metric the problem names, else by the genes).
/// Then, as long as the budget lasts: fits one surrogate per measured metric that the problem
/// names, predicts candidates (the whole rest of a small space; else mutants and children of the
/// best archs and of the best candidates, and random archs), and measures the batch that promises
/// most: one after the other the candidate of the largest expected gain in hypervolume, given the
/// measured front and the predictions of those chosen before it, times the chance that it keeps the
/// bounds. One objective: the expected improvement. Two: exact for independent normal predictions
/// (Emmerich et al., 2011). More: the gain of the means.
///
/// The hypervolume's reference is the worst value of each objective among the evaluated archs, a
/// hundredth of their range further. The trace's metrics are those of `measured`, then those of
/// `exact`.
///
/// Deterministic in `seed`. Asks for interruption between batches. A NaN from `measured` costs an
/// evaluation and teaches the model nothing.
/// @throws ConfigError from Scorer, or if a metric is both measured and exact;
/// std::invalid_argument if a field is out of range or a seed or the archive is of another space;
/// Interrupted.
SearchTrace run_active_search(const ActiveConfig& config, const space::SearchSpace& space,
                              const ActiveSeams& seams, const Problem& problem, std::uint64_t seed,
                              core::ProgressSink& progress, const ActiveStart& start = {});

/// What a search found, seen with the eyes of another problem over the same metrics: scores, front
/// and best arch are those of `problem`, and each generation is the batch of archs evaluated in it.
/// So one search that measures serves several budgets. @throws ConfigError from Scorer.
SearchTrace rescored(const SearchTrace& trace, const Problem& problem);

}  // namespace omnifit::search
