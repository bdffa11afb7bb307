#include "cli/command.hpp"
#include "cli/job_session.hpp"
#include "pipeline/eval.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>

namespace omnifit::cli {
namespace {

struct EvalArguments {
  JobOptions job;
  pipeline::EvalRequest archs;
  std::string network;
  std::string split;  ///< empty: what is usual for the kind of network
};

ExitCode evaluate_archs(const EvalArguments& arguments, const Invocation& invocation) {
  JobSession session(arguments.job, invocation, Access::kWrite);
  pipeline::EvalRequest request = arguments.archs;
  if (!arguments.split.empty()) request.split = arguments.split;
  const std::vector<pipeline::EvalRow> rows = pipeline::evaluate_archs(session.context(), request);
  std::fputs((arguments.job.json ? pipeline::eval_json(rows) : pipeline::eval_table(rows)).c_str(),
             stdout);
  return ExitCode::kDone;
}

ExitCode evaluate_network(const EvalArguments& arguments) {
  pipeline::NetworkEvalRequest request;
  request.file = arguments.network;
  if (!arguments.split.empty()) request.split = arguments.split;
  const pipeline::NetworkEvalRow row =
      pipeline::evaluate_network_file(arguments.job.load(), request);
  std::fputs(
      (arguments.job.json ? pipeline::network_eval_json(row) : pipeline::network_eval_table(row))
          .c_str(),
      stdout);
  return ExitCode::kDone;
}

}  // namespace

void add_eval_command(CLI::App& app, Invocation& invocation) {
  auto arguments = std::make_shared<EvalArguments>();
  CLI::App* command = app.add_subcommand(
      "eval", "measure subnets of a job's supernet, or a network file on a job's images");
  arguments->job.add_to(*command);
  CLI::Option_group* what = command->add_option_group("What to measure", "one of");
  what->add_option("--arch", arguments->archs.archs,
                   "a subnet, one-line form, 'largest' or 'smallest'; may be repeated: accuracy, "
                   "latency, costs")
      ->type_name("TEXT")
      ->expected(1)
      ->take_all();
  CLI::Option* network =
      what->add_option(
              "--network", arguments->network,
              "a standalone network file, e.g. of 'omnifit import network': accuracy, costs")
          ->type_name("FILE");
  what->require_option(1);
  command
      ->add_option("--split", arguments->split,
                   "images the accuracy is measured on (default: validation; with --network: test)")
      ->check(CLI::IsMember({"train", "validation", "test"}));
  command->add_flag("!--no-latency", arguments->archs.latency, "do not time the subnets")
      ->excludes(network);
  command->footer(
      "Examples:\n"
      "  omnifit eval configs/quickstart.yaml --arch largest --arch smallest\n"
      "  omnifit eval configs/quickstart.yaml --arch 'mbv3_32px/v1 r=24 d=1,1,1 k=3,3,3 e=3,3,3' "
      "--split test\n"
      "  omnifit eval configs/imagenette.yaml --set data.root=/data/imagenette224 --network "
      "net.safetensors");
  command->callback([arguments, &invocation] {
    invocation.action = [arguments, &invocation] {
      return arguments->archs.archs.empty() ? evaluate_network(*arguments)
                                            : evaluate_archs(*arguments, invocation);
    };
  });
}

}  // namespace omnifit::cli
