#include "search/evolution.hpp"

#include "core/interrupt.hpp"
#include "core/rng.hpp"
#include "core/threads.hpp"
#include "search/detail/archive.hpp"
#include "search/detail/climber.hpp"
#include "search/detail/config_check.hpp"
#include "search/detail/genetics.hpp"
#include "search/detail/guided_stage.hpp"
#include "search/detail/ledger.hpp"
#include "search/detail/newcomers.hpp"
#include "search/detail/pair_model.hpp"
#include "search/detail/screen.hpp"
#include "search/detail/survival.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace omnifit::search {
namespace {

/// Attempts to have a child that nobody has seen and that keeps the bounds, before the next unknown
/// neighbour is taken instead.
constexpr int kMaxAttempts = 32;
/// Attempts after which a child beyond a bound is repaired.
constexpr int kAttemptsBeforeRepair = 10;
/// Genes that change in a mutant, one of them drawn for each child: small steps refine, large ones
/// explore.
constexpr std::array<std::size_t, 6> kMutatedGenes = {1, 2, 3, 4, 6, 8};
/// Populations come in fours: a free one, two with a theme, and one of the elites of all.
constexpr int kPopulationsPerMerger = 4;
constexpr int kThemes = 2;
/// Populations before the first theme: what is best so far should mean something.
constexpr int kFreePopulations = 4;
/// How often the model learns, from what, and in how many passes.
constexpr std::uint64_t kGenerationsPerFit = 2;
constexpr std::size_t kRecentPopulations = 2;
constexpr int kPasses = 3;
/// Features that a child and its mother do not share, at most, for which sums over their pairs are
/// shorter than those over all pairs of the child.
constexpr std::size_t kMostExchanged = 24;
/// Members of a population that become elites, beside where the climbs ended.
constexpr std::size_t kElites = 30;
/// A guided stage takes at most half of all evaluations; from too few it learns nothing. Where
/// there is less than one for four, evaluations are not scarce, and populations come as far in less
/// time.
constexpr std::int64_t kLeastPerGuided = 2;
constexpr std::int64_t kMostPerGuided = 4;
constexpr std::int64_t kFewestGuided = 200;

using Population = std::vector<std::size_t>;  // archive indices, best first

void check(const EvolutionConfig& config, const space::SearchSpace& space,
           std::span<const space::Arch> seeds) {
  detail::require_in("population_size", config.population_size, detail::kPopulationRange);
  detail::require_in("generations", config.generations, detail::kGenerationsRange);
  detail::require_in("parent_ratio", config.parent_ratio, detail::kParentRatioRange);
  detail::require_in("mutation_share", config.mutation_share, detail::kShareRange);
  detail::require_in("mutation_prob", config.mutation_prob, detail::kShareRange);
  detail::require_in("candidates", config.candidates, detail::kCandidatesRange);
  detail::require_in("patience", config.patience, detail::kPatienceRange);
  detail::require_in("climbers", config.climbers, detail::kClimbersRange);
  detail::require_in("guided_evaluations", config.guided_evaluations, detail::kGuidedRange);
  detail::require_in("max_evaluations", config.max_evaluations, detail::kEvaluationsRange);
  detail::require_of_space(seeds, space);
}

/// Fronts first, and within a front the less crowded first (NSGA-II). @pre all members are feasible
void sort_by_rank_and_crowding(const detail::Archive& archive, std::span<std::size_t> members) {
  std::ranges::sort(members);  // equals by age
  detail::Candidates candidates{MetricTable(members.size(), archive.num_objectives()), {}};
  for (std::size_t i = 0; i < members.size(); ++i) {
    std::ranges::copy(archive[members[i]].score.objectives, candidates.points.row(i).begin());
  }
  Population sorted;
  for (const detail::Standing& standing : detail::survive_by_crowding(candidates, members.size())) {
    sorted.push_back(members[standing.member]);
  }
  std::ranges::copy(sorted, members.begin());
}

/// Best first; equals by age, so that the result never depends on how a sort treats them.
void sort_best_first(const detail::Archive& archive, Population& members) {
  std::ranges::sort(members, [&](std::size_t a, std::size_t b) {
    if (better(archive[a].score, archive[b].score)) return true;
    if (better(archive[b].score, archive[a].score)) return false;
    return a < b;
  });
  if (archive.num_objectives() == 1) return;
  const auto end = std::ranges::find_if(
      members, [&](std::size_t member) { return !archive[member].score.feasible; });
  sort_by_rank_and_crowding(archive, std::span(members.begin(), end));
}

class Evolution {
 public:
  Evolution(const EvolutionConfig& config, const space::SearchSpace& space, const Problem& problem,
            const Evaluator& evaluator, std::uint64_t seed, detail::Archive& archive)
      : config_(config),
        seed_(seed),
        archive_(archive),
        genetics_(space),
        screen_(space, problem, evaluator),
        ledger_(archive, genetics_, config.generations),
        newcomers_(genetics_, screen_, ledger_, seed),
        climber_(genetics_, screen_, ledger_),
        preselects_(config.candidates > 1 && archive.num_objectives() == 1 && screen_.complete()),
        model_(genetics_, ledger_, seed) {}

