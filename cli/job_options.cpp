#include "cli/command.hpp"

#include <CLI/CLI.hpp>

namespace omnifit::cli {

void JobOptions::add_to(CLI::App& command) {
  command.add_option("JOB", file, "job file (YAML)")->required();
  command
      .add_option("--set", assignments,
                  "override one value: --set data.root=/data --set train.batch_size=64")
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all();
  command.add_option("--project", project, "project file instead of the job's")->type_name("FILE");
  command.add_option("--threads", threads, "cores to use instead of the job's; 0 = the job's")
      ->type_name("N")
      ->check(CLI::Range(0, 1024));
  command.add_option("--device", compute, "where training and evaluation run: auto, cpu or cuda")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}));
  command.add_flag("--json", json, "print results as JSON on stdout");
  command.add_flag("--quiet", quiet, "no progress");
}

void JobOptions::add_exhaustive_to(CLI::App& command) {
  command.add_flag("--exhaustive", exhaustive,
                   "look at every subnet of a small space beside the search, "
                   "and print what each budget's search left");
}

pipeline::Job JobOptions::load() const {
  pipeline::JobOverrides overrides;
  overrides.assignments = assignments;
  if (!project.empty()) overrides.project = project;
  if (threads > 0) overrides.threads = threads;
  if (!compute.empty()) overrides.compute = compute;
  overrides.exhaustive = exhaustive;
  return pipeline::load_job(file, overrides);
}

}  // namespace omnifit::cli
