#include "core/hash.hpp"
#include "core/interrupt.hpp"
#include "core/units.hpp"
#include "pipeline/collection.hpp"
#include "pipeline/latency_source.hpp"
#include "pipeline/refinement.hpp"
#include "pipeline/scoring.hpp"
#include "pipeline/stages/stages.hpp"
#include "search/search_store.hpp"

#include <algorithm>
#include <array>
#include <functional>

namespace omnifit::pipeline {
namespace {

std::string inputs(RunContext& context) {
  return fmt::format("data {}\ncalibration_images {}\nvalidation_images {}\n{}",
                     context.dataset().fingerprint, context.config().train.calibration_images,
                     context.config().collect.max_images,
                     core::write_config(context.config().verify));
}

/// A subnet of a search's result list, with its latency once it is measured.
struct Candidate {
  space::Arch arch;
  std::optional<double> predicted_top1;  ///< where the search asked a predictor
  double estimated_ms = 0.0;
  double validation_top1 = 0.0;  ///< measured
};

double test_top1(RunContext& context, const space::Arch& arch) {
  return measure_accuracies(context, std::array{arch}, supernet::Split::kTest,
                            context.config().verify.max_images, "verify: test accuracy")
      .front()
      .top1;
}

/// Walks down the candidates until one keeps the budget by its measured latency on the job's device
/// and its validation accuracy; other devices have estimates only. How much slower
/// than estimated the last one was tells which candidates are worth a measurement.
class Walk {
 public:
  Walk(RunContext& context, std::int64_t stage_run_id, const BudgetConfig& budget,
       const std::vector<Limit>& limits)
      : context_(context), stage_run_id_(stage_run_id), budget_(budget), limits_(limits) {
    const std::string& device = context.config().device.name;
    for (const Limit& limit : limits) {
      const Quantity& of = limit.quantity;
      if (of.is_top1()) accuracy_.push_back(limit);
      if (of.cost != Cost::kLatency || limit.at_least) continue;
      if (of.device.empty() || of.device == device) {
        max_ms_ = std::min(max_ms_.value_or(limit.value), limit.value);
      }
    }
  }

  /// @return the winner. @throws GoalError if no candidate keeps the budget
  space::Arch run(const std::vector<Candidate>& candidates) {
    const int limit = context_.config().verify.max_candidates;
    double fastest_ms = 0.0;
    double best_top1 = 0.0;
    int step = 0;
    for (std::size_t next = 0; next < candidates.size() && step < limit; ++step) {
      core::check_interrupt();
      const Candidate& candidate = candidates[next];
      const double measured_ms =
          measure_network(context_, candidate.arch, latency::NetworkPurpose::kWinner).median_ms;
      const bool fast_enough = !max_ms_ || measured_ms <= *max_ms_;
      const bool keeps = fast_enough && std::ranges::all_of(accuracy_, [&](const Limit& bound) {
                           return bound.kept_by(candidate.validation_top1);
                         });
      store(step, candidate, measured_ms, keeps);
      if (keeps) return candidate.arch;
      fastest_ms = step == 0 ? measured_ms : std::min(fastest_ms, measured_ms);
      best_top1 = std::max(best_top1, candidate.validation_top1);
      context_.progress().message(fmt::format(
          "verify: {}: candidate {} takes {} (estimated {}) and has {} on the validation images; "
          "going on to the next",
          budget_.text(), step + 1, core::format_ms(measured_ms),
          core::format_ms(candidate.estimated_ms),
          core::format_percent(candidate.validation_top1)));
      next = fast_enough ? next + 1
                         : following(candidates, next, measured_ms / candidate.estimated_ms);
    }
    throw GoalError(
        fmt::format("budget '{}' ({}): none of {} measured networks keeps it; the fastest of them "
                    "takes {}, the most accurate has {}. Raise the budget, or search.candidates "
                    "and verify.max_candidates",
                    budget_.text(), JobScoring::limits_text(limits_), step,
                    core::format_ms(fastest_ms), core::format_percent(best_top1)));
  }

 private:
  /// The next candidate whose estimate, off by the same ratio, would keep the budget; else simply
  /// the next one.
  [[nodiscard]] std::size_t following(const std::vector<Candidate>& candidates, std::size_t current,
                                      double ratio) const {
    for (std::size_t i = current + 1; i < candidates.size(); ++i) {
      if (candidates[i].estimated_ms * ratio <= *max_ms_) return i;
    }
    return current + 1;
  }

  void store(int step, const Candidate& candidate, double measured_ms, bool keeps) {
    VerificationRow row{.budget = budget_.text(),
                        .step = step,
                        .arch_id = context_.arch_id(candidate.arch),
                        .role = keeps ? "winner" : "over_budget",
                        .predicted_top1 = candidate.predicted_top1,
                        .estimated_latency_ms = candidate.estimated_ms,
                        .measured_top1 = std::nullopt,
                        .measured_latency_ms = measured_ms,
                        .bound = JobScoring::limits_text(limits_)};
    if (keeps) row.measured_top1 = test_top1(context_, candidate.arch);
    context_.db().write([&](SQLite::Database& sql) { put_verification(sql, stage_run_id_, row); });
  }

