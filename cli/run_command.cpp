#include "cli/command.hpp"
#include "cli/job_session.hpp"
#include "pipeline/result_summary.hpp"
#include "pipeline/runner.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>

namespace omnifit::cli {
namespace {

struct RunArguments {
  JobOptions job;
  std::vector<std::string> stages;
  std::vector<std::string> force;
  bool dry_run = false;
};

pipeline::RunOptions options_of(const RunArguments& arguments) {
  pipeline::RunOptions options;
  for (const std::string& name : arguments.stages)
    options.stages.push_back(pipeline::parse_stage(name));
  for (const std::string& name : arguments.force) options.force.insert(pipeline::parse_stage(name));
  options.dry_run = arguments.dry_run;
  return options;
}

void print_statuses(const std::vector<pipeline::StageStatus>& statuses, bool json) {
  std::fputs((json ? pipeline::status_json(statuses) : pipeline::status_table(statuses)).c_str(),
             stdout);
}

/// A dry run writes nothing, not even an empty project file.
ExitCode dry_run(const RunArguments& arguments, const Invocation& invocation,
                 const pipeline::RunOptions& options) {
  std::vector<pipeline::StageStatus> statuses;
  const pipeline::Job job = arguments.job.load();
  if (std::filesystem::exists(job.project_file)) {
    JobSession session(arguments.job, invocation, Access::kRead);
    statuses = pipeline::run_job(session.context(), options);
  } else {
    statuses = pipeline::never_run(job, options);
  }
  print_statuses(statuses, arguments.job.json);
  return ExitCode::kDone;
}

ExitCode run(const RunArguments& arguments, const Invocation& invocation) {
  const pipeline::RunOptions options = options_of(arguments);
  if (options.dry_run) return dry_run(arguments, invocation, options);
  JobSession session(arguments.job, invocation, Access::kWrite);
  const std::vector<pipeline::StageStatus> statuses = pipeline::run_job(session.context(), options);
  if (arguments.job.json) {
    std::fputs(pipeline::result_json(session.context(), statuses).c_str(), stdout);
    return ExitCode::kDone;
  }
  print_statuses(statuses, false);
  if (session.context().results.count(pipeline::Stage::kSearch) > 0) {
    std::fputs(("\n" + pipeline::result_table(session.context())).c_str(), stdout);
  }
  return ExitCode::kDone;
}

}  // namespace

void add_run_command(CLI::App& app, Invocation& invocation) {
  auto arguments = std::make_shared<RunArguments>();
  CLI::App* command =
      app.add_subcommand("run", "run every stage of a job; finished stages are not run again");
  arguments->job.add_to(*command);
  arguments->job.add_exhaustive_to(*command);
  command->add_option("--stage", arguments->stages, "run only this stage; may be repeated")
      ->type_name("NAME")
      ->expected(1)
      ->take_all();
  command
      ->add_option("--force", arguments->force,
                   "run this stage again even if it is finished; may be repeated")
      ->type_name("NAME")
      ->expected(1)
      ->take_all();
  command->add_flag("--dry-run", arguments->dry_run, "only say which stages would run, and why");
  command->footer(
      "Examples:\n"
      "  omnifit run configs/quickstart.yaml\n"
      "  omnifit run configs/fashion_mnist.yaml --set data.root=/data/fashion-mnist\n"
      "  omnifit run job.yaml --force profile --dry-run\n"
      "  omnifit run configs/nasbench201.yaml --set tables.root=/data --exhaustive\n"
      "\n"
      "Ctrl-C stops at the next safe point; the same command goes on from there.");
  command->callback([arguments, &invocation] {
    invocation.action = [arguments, &invocation] { return run(*arguments, invocation); };
  });
}

void add_stage_commands(CLI::App& app, Invocation& invocation) {
  for (const pipeline::Stage stage : pipeline::all_stages()) {
    auto arguments = std::make_shared<RunArguments>();
    auto forced = std::make_shared<bool>(false);
    const std::string& name = pipeline::stage_name(stage);
    CLI::App* command =
        app.add_subcommand(name, "one stage of a job: " + pipeline::stage_summary(stage));
    arguments->job.add_to(*command);
    if (stage == pipeline::Stage::kSearch) arguments->job.add_exhaustive_to(*command);
    arguments->stages = {name};
    command->add_flag("--force", *forced, "run it again even if it is finished");
    command->add_flag("--dry-run", arguments->dry_run, "only say whether it would run, and why");
    command->footer(fmt::format("Example:\n  omnifit {} configs/quickstart.yaml", name));
    command->callback([arguments, forced, name, &invocation] {
      if (*forced) arguments->force = {name};
      invocation.action = [arguments, &invocation] { return run(*arguments, invocation); };
    });
  }
}

}  // namespace omnifit::cli
