#include "cli/command.hpp"
#include "cli/job_session.hpp"
#include "pipeline/eval.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>

namespace omnifit::cli {
namespace {

struct EvalArguments {
  JobOptions job;
  pipeline::EvalRequest request;
};

ExitCode evaluate(const EvalArguments& arguments, const Invocation& invocation) {
  JobSession session(arguments.job, invocation, Access::kWrite);
  const std::vector<pipeline::EvalRow> rows =
      pipeline::evaluate_archs(session.context(), arguments.request);
  std::fputs((arguments.job.json ? pipeline::eval_json(rows) : pipeline::eval_table(rows)).c_str(),
             stdout);
  return ExitCode::kDone;
}

}  // namespace

void add_eval_command(CLI::App& app, Invocation& invocation) {
  auto arguments = std::make_shared<EvalArguments>();
  CLI::App* command =
      app.add_subcommand("eval", "measure subnets of a job's supernet: accuracy, latency, costs");
  arguments->job.add_to(*command);
  command
      ->add_option("--arch", arguments->request.archs,
                   "a subnet, one-line form, 'largest' or 'smallest'; may be repeated")
      ->type_name("TEXT")
      ->expected(1)
      ->take_all()
      ->required();
  command->add_option("--split", arguments->request.split, "images the accuracy is measured on")
      ->check(CLI::IsMember({"train", "validation", "test"}))
      ->capture_default_str();
  command->add_flag("!--no-latency", arguments->request.latency, "do not time the network");
  command->footer(
      "Examples:\n"
      "  omnifit eval configs/quickstart.yaml --arch largest --arch smallest\n"
      "  omnifit eval configs/quickstart.yaml --arch 'mbv3_32px/v1 r=24 d=1,1,1 k=3,3,3 e=3,3,3' "
      "--split test");
  command->callback([arguments, &invocation] {
    invocation.action = [arguments, &invocation] { return evaluate(*arguments, invocation); };
  });
}

}  // namespace omnifit::cli