  RunContext& context_;
  std::int64_t stage_run_id_;
  const BudgetConfig& budget_;
  const std::vector<Limit>& limits_;
  std::optional<double> max_ms_;  ///< on the job's device, the only one that is measured here
  std::vector<Limit> accuracy_;
};

std::vector<Candidate> candidates_of(const RunContext& context,
                                     const search::StoredSearch& search) {
  std::vector<Candidate> candidates;
  for (const search::SearchResultRow& row : search.results) {
    const bool predicted = search.top1_source ==
                           search::top1_source_name(search::SearchRunRow::Top1Source::kPredicted);
    candidates.push_back({.arch = space::parse_arch(context.space(), row.arch_text),
                          .predicted_top1 = predicted ? std::optional(row.top1) : std::nullopt,
                          .estimated_ms = row.latency_ms.value_or(0.0)});
  }
  return candidates;
}

/// The candidates with their validation accuracy. Where that is what the job looks for, best first:
/// a predictor's favourite is often the one it is most wrong about. The test images stay unseen
/// until a winner is chosen.
std::vector<Candidate> by_objective(RunContext& context, std::vector<Candidate> candidates) {
  std::vector<space::Arch> archs;
  for (const Candidate& candidate : candidates) archs.push_back(candidate.arch);
  const auto accuracies = measure_accuracies(context, archs, supernet::Split::kValidation,
                                             context.config().collect.max_images,
                                             "verify: validation accuracy of the candidates");
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    candidates[i].validation_top1 = accuracies[i].top1;
  }
  if (parse_metric(context.config().search.objectives.front()).is_top1()) {
    std::ranges::stable_sort(candidates, std::greater<>(), &Candidate::validation_top1);
  }
  return candidates;
}

/// The ends of the space, for comparison: the budgets "largest" and "smallest".
void verify_extreme(RunContext& context, std::int64_t stage_run_id, const JobScoring& scoring,
                    const std::string& role, const space::Arch& arch) {
  const VerificationRow row{
      .budget = role,
      .step = 0,
      .arch_id = context.arch_id(arch),
      .role = role,
      .predicted_top1 = scoring.predicted_top1(arch),
      .estimated_latency_ms = scoring.latency_ms(arch),
      .measured_top1 = test_top1(context, arch),
      .measured_latency_ms =
          measure_network(context, arch, latency::NetworkPurpose::kWinner).median_ms,
      .bound = ""};
  context.db().write([&](SQLite::Database& sql) { put_verification(sql, stage_run_id, row); });
}

std::string run(RunContext& context, const StageRun& run) {
  JobScoring scoring(context, best_predictor(context));
  std::vector<search::StoredSearch> searches;
  context.db().read([&](SQLite::Database& sql) {
    searches = search::searches(sql, context.results.at(Stage::kSearch).run_id);
  });
  verify_extreme(context, run.id, scoring, "largest", space::largest(context.space()));
  verify_extreme(context, run.id, scoring, "smallest", space::smallest(context.space()));
  const std::string& strategy = context.config().search.strategy_name();
  for (const BudgetConfig& budget : context.config().search.all_budgets()) {
    const std::vector<Limit> limits = scoring.limits(budget);
    const auto search =
        std::find_if(searches.begin(), searches.end(), [&](const search::StoredSearch& candidate) {
          return candidate.budget == budget.text() && candidate.strategy == strategy;
        });
    OMNIFIT_CHECK(search != searches.end(), "search stored no run for budget '{}'", budget.text());
    Walk(context, run.id, budget, limits)
        .run(by_objective(context, candidates_of(context, *search)));
  }
  std::string digest;
  context.db().read([&](SQLite::Database& sql) {
    for (const VerificationRow& row : verifications(sql, run.id)) {
      digest +=
          fmt::format("{} {} {} {} {:a} {:a}\n", row.budget, row.step, row.role,
                      space::to_text(context.space(), get_arch(sql, context.space(), row.arch_id)),
                      row.measured_top1.value_or(-1.0), row.measured_latency_ms.value_or(-1.0));
    }
  });
  return core::sha256_hex(digest);
}

/// Everything is in the project file.
bool outputs_present(RunContext&, const StageRun&) { return true; }

/// Its rows hang on the stage run; force measures latencies anew. Accuracies are facts about a
/// checkpoint and are kept.
void discard(RunContext& context, const StageRun&) {
  const std::int64_t device = device_id(context, context.config().device);
  const std::string hash = latency::protocol_hash(context.config().profile.protocol);
  context.db().write([&](SQLite::Database& sql) {
    latency::delete_network_latencies(sql, device, hash, latency::NetworkPurpose::kWinner);
  });
}

}  // namespace

StageActions verify_actions() { return {inputs, run, outputs_present, discard}; }

}  // namespace omnifit::pipeline
