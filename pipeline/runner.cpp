#include "pipeline/runner.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/hash.hpp"
#include "core/table.hpp"
#include "core/units.hpp"
#include "pipeline/pipeline_store.hpp"
#include "pipeline/stages/stages.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <exception>

namespace omnifit::pipeline {
namespace {

/// Raised when a stage's code changes what it produces from equal inputs; part of its input hash.
/// Each stage has its own, so that nobody trains again because a search became better.
constexpr int algorithm_version(Stage stage) {
  switch (stage) {
    case Stage::kFit:
      return 3;
    case Stage::kProfile:
    case Stage::kSearch:
      return 4;
    default:
      return 2;
  }
}

/// Without a choice on the command line: the job's own stages.
bool asked_for(const RunOptions& options, const Job& job, Stage stage) {
  if (options.stages.empty()) return job.has(stage);
  return std::find(options.stages.begin(), options.stages.end(), stage) != options.stages.end();
}

/// @throws ConfigError naming a stage that was asked for and is not in the job
void check_stages(const RunOptions& options, const Job& job) {
  for (const Stage stage : options.stages) {
    if (job.has(stage)) continue;
    throw ConfigError(fmt::format("{} has no stage {}; its key 'stages' lists: {}",
                                  core::path_text(job.file), stage_name(stage),
                                  fmt::join(job.config.stages, ", ")));
  }
}

/// The first consumed stage without a result, if any.
std::optional<Stage> missing_input(const RunContext& context, Stage stage) {
  for (const Stage consumed : context.job().consumed(stage)) {
    if (context.results.find(consumed) == context.results.end()) return consumed;
  }
  return std::nullopt;
}

std::string input_hash(RunContext& context, Stage stage) {
  std::string text =
      fmt::format("omnifit pipeline {}\nstage {}\n", algorithm_version(stage), stage_name(stage));
  for (const Stage consumed : context.job().consumed(stage)) {
    text += fmt::format("{} {}\n", stage_name(consumed), context.results.at(consumed).result_hash);
  }
  return core::sha256_hex(text + stage_actions(stage).inputs(context));
}

std::optional<StageRunRow> find_run(RunContext& context, Stage stage, const std::string& hash) {
  std::optional<StageRunRow> row;
  context.db().read([&](SQLite::Database& sql) { row = find_stage_run(sql, stage, hash); });
  return row;
}

std::string why_to_run(RunContext& context, Stage stage, const std::string& hash,
                       const std::optional<StageRunRow>& row, bool forced) {
  if (forced) return "forced";
  if (row) {
    if (row->state == "done") return "its files are missing or changed";
    return row->state == "running" || row->state == "interrupted"
               ? "goes on where it stopped"
               : fmt::format("last time: {}", row->message);
  }
  bool other = false;
  context.db().read([&](SQLite::Database& sql) { other = has_other_stage_run(sql, stage, hash); });
  return other ? "its inputs changed" : "never run";
}

/// Runs one stage and records how it ended, also when it throws.
void execute(RunContext& context, Stage stage, const StageRun& run) {
  const auto start = std::chrono::steady_clock::now();
  const auto record = [&](const std::string& state, const std::string& result,
                          const std::string& message) {
    const double attempt_s =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    context.db().write([&](SQLite::Database& sql) {
      end_stage_run(sql, run.id, state, result, message, attempt_s);
    });
    return attempt_s;
  };
  try {
    const std::string result = stage_actions(stage).run(context, run);
    context.progress().end();
    const double attempt_s = record("done", result, "");
    context.progress().message(
        fmt::format("{}: done in {}", stage_name(stage), core::format_duration(attempt_s)));
    context.results[stage] = {run.id, result};
  } catch (const Interrupted& stop) {
    record("interrupted", "", stop.what());
    throw;
  } catch (const GoalError& missed) {
    record("goal_missed", "", missed.what());
    throw;
  } catch (const EnvironmentError&) {
    // The database itself may be what failed; the first error is the one to show.
    const std::exception_ptr first = std::current_exception();
    try {
      record("failed", "", "the environment failed");
    } catch (const Error&) {
      std::rethrow_exception(first);
    }
    throw;
  } catch (const std::exception& problem) {
    record("failed", "", problem.what());
    throw;
  }
}

void discard_run(RunContext& context, Stage stage, const StageRun& run) {
  stage_actions(stage).discard(context, run);
  context.db().write([&](SQLite::Database& sql) { delete_stage_run(sql, run.id); });
}

std::string missing_extra(RunContext& context, Stage stage, const StageRun& run) {
  const StageActions actions = stage_actions(stage);
  return actions.missing_extra == nullptr ? "" : actions.missing_extra(context, run);
}

void run_extra(RunContext& context, Stage stage, const StageRun& run, const std::string& what) {
  context.progress().message(fmt::format("{}: {}", stage_name(stage), what));
  stage_actions(stage).run_extra(context, run);
}

StageStatus run_stage(RunContext& context, Stage stage, const RunOptions& options) {
  StageStatus status{.stage = stage, .reason = ""};
  if (const std::optional<Stage> missing = missing_input(context, stage)) {
    if (options.dry_run) {
      status.state = StageStatus::State::kWouldRun;
      status.reason = fmt::format("waits for {}", stage_name(*missing));
      return status;
    }
    throw StateError(fmt::format(
        "{} needs the result of {}, which has not finished with these inputs; run: omnifit {} {}",
        stage_name(stage), stage_name(*missing), stage_name(*missing),
        core::path_text(context.job().file)));
  }
  const std::string hash = input_hash(context, stage);
  std::optional<StageRunRow> row = find_run(context, stage, hash);
  const bool forced = options.force.count(stage) > 0;
  if (row && row->state == "done" && !forced &&
      stage_actions(stage).outputs_present(context, {row->id, hash})) {
    context.results[stage] = {row->id, row->result_hash};
    status.duration_s = row->duration_s;
    const std::string extra = missing_extra(context, stage, {row->id, hash});
    status.state = StageStatus::State::kUpToDate;
    status.reason = "finished, inputs unchanged";
    if (extra.empty()) return status;
    status.reason = "finished; " + extra;
    status.state = options.dry_run ? StageStatus::State::kWouldRun : StageStatus::State::kRan;
    if (!options.dry_run) run_extra(context, stage, {row->id, hash}, extra);
    return status;
  }
  status.reason = why_to_run(context, stage, hash, row, forced);
  if (options.dry_run) {
    status.state = StageStatus::State::kWouldRun;
    return status;
  }
  if (forced && row) discard_run(context, stage, {row->id, hash});
  context.progress().message(
      fmt::format("{}: {} ({})", stage_name(stage), stage_summary(stage), status.reason));
  const std::int64_t job_id = context.job_id();
  std::int64_t run_id = 0;
  context.db().write(
      [&](SQLite::Database& sql) { run_id = begin_stage_run(sql, job_id, stage, hash); });
  execute(context, stage, {run_id, hash});
  const std::string extra = missing_extra(context, stage, {run_id, hash});
  if (!extra.empty()) run_extra(context, stage, {run_id, hash}, extra);
  row = find_run(context, stage, hash);
  status.state = StageStatus::State::kRan;
  status.duration_s = row->duration_s;
  return status;
}

/// A stage that was not asked for: its result is used if it is there.
void use_if_finished(RunContext& context, Stage stage) {
  if (missing_input(context, stage)) return;
  const std::string hash = input_hash(context, stage);
  const std::optional<StageRunRow> row = find_run(context, stage, hash);
  if (row && row->state == "done" &&
      stage_actions(stage).outputs_present(context, {row->id, hash})) {
    context.results[stage] = {row->id, row->result_hash};
  }
}

}  // namespace

std::vector<StageStatus> run_job(RunContext& context, const RunOptions& options) {
  check_stages(options, context.job());
  std::vector<StageStatus> statuses;
  for (const Stage stage : context.job().stages) {
    if (asked_for(options, context.job(), stage)) {
      statuses.push_back(run_stage(context, stage, options));
    } else {
      use_if_finished(context, stage);
    }
  }
  return statuses;
}

void use_finished_stages(RunContext& context) {
  for (const Stage stage : context.job().stages) use_if_finished(context, stage);
}

std::vector<StageStatus> never_run(const Job& job, const RunOptions& options) {
  check_stages(options, job);
  std::vector<StageStatus> statuses;
  for (const Stage stage : job.stages) {
    if (asked_for(options, job, stage)) {
      statuses.push_back(
          {.stage = stage, .state = StageStatus::State::kWouldRun, .reason = "never run"});
    }
  }
  return statuses;
}

const char* state_name(StageStatus::State state) {
  switch (state) {
    case StageStatus::State::kRan:
      return "ran";
    case StageStatus::State::kUpToDate:
      return "up to date";
    case StageStatus::State::kWouldRun:
      return "would run";
    case StageStatus::State::kUnknown:
      return "unknown";
  }
  OMNIFIT_CHECK(false, "unknown state {}", static_cast<int>(state));
}

std::string status_table(const std::vector<StageStatus>& statuses) {
  core::TextTable table({{"stage"}, {"state"}, {"why"}, {"time", core::Align::kRight}});
  for (const StageStatus& status : statuses) {
    table.add_row({stage_name(status.stage), state_name(status.state), status.reason,
                   status.duration_s > 0.0 ? core::format_duration(status.duration_s) : ""});
  }
  return table.str();
}

}  // namespace omnifit::pipeline
