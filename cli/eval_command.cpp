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
  std::string checkpoint;
  bool of_checkpoint = false;  ///< else the subnets are of the supernet that the job trained
  std::string network;
  std::string split;  ///< empty: what is usual for the kind of network
};

ExitCode print_rows(const EvalArguments& arguments, const std::vector<pipeline::EvalRow>& rows) {
  std::fputs((arguments.job.json ? pipeline::eval_json(rows) : pipeline::eval_table(rows)).c_str(),
             stdout);
  return ExitCode::kDone;
}

ExitCode evaluate_checkpoint(const EvalArguments& arguments) {
  pipeline::CheckpointEvalRequest request;
  request.file = arguments.checkpoint;
  request.archs = arguments.archs.archs;
  if (!arguments.split.empty()) request.split = arguments.split;
  return print_rows(arguments, pipeline::evaluate_checkpoint(arguments.job.load(), request));
}

ExitCode evaluate_archs(const EvalArguments& arguments, const Invocation& invocation) {
  JobSession session(arguments.job, invocation, Access::kWrite);
  pipeline::EvalRequest request = arguments.archs;
  if (!arguments.split.empty()) request.split = arguments.split;
  return print_rows(arguments, pipeline::evaluate_archs(session.context(), request));
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
      "eval",
      "measure subnets of a job's or another supernet, or a network file, on a job's images");
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
  CLI::Option* checkpoint =
      command
          ->add_option(
              "--checkpoint", arguments->checkpoint,
              "the subnets are of this supernet instead of the one the job trained: a "
              "checkpoint or a PyTorch file of the reference, of the job's space; accuracy, "
              "costs; nothing is stored")
          ->type_name("FILE")
          ->excludes(network);
  command
      ->add_option("--split", arguments->split,
                   "images the accuracy is measured on (default: validation; with --network: test)")
      ->check(CLI::IsMember({"train", "validation", "test"}));
  command->add_flag("!--no-latency", arguments->archs.latency, "do not time the subnets")
      ->excludes(network)
      ->excludes(checkpoint);
  command->footer(
      "Examples:\n"
      "  omnifit eval configs/quickstart.yaml --arch largest --arch smallest\n"
      "  omnifit eval configs/quickstart.yaml --arch 'mbv3_32px/v1 r=24 d=1,1,1 k=3,3,3 e=3,3,3' "
      "--split test\n"
      "  omnifit eval job.yaml --checkpoint ofa_mbv3_d234_e346_k357_w1.0 --arch largest\n"
      "  omnifit eval configs/imagenette.yaml --set data.root=/data/imagenette224 --network "
      "net.safetensors");
  command->callback([arguments, checkpoint, &invocation] {
    arguments->of_checkpoint = checkpoint->count() > 0;
    invocation.action = [arguments, &invocation] {
      if (arguments->archs.archs.empty()) return evaluate_network(*arguments);
      return arguments->of_checkpoint ? evaluate_checkpoint(*arguments)
                                      : evaluate_archs(*arguments, invocation);
    };
  });
}

}  // namespace omnifit::cli