  /// @return whether it ended because nothing new is left within the bounds
  bool run(std::span<const space::Arch> seeds) {
    // What a guided stage found is merged as what populations found would be.
    const int first = guide(seeds) ? kPopulationsPerMerger - 1 : 0;
    for (int number = first; ledger_.open(); ++number) {
      const std::size_t before = ledger_.size();
      const bool merges = number % kPopulationsPerMerger == kPopulationsPerMerger - 1;
      theme_ = merges ? std::nullopt : theme_of(number);
      Population population =
          merges ? std::exchange(elites_, {})
                 : fresh(number, number == 0 ? seeds : std::span<const space::Arch>{});
      sort_best_first(archive_, population);
      ledger_.record(population);
      evolve(population);
      if (archive_.num_objectives() == 1) climb(population);
      if (ledger_.size() == before) return ledger_.open();
    }
    return false;
  }

 private:
  /// The guided stage, where there is one. @return whether there was
  bool guide(std::span<const space::Arch> seeds) {
    // Also of what the generations come to, where these are few.
    const std::int64_t bred =
        std::int64_t{config_.population_size} * (std::int64_t{config_.generations} + 1);
    const std::int64_t all = std::min(archive_.room(), bred);
    const std::int64_t evaluations = std::min(config_.guided_evaluations, all / kLeastPerGuided);
    const bool pays = evaluations >= kFewestGuided && evaluations >= all / kMostPerGuided;
    if (!preselects_ || !pays) return false;
    detail::GuidedStage stage(genetics_, screen_, ledger_, newcomers_, model_, seed_);
    stage.run(evaluations, seeds);
    elites_ = stage.best(static_cast<std::size_t>(config_.population_size));
    return !elites_.empty();
  }

  Population fresh(int number, std::span<const space::Arch> seeds) {
    return newcomers_.population(
        static_cast<std::size_t>(std::min<std::int64_t>(config_.population_size, archive_.room())),
        number, seeds, theme_);
  }

  /// The second best choice of the leading gene, then the best one, by the best arch each has.
  std::optional<detail::Theme> theme_of(int number) {
    const auto gene = screen_.leading_gene();
    const bool is_free = number < kFreePopulations || number % kPopulationsPerMerger == 0;
    if (!gene || archive_.num_objectives() > 1 || is_free) return {};
    constexpr double kNone = -std::numeric_limits<double>::infinity();
    best_by_choice_.resize(genetics_.num_choices(*gene), kNone);
    for (; num_compared_ < ledger_.size(); ++num_compared_) {
      double& best = best_by_choice_[ledger_.choices(num_compared_)[*gene]];
      best = std::max(best, ledger_.fitness(num_compared_));
    }
    std::vector<std::uint8_t> order;
    for (std::size_t c = 0; c < best_by_choice_.size(); ++c) {
      if (best_by_choice_[c] > kNone) order.push_back(static_cast<std::uint8_t>(c));
    }
    std::ranges::stable_sort(order, [&](std::uint8_t a, std::uint8_t b) {
      return best_by_choice_[a] > best_by_choice_[b];
    });
    const auto rank = static_cast<std::size_t>(number % kThemes);
    if (rank >= order.size()) return {};
    return detail::Theme{*gene, order[rank]};
  }

  /// Until nothing better came for a while; of several objectives until the end.
  void evolve(Population& population) {
    int idle = 0;
    while (ledger_.open() && idle < config_.patience) {
      core::check_interrupt();
      const bool is_first = population.empty();
      const std::size_t best = is_first ? 0 : population.front();
      const auto brood = static_cast<std::uint64_t>(
          std::min<std::int64_t>(archive_.room(), config_.population_size));
      breed(population, brood);
      ++generation_;
      const std::vector<std::size_t> born = ledger_.evaluate();
      if (born.empty()) return;
      population.insert(population.end(), born.begin(), born.end());
      sort_best_first(archive_, population);
      const auto size = static_cast<std::size_t>(config_.population_size);
      if (population.size() > size) population.resize(size);
      ledger_.record(population);
      const bool better_one =
          is_first || better(archive_[population.front()].score, archive_[best].score);
      idle = better_one || archive_.num_objectives() > 1 ? 0 : idle + 1;
    }
  }

