#include "search/random_search.hpp"

#include "core/interrupt.hpp"
#include "core/rng.hpp"
#include "search/detail/archive.hpp"
#include "search/detail/config_check.hpp"
#include "space/sampling.hpp"

#include <algorithm>

namespace omnifit::search {
namespace {

/// Draws that may meet known archs before the next unknown neighbour is taken instead. Reached only
/// where nearly all archs that sampling favours are known.
constexpr int kMaxDraws = 200;

void propose_random(const space::SearchSpace& space, detail::Archive& archive, core::Rng rng) {
  for (int draw = 0; draw < kMaxDraws; ++draw) {
    if (archive.propose(space::sample(space, rng))) return;
  }
  archive.propose_neighbour();
}

}  // namespace

void RandomConfig::fields(core::Fields& f) {
  f.integer("max_evaluations", max_evaluations, detail::kEvaluationsRange,
            "distinct subnets scored");
  f.integer("batch_size", batch_size, detail::kBatchRange, "subnets scored at once");
}

SearchTrace run_random_search(const RandomConfig& config, const space::SearchSpace& space,
                              Evaluator& evaluator, const Problem& problem, std::uint64_t seed,
                              core::ProgressSink& progress) {
  detail::require_in("max_evaluations", config.max_evaluations, detail::kEvaluationsRange);
  detail::require_in("batch_size", config.batch_size, detail::kBatchRange);
  detail::Archive archive(space, evaluator, problem, config.max_evaluations, progress);
  while (archive.room() > 0) {
    core::check_interrupt();
    const std::int64_t count = std::min<std::int64_t>(archive.room(), config.batch_size);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::uint64_t draw = archive.size() + static_cast<std::uint64_t>(i);
      propose_random(space, archive, core::Rng::stream(seed, core::Purpose::kRandomSearch, {draw}));
    }
    archive.record(archive.evaluate());
  }
  return archive.finish();
}

}  // namespace omnifit::search
