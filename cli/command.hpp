#pragma once

#include "core/error.hpp"
#include "pipeline/job.hpp"
#include "pipeline/services.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace omnifit::cli {

/// What a command line asked for: set by the parsed subcommand, run after parsing.
struct Invocation {
  const pipeline::Services* services = nullptr;
  std::string command_line;  ///< as typed, for the project lock
  std::function<ExitCode()> action;
};

/// Options of every command that works on a job file.
struct JobOptions {
  std::string file;
  std::vector<std::string> assignments;
  std::string project;
  int threads = 0;
  std::string compute;
  bool exhaustive = false;
  bool json = false;
  bool quiet = false;

  void add_to(CLI::App& command);
  /// --exhaustive, of commands that search.
  void add_exhaustive_to(CLI::App& command);
  [[nodiscard]] pipeline::Job load() const;
};

/// One function per subcommand: declares its options and what to do. `app` is the root.
void add_run_command(CLI::App& app, Invocation& invocation);
void add_stage_commands(CLI::App& app, Invocation& invocation);
void add_eval_command(CLI::App& app, Invocation& invocation);
void add_space_command(CLI::App& app, Invocation& invocation);
void add_describe_command(CLI::App& app, Invocation& invocation);
void add_device_command(CLI::App& app, Invocation& invocation);
/// import, export, propose and transfer, below `omnifit device`.
void add_device_import_commands(CLI::App& device, Invocation& invocation);
void add_import_command(CLI::App& app, Invocation& invocation);
void add_db_command(CLI::App& app, Invocation& invocation);
void add_doctor_command(CLI::App& app, Invocation& invocation);
void add_init_command(CLI::App& app, Invocation& invocation);

}  // namespace omnifit::cli
