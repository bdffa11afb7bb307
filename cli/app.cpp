#include "cli/app.hpp"

#include "cli/command.hpp"
#include "core/interrupt.hpp"
#include "core/version.hpp"
#include "supernet/memory_error.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <sstream>

namespace omnifit::cli {
namespace {

constexpr const char* kFooter =
    "Examples:\n"
    "  omnifit init my_job.yaml                 write a commented job file to start from\n"
    "  omnifit run my_job.yaml                  train, profile, search, verify, export, report\n"
    "  omnifit run my_job.yaml --dry-run        show which stages would run, and why\n"
    "  omnifit space mbv3_32px --count          how many subnets a space has\n"
    "  omnifit doctor                           what this machine offers\n"
    "\n"
    "Every subcommand has --help with examples. Exit codes: 0 done, 2 wrong input, 3 goal not "
    "reached,\n"
    "4 the environment failed, 130 interrupted, 1 a bug.";

int code(ExitCode exit_code) { return static_cast<int>(exit_code); }

std::string joined_arguments(int argc, char** argv) {
  std::string text;
  for (int i = 0; i < argc; ++i) text += (i == 0 ? "" : " ") + std::string(argv[i]);
  return text;
}

int report(const char* kind, const char* text, ExitCode exit_code) {
  std::fflush(stdout);
  std::fprintf(stderr, "omnifit: %s%s\n", kind, text);
  return code(exit_code);
}

/// CLI11 prints help and version itself; its own exit codes are mapped to ours.
int parse_outcome(const CLI::App& app, const CLI::ParseError& outcome) {
  if (outcome.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success))
    return app.exit(outcome);
  return report("", (std::string(outcome.what()) + " (see --help)").c_str(), ExitCode::kUserInput);
}

}  // namespace

int run(int argc, char** argv, const pipeline::Services& services) {
  core::install_signal_handlers();
  CLI::App app(
      "omnifit: train one weight-sharing network, fit a specialised network to every device",
      "omnifit");
  app.footer(kFooter);
  app.set_version_flag("--version",
                       fmt::format("omnifit {} ({})", core::version(), core::git_revision()));
  app.require_subcommand(1);

  Invocation invocation;
  invocation.services = &services;
  invocation.command_line = joined_arguments(argc, argv);
  add_run_command(app, invocation);
  add_stage_commands(app, invocation);
  add_eval_command(app, invocation);
  add_space_command(app, invocation);
  add_describe_command(app, invocation);
  add_device_command(app, invocation);
  add_import_command(app, invocation);
  add_db_command(app, invocation);
  add_doctor_command(app, invocation);
  add_init_command(app, invocation);

  try {
    app.parse(argc, argv);
    return code(invocation.action());
  } catch (const CLI::ParseError& outcome) {
    return parse_outcome(app, outcome);
  } catch (const Error& error) {
    return report("", error.what(), error.exit_code());
  } catch (const std::exception& bug) {
    if (const auto memory = supernet::out_of_memory(bug)) {
      return report("", memory->c_str(), ExitCode::kEnvironment);
    }
    return report("this is a bug, please report it with the command line: ", bug.what(),
                  ExitCode::kBug);
  }
}

}  // namespace omnifit::cli