  void climb(const Population& population) {
    if (!ledger_.open()) return;
    const auto best = [&](std::size_t count) {
      return std::span(population).first(std::min(count, population.size()));
    };
    std::ranges::copy(best(kElites), std::back_inserter(elites_));
    std::ranges::copy(
        climber_.climb(best(static_cast<std::size_t>(config_.climbers)), ledger_.effects()),
        std::back_inserter(elites_));
    std::ranges::sort(elites_);
    elites_.erase(std::unique(elites_.begin(), elites_.end()), elites_.end());
  }

  /// Every child has random numbers of its own and is drawn as if it had no siblings, on any number
  /// of threads; the few that turn out to be siblings' twins are drawn again in their turn.
  void breed(const Population& population, std::uint64_t brood) {
    if (population.empty() || genetics_.num_genes() == 0) return;
    const auto child = [&](std::uint64_t round, std::uint64_t i) {
      core::Rng rng = core::Rng::stream(seed_, core::Purpose::kSearch, {round, generation_, i});
      return drawn_child(rng);
    };
    const bool learns = preselects_ && generation_ % kGenerationsPerFit == 0;
    std::vector<std::size_t> lesson = learns ? lesson_of(population) : Population{};
    // Who knows nothing yet has to learn first; later that goes on beside the drawing of children.
    if (!lesson.empty() && !model_.has_learnt()) {
      model_.fit(std::exchange(lesson, {}), kPasses);
      model_.publish();
    }
    find_parents(population);
    std::vector<std::optional<detail::Choices>> children(brood);
    core::parallel_for(static_cast<std::int64_t>(brood) + 1, ledger_.threads(),
                       [&](std::int64_t task) {
                         if (task > 0) {
                           const auto i = static_cast<std::uint64_t>(task - 1);
                           children[i] = child(1, i);
                         } else if (!lesson.empty()) {
                           model_.fit(lesson, kPasses);
                         }
                       });
    for (std::uint64_t i = 0; i < brood; ++i) {
      if (children[i] && ledger_.propose(*children[i])) continue;
      const auto again = children[i] ? child(2, i) : std::nullopt;
      if (again ? !ledger_.propose(*again) : !newcomers_.propose_neighbour()) break;
    }
    if (!lesson.empty()) model_.publish();
  }

  /// The best of the population, and what changes of them promise.
  void find_parents(const Population& population) {
    const auto count = std::clamp<std::size_t>(
        static_cast<std::size_t>(std::llround(config_.parent_ratio * config_.population_size)), 1,
        population.size());
    parents_.assign(population.begin(), population.begin() + static_cast<std::ptrdiff_t>(count));
    if (!preselects_) return;
    fields_.resize(count, detail::PairField(model_.effects()));
    core::parallel_for(static_cast<std::int64_t>(count), ledger_.threads(),
                       [&](std::int64_t index) {
                         const auto i = static_cast<std::size_t>(index);
                         fields_[i].reset(model_.effects().features(ledger_.choices(parents_[i])));
                       });
  }

  /// The most promising of some new children within the additive bounds; nullopt where none was
  /// met.
  [[nodiscard]] std::optional<detail::Choices> drawn_child(core::Rng& rng) const {
    const bool by_mutation = rng.bernoulli(config_.mutation_share);
    std::optional<detail::Choices> best;
    float best_promise = 0.0F;
    int missing = preselects_ ? config_.candidates : 1;
    for (int attempt = 0; attempt < kMaxAttempts && missing > 0; ++attempt) {
      // Parents that have become alike have no new children by crossover.
      const bool mutates = by_mutation || attempt >= kMaxAttempts / 2;
      const std::size_t mother = rng.below(parents_.size());
      detail::Choices child =
          mutates ? mutated(ledger_.choices(parents_[mother]), rng) : crossed(mother, rng);
      if (theme_) genetics_.impose(theme_->gene, theme_->choice, child);
      if (!screen_.admits(child)) {
        if (best || attempt < kAttemptsBeforeRepair) continue;
        const auto repaired = newcomers_.repaired(child);
        if (!repaired) continue;
        child = *repaired;
      }
      const float promise = preselects_ ? promise_of(child, mother) : 0.0F;
      const bool promises_more = !best || promise > best_promise;
      if (promises_more && archive_.find(child)) continue;
      --missing;
      if (!promises_more) continue;
      best = child;
      best_promise = promise;
    }
    return best;
  }

