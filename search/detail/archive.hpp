#pragma once

#include "core/progress.hpp"
#include "search/detail/arch_index.hpp"
#include "search/detail/live_figures.hpp"
#include "search/evaluator.hpp"
#include "search/problem.hpp"
#include "search/trace.hpp"
#include "space/sampling.hpp"
#include "space/search_space.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace omnifit::search::detail {

/// Sets the front and the best arch of a trace from its archive.
void find_front(SearchTrace& trace, const Scorer& scorer);

/// What every strategy needs around its own idea: each arch is evaluated once, the budget holds,
/// everything is kept.
///
/// A strategy proposes archs until a batch is full, evaluates the batch, records a generation, and
/// finishes.
class Archive {
 public:
  /// @throws ConfigError from Scorer. The references must outlive the archive.
  Archive(const space::SearchSpace& space, Evaluator& evaluator, const Problem& problem,
          std::int64_t max_evaluations, core::ProgressSink& progress);
  ~Archive();
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;

  /// Adds `arch` to the batch unless it was proposed before. @return whether it was new.
  bool propose(const space::Arch& arch);
  /// The same of canonical choices; the arch is made only if it is new. @return the arch's place,
  /// also before it is evaluated, and whether it was new.
  std::pair<std::size_t, bool> propose(const Choices& choices);
  /// The place of an arch that was proposed; it is evaluated if the place is below size().
  [[nodiscard]] std::optional<std::size_t> find(const Choices& choices) const {
    return proposed_.find(choices);
  }
  /// @pre `index` is the place of an arch that was proposed
  [[nodiscard]] const Choices& choices(std::size_t index) const { return proposed_[index]; }
  /// Adds some arch that was never proposed: one gene away from the oldest evaluated arch that has
  /// such a neighbour. For when drawing at random meets known archs only. @return false if there is
  /// none.
  bool propose_neighbour();
  /// Archs that still fit into the batch: limited by the budget and by the space.
  [[nodiscard]] std::int64_t room() const;
  [[nodiscard]] std::size_t batch_size() const { return batch_.size(); }

  /// Evaluates the batch and empties it. @return the new members' indices.
  std::vector<std::size_t> evaluate();
  /// Adds a record to the trace: the figures of `members` (population or batch).
  void record(std::span<const std::size_t> members);

  [[nodiscard]] const Evaluated& operator[](std::size_t index) const {
    return trace_.archive[index];
  }
  [[nodiscard]] std::size_t size() const { return trace_.archive.size(); }
  /// Threads for work beside the evaluator, which uses as many.
  [[nodiscard]] int threads() const { return evaluator_.threads(); }
  [[nodiscard]] std::size_t num_objectives() const { return scorer_.num_objectives(); }
  [[nodiscard]] bool space_exhausted() const {
    return static_cast<space::Count>(size()) == cardinality_;
  }
  [[nodiscard]] bool budget_used() const {
    return static_cast<std::int64_t>(size()) >= max_evaluations_;
  }

  /// The trace with its front, best arch and stop reason. The archive is empty afterwards.
  SearchTrace finish();

 private:
  const space::SearchSpace& space_;
  Evaluator& evaluator_;
  Scorer scorer_;
  std::int64_t max_evaluations_;
  core::ProgressSink& progress_;
  space::Count cardinality_;
  ArchIndex proposed_;  ///< numbered as the archive: everything proposed is evaluated in its turn
  std::vector<space::Arch> batch_;
  std::size_t oldest_open_ = 0;        ///< archs before it have no unknown neighbour
  std::optional<std::size_t> leader_;  ///< best feasible so far by the first objective
  std::size_t first_objective_column_ = 0;
  LiveFigures live_figures_;
  SearchTrace trace_;
};

}  // namespace omnifit::search::detail
