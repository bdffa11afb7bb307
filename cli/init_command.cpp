#include "cli/command.hpp"
#include "core/file_io.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <filesystem>

namespace omnifit::cli {

void add_init_command(CLI::App& app, Invocation& invocation) {
  auto file = std::make_shared<std::string>();
  CLI::App* command =
      app.add_subcommand("init", "write a commented job file with every key and its default");
  command->add_option("FILE", *file, "where to; without it the job goes to stdout")
      ->type_name("FILE");
  command->footer("Examples:\n  omnifit init my_job.yaml\n  omnifit init | less");
  command->callback([file, &invocation] {
    invocation.action = [file] {
      const std::string job = pipeline::commented_job();
      if (file->empty()) {
        std::fputs(job.c_str(), stdout);
        return ExitCode::kDone;
      }
      if (std::filesystem::exists(*file))
        throw ConfigError(
            fmt::format("{}: exists already; nothing was written", core::path_text(*file)));
      core::write_file_atomically(*file, job);
      const std::string name = core::path_text(*file);
      std::printf("wrote %s; run it with: omnifit run %s\n", name.c_str(), name.c_str());
      return ExitCode::kDone;
    };
  });
}

}  // namespace omnifit::cli
