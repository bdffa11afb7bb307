#include "search/exhaustive.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "search/detail/archive.hpp"
#include "search/detail/config_check.hpp"
#include "space/sampling.hpp"

#include <cstddef>
#include <vector>

namespace omnifit::search {

void ExhaustiveConfig::fields(core::Fields& f) {
  f.integer("max_archs", max_archs, detail::kEvaluationsRange, "a larger space is refused");
  f.integer("batch_size", batch_size, detail::kBatchRange, "subnets scored at once");
}

SearchTrace run_exhaustive(const ExhaustiveConfig& config, const space::SearchSpace& space,
                           Evaluator& evaluator, const Problem& problem,
                           core::ProgressSink& progress) {
  detail::require_in("max_archs", config.max_archs, detail::kEvaluationsRange);
  detail::require_in("batch_size", config.batch_size, detail::kBatchRange);
  const space::Count count = space::cardinality(space);
  if (count > static_cast<space::Count>(config.max_archs)) {
    throw ConfigError(fmt::format(
        "search: space {}/v{} has {} archs, more than the {} of 'max_archs'; an exhaustive search "
        "is for small spaces",
        space.name(), space.version(), space::to_string(count), config.max_archs));
  }
  detail::Archive archive(space, evaluator, problem, config.max_archs, progress);
  for (const space::Arch& arch :
       space::enumerate(space, static_cast<std::size_t>(config.max_archs))) {
    archive.propose(arch);
    if (archive.batch_size() < static_cast<std::size_t>(config.batch_size)) continue;
    core::check_interrupt();
    archive.record(archive.evaluate());
  }
  if (archive.batch_size() > 0) archive.record(archive.evaluate());
  return archive.finish();
}

}  // namespace omnifit::search
