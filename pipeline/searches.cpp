#include "pipeline/searches.hpp"

#include "core/error.hpp"
#include "core/units.hpp"
#include "predictors/arch_surrogate.hpp"
#include "search/active.hpp"
#include "search/archive_store.hpp"
#include "search/search_store.hpp"
#include "search/strategy.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

namespace omnifit::pipeline {
namespace {

/// Of the archive of the one active search, which belongs to no single budget.
constexpr const char* kAllBudgets = "all budgets";

/// A strategy's run under some problem.
struct Contender {
  std::string strategy;
  search::SearchTrace trace;
};

/// "predicted top-1 92.31 %", or another first objective.
std::string best_text(const BudgetSearch& of, search::SearchRunRow::Top1Source source,
                      const search::SearchTrace& trace) {
  using enum search::SearchRunRow::Top1Source;
  if (!trace.best) return "nothing";
  const Quantity objective = parse_metric(of.problem.objectives.front().metric);
  const double value =
      trace.archive[*trace.best].values.at(trace.column(objective.metric()).value());
  std::string what = objective.is_top1() ? "top-1" : objective.key();
  if (source == kPredicted) what = (objective.is_top1() ? "predicted " : "estimated ") + what;
  if (source == kMeasured) what = (objective.is_top1() ? "validation " : "estimated ") + what;
  return fmt::format("{} {}", what, objective.format(value));
}

/// Runs what a job asks for, and stores it.
class Searches {
 public:
  Searches(RunContext& context, JobScoring& scoring, std::int64_t stage_run_id)
      : context_(context),
        config_(context.config().search),
        scoring_(scoring),
        stage_run_id_(stage_run_id) {}

  std::vector<BudgetSearch> run() {
    std::vector<BudgetSearch> found = of_budgets();
    if (config_.is_active()) {
      run_jointly(found);
    } else {
      run_one_by_one(found);
    }
    return found;
  }

  void look_at_all() {
    std::vector<BudgetSearch> found = of_budgets();
    const search::SearchTrace all =
        search::run_exhaustive(config_.exhaustive, context_.space(), scoring_.memory(),
                               found.front().problem, context_.progress());
    context_.progress().end();
    for (BudgetSearch& search : found) {
      search.trace = search::rescored(all, search.problem);
      std::vector<search::FrontHistory::Axis> box;
      context_.db().read([&](SQLite::Database& sql) {
        box =
            search::stored_box(sql, {stage_run_id_, search.budget.text(), config_.strategy_name()});
      });
      store(search::strategy_name(config_.exhaustive), search, search.trace, {.box = box});
      context_.progress().message(fmt::format(
          "search: {}: the best of all {} subnets: {}", search.budget.text(),
          num_evaluations(search.trace), best_text(search, scoring_.top1_source(), search.trace)));
    }
  }

 private:
  [[nodiscard]] std::vector<BudgetSearch> of_budgets() const {
    std::vector<BudgetSearch> found;
    for (const BudgetConfig& budget : config_.all_budgets()) {
      found.push_back({budget, scoring_.limits(budget), {}, {}});
      found.back().problem = scoring_.problem(found.back().limits);
    }
    return found;
  }

  void run_one_by_one(std::vector<BudgetSearch>& found) {
    const search::StrategyConfig strategy = config_.strategy_config();
    for (BudgetSearch& search : found) {
      search.trace = run_strategy(strategy, search.problem, scoring_.seeds(search.limits));
    }
    // The searches profit from one another, but not from what they are compared with.
    for (BudgetSearch& search : found) {
      search::adopt(search.trace, search.problem, scoring_.memory());
    }
    for (const BudgetSearch& search : found) {
      require_found(search);
      std::vector<Contender> baselines;
      for (const search::StrategyConfig& baseline :
           config_.baseline_configs(num_evaluations(search.trace))) {
        baselines.push_back(
            {search::strategy_name(baseline),
             run_strategy(baseline, search.problem, scoring_.seeds(search.limits))});
      }
      finish(search, baselines);
    }
  }

  /// One search, and one of each baseline, seen with the eyes of every budget.
  void run_jointly(std::vector<BudgetSearch>& found) {
    std::vector<std::vector<Limit>> limits;
    std::vector<space::Arch> seeds;
    for (const BudgetSearch& search : found) {
      limits.push_back(search.limits);
      for (const space::Arch& seed : scoring_.seeds(search.limits)) seeds.push_back(seed);
    }
    const search::Problem joint = scoring_.joint_problem(limits);
    const search::SearchTrace trace = run_active(joint, seeds);
    std::vector<Contender> baselines;
    for (const search::StrategyConfig& baseline :
         config_.baseline_configs(num_evaluations(trace))) {
      baselines.push_back({search::strategy_name(baseline), run_strategy(baseline, joint, seeds)});
    }
    for (BudgetSearch& search : found) {
      search.trace = search::rescored(trace, search.problem);
      require_found(search);
      std::vector<Contender> seen;
      for (const Contender& baseline : baselines) {
        seen.push_back({baseline.strategy, search::rescored(baseline.trace, search.problem)});
      }
      finish(search, seen);
    }
  }

