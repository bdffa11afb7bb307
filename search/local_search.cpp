#include "search/local_search.hpp"

#include "core/interrupt.hpp"
#include "core/rng.hpp"
#include "search/detail/archive.hpp"
#include "search/detail/climber.hpp"
#include "search/detail/config_check.hpp"
#include "search/detail/genetics.hpp"
#include "search/detail/ledger.hpp"
#include "search/detail/newcomers.hpp"
#include "search/detail/screen.hpp"

#include <cstddef>
#include <limits>
#include <vector>

namespace omnifit::search {
namespace {

/// Draws of a start before the next unknown neighbour is one.
constexpr int kMaxDraws = 20;

}  // namespace

void LocalSearchConfig::fields(core::Fields& f) {
  f.integer("max_evaluations", max_evaluations, detail::kEvaluationsRange,
            "distinct subnets scored");
}

SearchTrace run_local_search(const LocalSearchConfig& config, const space::SearchSpace& space,
                             Evaluator& evaluator, const Problem& problem, std::uint64_t seed,
                             core::ProgressSink& progress, std::span<const space::Arch> seeds) {
  detail::require_in("max_evaluations", config.max_evaluations, detail::kEvaluationsRange);
  detail::require_of_space(seeds, space);
  detail::Archive archive(space, evaluator, problem, config.max_evaluations, progress);
  const detail::Genetics genetics(space);
  const detail::Screen screen(space, problem, evaluator);
  detail::Ledger ledger(archive, genetics, std::numeric_limits<int>::max() - 1);
  detail::Newcomers newcomers(genetics, screen, ledger, seed);
  detail::Climber climber(genetics, screen, ledger);
  bool exhausted = false;
  for (std::uint64_t start = 0; ledger.open() && !exhausted; ++start) {
    core::check_interrupt();
    bool proposed = start < seeds.size() && ledger.propose(genetics.choices(seeds[start]));
    for (int draw = 0; draw < kMaxDraws && !proposed; ++draw) {
      core::Rng rng = core::Rng::stream(seed, core::Purpose::kSearch,
                                        {start, static_cast<std::uint64_t>(draw)});
      const auto choices = newcomers.random_arch(rng);
      proposed = choices && ledger.propose(*choices);
    }
    exhausted = !proposed && !newcomers.propose_neighbour();
    const std::vector<std::size_t> rows = ledger.evaluate();
    ledger.record(rows);
    if (!rows.empty()) climber.climb(std::span(rows).first(1), ledger.effects());
  }
  SearchTrace trace = archive.finish();
  if (exhausted && trace.stop_reason == StopReason::kGenerationsDone) {
    trace.stop_reason = StopReason::kBoundsExhausted;
  }
  return trace;
}

}  // namespace omnifit::search
