#include "search/active.hpp"

#include "core/error.hpp"
#include "core/interrupt.hpp"
#include "core/rng.hpp"
#include "search/detail/active_model.hpp"
#include "search/detail/archive.hpp"
#include "search/detail/config_check.hpp"
#include "search/detail/expected_gain.hpp"
#include "search/detail/joined_evaluator.hpp"
#include "search/detail/size_strata.hpp"
#include "search/pareto.hpp"
#include "space/sampling.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <queue>
#include <stdexcept>
#include <unordered_set>
#include <utility>
#include <vector>

namespace omnifit::search {
namespace {

constexpr core::IntRange kInitialRange{4, 1'000'000};
constexpr core::IntRange kCandidatesRange{100, 10'000'000};
constexpr core::RealRange kExplorationRange{.min = 0.0, .max = 100.0};

/// Rounds in which candidates are bred from the most promising ones; a space that is no larger
/// than the pool is listed instead.
constexpr int kPoolRounds = 4;
/// Most promising candidates that have children.
constexpr std::size_t kPoolParents = 50;

void check(const ActiveConfig& config, const space::SearchSpace& space, const ActiveStart& start) {
  detail::require_in("initial_samples", config.initial_samples, kInitialRange);
  detail::require_in("batch_size", config.batch_size, detail::kBatchRange);
  detail::require_in("exploration", config.exploration, kExplorationRange);
  detail::require_in("candidates", config.candidates, kCandidatesRange);
  detail::require_in("max_evaluations", config.max_evaluations, detail::kEvaluationsRange);
  const auto foreign = [&](const space::Arch& arch) {
    return arch.space_fingerprint() != space.fingerprint();
  };
  if (std::ranges::any_of(start.seeds, foreign) ||
      std::ranges::any_of(start.archive, foreign, &Evaluated::arch)) {
    throw std::invalid_argument(
        fmt::format("a seed or the archive is of another space than {}", space.name()));
  }
}

detail::ExpectedGain measured_front(const detail::Archive& archive) {
  std::vector<std::size_t> feasible;
  for (std::size_t i = 0; i < archive.size(); ++i) {
    if (archive[i].score.feasible) feasible.push_back(i);
  }
  MetricTable points(feasible.size(), archive.num_objectives());
  for (std::size_t i = 0; i < feasible.size(); ++i)
    std::ranges::copy(archive[feasible[i]].score.objectives, points.row(i).begin());
  return {points, detail::ActiveModel::reference(archive)};
}

/// Archs that may be measured next, with what is expected of them.
class CandidatePool {
 public:
  CandidatePool(const detail::Archive& archive, const detail::ActiveModel& model,
                const detail::ExpectedGain& front)
      : model_(model), front_(front) {
    for (std::size_t i = 0; i < archive.size(); ++i) seen_.insert(archive[i].arch);
  }

  /// Adds those that are new.
  void add(const std::vector<space::Arch>& archs) {
    std::vector<space::Arch> unseen;
    for (const space::Arch& arch : archs) {
      if (seen_.insert(arch).second) unseen.push_back(arch);
    }
    for (detail::Expected& expected : model_.expect(unseen)) {
      gains_.push_back(gain(expected, front_));
      expected_.push_back(std::move(expected));
    }
    archs_.insert(archs_.end(), unseen.begin(), unseen.end());
  }

  [[nodiscard]] std::size_t size() const { return archs_.size(); }

  /// The most promising ones, best first.
  [[nodiscard]] std::vector<space::Arch> best(std::size_t count) const {
    std::vector<std::size_t> order(size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
      return gains_[a] != gains_[b] ? gains_[a] > gains_[b] : a < b;
    });
    order.resize(std::min(count, order.size()));
    std::vector<space::Arch> archs;
    archs.reserve(order.size());
    for (const std::size_t i : order) archs.push_back(archs_[i]);
    return archs;
  }

  /// One after the other the candidate of the largest gain, given those before it.
  [[nodiscard]] std::vector<space::Arch> choose(std::size_t count) const {
    // A gain only shrinks as the front grows. So the largest of all, once it is computed anew and
    // still the largest, is the largest indeed.
    std::priority_queue<Entry> open;
    for (std::size_t i = 0; i < size(); ++i)
      open.push({.gain = gains_[i], .uncertainty = expected_[i].deviation.front(), .index = i});
    detail::ExpectedGain front = front_;
    std::vector<space::Arch> chosen;
    while (!open.empty() && chosen.size() < count) {
      Entry top = open.top();
      open.pop();
      if (top.num_chosen < chosen.size()) {
        top.gain = gain(expected_[top.index], front);
        top.num_chosen = chosen.size();
        open.push(top);
        continue;
      }
      chosen.push_back(archs_[top.index]);
      if (expected_[top.index].chance >= 0.5) front.add(expected_[top.index].mean);
    }
    return chosen;
  }