  search::SearchTrace run_strategy(const search::StrategyConfig& strategy,
                                   const search::Problem& problem,
                                   std::span<const space::Arch> seeds) {
    return search::run_search(strategy, context_.space(), scoring_.memory(), problem,
                              context_.seed(), context_.progress(), seeds);
  }

  search::SearchTrace run_active(const search::Problem& problem,
                                 std::span<const space::Arch> seeds) {
    const space::SearchSpace& space = context_.space();
    const search::ActiveSeams seams{
        .measured = scoring_.measured(),
        .exact = scoring_.exact(),
        .surrogate = [&space, io = context_.io()](const search::Metric&) {
          return std::make_unique<predictors::ArchSurrogate>(space, io);
        }};
    const search::ArchiveKey key{stage_run_id_, kAllBudgets, config_.strategy_name()};
    const std::vector<search::Metric>& metrics = scoring_.memory().metrics();
    std::vector<search::Evaluated> known;
    context_.db().read([&](SQLite::Database& sql) {
      known = search::stored_archive(sql, key, space, metrics, problem);
    });
    if (!known.empty()) {
      context_.progress().message(
          fmt::format("search: {} subnets were measured before", known.size()));
    }
    const search::ActiveStart start{.seeds = seeds,
                                    .archive = known,
                                    .on_batch = [&](std::span<const search::Evaluated> batch) {
                                      context_.db().write([&](SQLite::Database& sql) {
                                        search::append_archive(sql, key, space, metrics, batch);
                                      });
                                    }};
    return search::run_active_search(config_.active, space, seams, problem, context_.seed(),
                                     context_.progress(), start);
  }

  static std::int64_t num_evaluations(const search::SearchTrace& trace) {
    return trace.generations.back().num_evaluations;
  }

  /// @throws GoalError, with the search stored, if it found nothing
  void require_found(const BudgetSearch& search) {
    if (search.trace.best) return;
    store(config_.strategy_name(), search, search.trace);
    throw GoalError(fmt::format("budget '{}' ({}): {}", search.budget.text(),
                                JobScoring::limits_text(search.limits),
                                search::explain_infeasible(search.trace, search.problem)));
  }

  /// Stores a search and what it is compared with, and tells.
  void finish(const BudgetSearch& search, const std::vector<Contender>& baselines) {
    std::vector<const search::SearchTrace*> compared{&search.trace};
    for (const Contender& baseline : baselines) compared.push_back(&baseline.trace);
    store(config_.strategy_name(), search, search.trace, {.compared = compared});
    std::string against;
    for (const Contender& baseline : baselines) {
      store(baseline.strategy, search, baseline.trace, {.compared = compared});
      against += fmt::format("; {}: {}", baseline.strategy,
                             best_text(search, scoring_.top1_source(), baseline.trace));
    }
    context_.progress().message(fmt::format("search: {} ({}): {} after {} subnets{}",
                                            search.budget.text(),
                                            JobScoring::limits_text(search.limits),
                                            best_text(search, scoring_.top1_source(), search.trace),
                                            num_evaluations(search.trace), against));
  }

  void store(const std::string& strategy, const BudgetSearch& of, const search::SearchTrace& trace,
             search::SearchStoreOptions options = {}) {
    options.max_results = config_.candidates;
    const RunContext::ArchWriter arch_id = context_.arch_writer();
    context_.db().write([&](SQLite::Database& sql) {
      search::put_search(
          sql,
          {.stage_run_id = stage_run_id_,
           .budget = of.budget.text(),
           .strategy = strategy,
           .seed = context_.seed(),
           .top1_source = scoring_.top1_source()},
          of.problem, trace, [&](const space::Arch& arch) { return arch_id(sql, arch); }, options);
    });
  }

  RunContext& context_;
  const SearchConfig& config_;
  JobScoring& scoring_;
  std::int64_t stage_run_id_;
};

}  // namespace

std::vector<BudgetSearch> run_searches(RunContext& context, JobScoring& scoring,
                                       std::int64_t stage_run_id) {
  return Searches(context, scoring, stage_run_id).run();
}

void look_at_all(RunContext& context, JobScoring& scoring, std::int64_t stage_run_id) {
  Searches(context, scoring, stage_run_id).look_at_all();
}

bool has_truth(RunContext& context, std::int64_t stage_run_id) {
  std::vector<search::StoredSearch> stored;
  context.db().read([&](SQLite::Database& sql) { stored = search::searches(sql, stage_run_id); });
  const std::string& strategy = core::enum_name(strategies(), Strategy::kExhaustive);
  return std::ranges::all_of(
      context.config().search.all_budgets(), [&](const BudgetConfig& budget) {
        return std::ranges::any_of(stored, [&](const search::StoredSearch& one) {
          return one.strategy == strategy && one.budget == budget.text();
        });
      });
}

}  // namespace omnifit::pipeline
