#pragma once

#include "search/detail/annealer.hpp"
#include "search/detail/genetics.hpp"
#include "search/detail/ledger.hpp"
#include "search/detail/newcomers.hpp"
#include "search/detail/pair_model.hpp"
#include "search/detail/screen.hpp"
#include "space/arch.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace omnifit::search::detail {

/// The search's first evaluations, for one objective and additive bounds: a random sample, then
/// batches of what pair effects that were fitted to the best and to the newest archs promise most.
/// Each arch of a batch comes from a walk of its own (Annealer), from one of the best or from a
/// random arch: what the effects say wrongly is met, evaluated and learnt.
class GuidedStage {
 public:
  /// The references must outlive the stage.
  GuidedStage(const Genetics& genetics, const Screen& screen, Ledger& ledger, Newcomers& newcomers,
              PairModel& model, std::uint64_t seed)
      : ledger_(ledger),
        newcomers_(newcomers),
        model_(model),
        seed_(seed),
        annealer_(genetics, screen, ledger.archive(), model.effects()) {}

  /// Evaluates up to so many archs, the seeds among the first, and records a generation per batch.
  /// Ends early when the ledger closes, when no walk meets anything new, or when the sample has no
  /// two different values. The same for any number of threads. @throws Interrupted between batches
  void run(std::int64_t evaluations, std::span<const space::Arch> seeds);

  /// Rows of the best archs within all bounds, best first.
  [[nodiscard]] std::vector<std::size_t> best(std::size_t count) const;

 private:
  /// The random sample. @return whether its values tell anything
  bool sample(std::size_t size, std::span<const space::Arch> seeds);
  void rank(std::span<const std::size_t> rows);
  /// Fits the effects to rows of values within `spreads` of the best.
  void fit(std::span<const std::size_t> rows, double spreads, int passes);
  [[nodiscard]] std::vector<std::size_t> telling_rows() const;
  [[nodiscard]] std::vector<std::optional<Choices>> walk(std::uint64_t count) const;
  [[nodiscard]] std::optional<Choices> start(core::Rng& rng) const;

  Ledger& ledger_;
  Newcomers& newcomers_;
  PairModel& model_;
  std::uint64_t seed_;
  Annealer annealer_;
  std::vector<std::size_t> best_;  ///< rows within the bounds, best first
  std::uint64_t batch_ = 0;
};

}  // namespace omnifit::search::detail