 private:
  struct Entry {
    double gain = 0.0;
    double uncertainty = 0.0;  ///< decides where nothing is to be gained
    std::size_t index = 0;
    std::size_t num_chosen = 0;  ///< that the gain knows of

    bool operator<(const Entry& other) const {
      if (gain != other.gain) return gain < other.gain;
      if (uncertainty != other.uncertainty) return uncertainty < other.uncertainty;
      return index > other.index;
    }
  };

  static double gain(const detail::Expected& expected, const detail::ExpectedGain& front) {
    return expected.chance > 0.0 ? expected.chance * front.gain(expected.mean, expected.deviation)
                                 : 0.0;
  }

  const detail::ActiveModel& model_;
  const detail::ExpectedGain& front_;
  std::unordered_set<space::Arch, space::ArchHash> seen_;  ///< measured or in the pool
  std::vector<space::Arch> archs_;
  std::vector<detail::Expected> expected_;
  std::vector<double> gains_;  ///< with respect to the measured front
};

class ActiveSearch {
 public:
  ActiveSearch(const ActiveConfig& config, const space::SearchSpace& space,
               const ActiveSeams& seams, const Problem& problem, std::uint64_t seed,
               core::ProgressSink& progress, const ActiveStart& start)
      : config_(config),
        space_(space),
        seams_(seams),
        problem_(problem),
        seed_(seed),
        start_(start),
        evaluator_(seams.measured, seams.exact, start.archive),
        archive_(space, evaluator_, problem, config.max_evaluations, progress),
        model_(seams, problem, config.exploration) {}

  SearchTrace run() {
    const auto initial =
        std::max(start_.seeds.size(), static_cast<std::size_t>(config_.initial_samples));
    measure(initial, [&](std::size_t count) { return initial_archs(count); });
    while (archive_.room() > 0) {
      core::check_interrupt();
      measure(static_cast<std::size_t>(config_.batch_size),
              [&](std::size_t count) { return next_archs(count); });
    }
    return archive_.finish();
  }

 private:
  /// Measures up to `size` archs: those an earlier run measured at this point, else what `propose`
  /// gives for the number there is room for.
  template <class Propose>
  void measure(std::size_t size, const Propose& propose) {
    const std::size_t count = std::min(size, static_cast<std::size_t>(archive_.room()));
    const std::size_t first = archive_.size();
    if (first + count <= start_.archive.size()) {
      for (const Evaluated& known : start_.archive.subspan(first, count))
        archive_.propose(known.arch);
    } else {
      for (const space::Arch& arch : propose(count)) {
        if (archive_.batch_size() < count) archive_.propose(arch);
      }
    }
    while (archive_.batch_size() < count && archive_.propose_neighbour()) {
    }
    const std::vector<std::size_t> members = archive_.evaluate();
    archive_.record(members);
    if (!start_.on_batch) return;
    std::vector<Evaluated> batch;
    for (const std::size_t member : members) {
      if (member >= start_.archive.size()) batch.push_back(archive_[member]);
    }
    if (batch.empty()) return;
    start_.on_batch(batch);
  }

  [[nodiscard]] core::Rng rng(std::uint64_t round) const {
    return core::Rng::stream(seed_, core::Purpose::kSearch, {archive_.size(), round, 0});
  }

  /// Seeds, the smallest and the largest subnet, archs of all sizes, and spare ones.
  [[nodiscard]] std::vector<space::Arch> initial_archs(std::size_t count) const {
    std::vector<space::Arch> archs(start_.seeds.begin(), start_.seeds.end());
    archs.push_back(space::smallest(space_));
    archs.push_back(space::largest(space_));
    const std::size_t left = count - std::min(count, archs.size());
    const auto spread = detail::size_strata(space_, seams_.exact, problem_, left, rng(0));
    archs.insert(archs.end(), spread.begin(), spread.end());
    // In place of what stood there twice.
    const std::vector<space::Arch> spare = random_archs(count, rng(1));
    archs.insert(archs.end(), spare.begin(), spare.end());
    return archs;
  }

  [[nodiscard]] std::vector<space::Arch> next_archs(std::size_t count) {
    if (!model_.fit(archive_)) return random_archs(count, rng(0));
    const detail::ExpectedGain front = measured_front(archive_);
    CandidatePool pool(archive_, model_, front);
    fill(pool);
    return pool.choose(count);
  }

  void fill(CandidatePool& pool) const {
    const auto wanted = static_cast<std::size_t>(config_.candidates);
    if (space::cardinality(space_) <= wanted) return pool.add(space::enumerate(space_));
    const std::size_t per_round = wanted / (kPoolRounds + 1);
    pool.add(random_archs(per_round, rng(1)));
    std::vector<space::Arch> parents = leaders();
    for (std::uint64_t round = 0; round < kPoolRounds; ++round) {
      pool.add(children(parents, per_round, rng(2 + round)));
      parents = pool.best(kPoolParents);
    }
  }