  /// What the model says of a child. Of one that is much like its mother only the difference is
  /// looked at, which gives the same but for rounding.
  [[nodiscard]] float promise_of(const detail::Choices& child, std::size_t mother) const {
    const detail::Exchange exchange =
        model_.effects().exchange(ledger_.choices(parents_[mother]), child);
    const bool alike = exchange.lost.size() + exchange.won.size() <= kMostExchanged;
    return alike ? fields_[mother].height() + fields_[mother].gain(exchange.lost, exchange.won)
                 : model_(child);
  }

  /// From the population and from what was evaluated last; what is in both counts twice.
  /// @return nothing where there is nothing to learn
  [[nodiscard]] std::vector<std::size_t> lesson_of(const Population& population) {
    std::vector<std::size_t> rows = population;
    const auto recent = std::min(
        ledger_.size(), kRecentPopulations * static_cast<std::size_t>(config_.population_size));
    for (std::size_t row = ledger_.size() - recent; row < ledger_.size(); ++row)
      rows.push_back(row);
    return model_.measure(rows) ? rows : Population{};
  }

  detail::Choices mutated(const detail::Choices& parent, core::Rng& rng) const {
    if (config_.mutation_prob > 0.0) return genetics_.mutate(parent, config_.mutation_prob, rng);
    return genetics_.move(parent, kMutatedGenes[rng.below(kMutatedGenes.size())], rng);
  }

  detail::Choices crossed(std::size_t mother, core::Rng& rng) const {
    const std::size_t father = rng.below(parents_.size());
    const detail::Choices child =
        genetics_.cross(ledger_.choices(parents_[mother]), ledger_.choices(parents_[father]), rng);
    return rng.bernoulli(0.5) ? mutated(child, rng) : child;
  }

  const EvolutionConfig& config_;
  std::uint64_t seed_;
  detail::Archive& archive_;
  detail::Genetics genetics_;
  detail::Screen screen_;
  detail::Ledger ledger_;
  detail::Newcomers newcomers_;
  detail::Climber climber_;
  Population elites_;
  Population parents_;
  std::vector<detail::PairField> fields_;  ///< of the parents, where children are chosen
  std::uint64_t generation_ = 0;
  bool preselects_;
  detail::PairModel model_;
  std::optional<detail::Theme> theme_;
  std::vector<double> best_by_choice_;  ///< of the leading gene, among rows before num_compared_
  std::size_t num_compared_ = 0;
};

}  // namespace

void EvolutionConfig::fields(core::Fields& f) {
  f.integer("population_size", population_size, detail::kPopulationRange,
            "subnets kept, and new ones per generation");
  f.integer("generations", generations, detail::kGenerationsRange, "after the initial population");
  f.real("parent_ratio", parent_ratio, detail::kParentRatioRange,
         "best share of the population that has children");
  f.real("mutation_share", mutation_share, detail::kShareRange,
         "share of children by mutation, the rest by crossover");
  f.real("mutation_prob", mutation_prob, detail::kShareRange,
         "chance that a gene of a mutant changes; 0 = one to eight genes");
  f.integer("candidates", candidates, detail::kCandidatesRange,
            "children drawn for each one that is evaluated, by what their genes promise");
  f.integer("patience", patience, detail::kPatienceRange,
            "generations without a better subnet before a fresh start");
  f.integer("climbers", climbers, detail::kClimbersRange,
            "subnets that local search climbs from before a fresh start");
  f.integer("guided_evaluations", guided_evaluations, detail::kGuidedRange,
            "subnets at first that what pairs of choices are worth proposes: at most half of all, "
            "none if less than a quarter");
  f.integer("max_evaluations", max_evaluations, detail::kEvaluationsRange,
            "distinct subnets scored");
}

SearchTrace run_evolution(const EvolutionConfig& config, const space::SearchSpace& space,
                          Evaluator& evaluator, const Problem& problem, std::uint64_t seed,
                          core::ProgressSink& progress, std::span<const space::Arch> seeds) {
  check(config, space, seeds);
  detail::Archive archive(space, evaluator, problem, config.max_evaluations, progress);
  Evolution evolution(config, space, problem, evaluator, seed, archive);
  const bool exhausted = evolution.run(seeds);
  SearchTrace trace = archive.finish();
  if (exhausted && trace.stop_reason == StopReason::kGenerationsDone) {
    trace.stop_reason = StopReason::kBoundsExhausted;
  }
  return trace;
}

}  // namespace omnifit::search