  /// The measured front, or the least infeasible archs where nothing is feasible.
  [[nodiscard]] std::vector<space::Arch> leaders() const {
    std::vector<std::size_t> members(archive_.size());
    for (std::size_t i = 0; i < members.size(); ++i) members[i] = i;
    MetricTable points(archive_.size(), archive_.num_objectives() + 1);
    for (const std::size_t i : members) {
      std::ranges::copy(archive_[i].score.objectives, points.row(i).begin());
      points.row(i).back() = archive_[i].score.violation;
    }
    std::vector<space::Arch> archs;
    for (const std::size_t i : non_dominated(points)) archs.push_back(archive_[i].arch);
    return archs.empty() ? std::vector{archive_[0].arch} : archs;
  }

  [[nodiscard]] std::vector<space::Arch> random_archs(std::size_t count, core::Rng rng) const {
    std::vector<space::Arch> archs;
    for (std::size_t i = 0; i < count; ++i)
      archs.push_back(i % 2 == 0 ? space::sample(space_, rng) : space::sample_spread(space_, rng));
    return archs;
  }

  /// One or two steps away from a parent, or from a mixture of two.
  [[nodiscard]] std::vector<space::Arch> children(const std::vector<space::Arch>& parents,
                                                  std::size_t count, core::Rng rng) const {
    std::vector<space::Arch> archs;
    for (std::size_t i = 0; i < count; ++i) {
      const space::Arch& a = parents[static_cast<std::size_t>(rng.below(parents.size()))];
      const space::Arch& b = parents[static_cast<std::size_t>(rng.below(parents.size()))];
      const space::Arch child = rng.bernoulli(0.5) ? space::crossover(space_, a, b, rng) : a;
      const double prob =
          1.0 / static_cast<double>(std::max<std::size_t>(1, space_.genes().size()));
      archs.push_back(space::mutate(space_, child, prob, rng).value_or(child));
    }
    return archs;
  }

  const ActiveConfig& config_;
  const space::SearchSpace& space_;
  const ActiveSeams& seams_;
  const Problem& problem_;
  std::uint64_t seed_;
  const ActiveStart& start_;
  detail::JoinedEvaluator evaluator_;
  detail::Archive archive_;
  detail::ActiveModel model_;
};

}  // namespace

void ActiveConfig::fields(core::Fields& f) {
  f.integer("initial_samples", initial_samples, kInitialRange,
            "subnets measured before the first model, of all sizes");
  f.integer("batch_size", batch_size, detail::kBatchRange, "subnets measured between two models");
  f.real("exploration", exploration, kExplorationRange,
         "deviations that count as the model's uncertainty; 0 trusts its mean");
  f.integer("candidates", candidates, kCandidatesRange, "subnets predicted per batch");
  f.integer("max_evaluations", max_evaluations, detail::kEvaluationsRange,
            "distinct subnets measured");
}

SearchTrace run_active_search(const ActiveConfig& config, const space::SearchSpace& space,
                              const ActiveSeams& seams, const Problem& problem, std::uint64_t seed,
                              core::ProgressSink& progress, const ActiveStart& start) {
  check(config, space, start);
  return ActiveSearch(config, space, seams, problem, seed, progress, start).run();
}

SearchTrace rescored(const SearchTrace& trace, const Problem& problem) {
  const Scorer scorer(problem, trace.metrics);
  const std::size_t objective = trace.column(problem.objectives.front().metric).value();
  SearchTrace seen = trace;
  for (Evaluated& member : seen.archive) member.score = scorer.score(member.values);
  std::optional<std::size_t> leader;
  std::size_t next = 0;
  for (GenerationRecord& record : seen.generations) {
    const std::size_t first = next;
    double sum = 0.0;
    int num_feasible = 0;
    for (; next < static_cast<std::size_t>(record.num_evaluations); ++next) {
      const Evaluated& member = seen.archive[next];
      if (!member.score.feasible) continue;
      if (!leader || better(member.score, seen.archive[*leader].score)) leader = next;
      sum += member.values[objective];
      ++num_feasible;
    }
    record.best.reset();
    record.mean.reset();
    if (leader) record.best = seen.archive[*leader].values[objective];
    if (num_feasible > 0) record.mean = sum / num_feasible;
    record.feasible_share = next > first ? num_feasible / static_cast<double>(next - first) : 0.0;
  }
  detail::find_front(seen, scorer);
  if (!seen.best) seen.stop_reason = StopReason::kNoFeasibleFound;
  return seen;
}

}  // namespace omnifit::search
