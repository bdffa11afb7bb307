#include "cli/job_session.hpp"

#include "core/file_io.hpp"

#include <filesystem>
#include <system_error>

namespace omnifit::cli {
namespace {

void create_folder(const std::filesystem::path& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed) {
    throw EnvironmentError(fmt::format("{}: cannot create the project's folder: {}",
                                       core::path_text(folder), failed.message()));
  }
}

}  // namespace

JobSession::JobSession(const JobOptions& options, const Invocation& invocation, Access access) {
  pipeline::Job job = options.load();
  if (options.quiet) {
    progress_ = std::make_unique<core::NullProgress>();
  } else {
    progress_ = std::make_unique<core::ConsoleProgress>(core::ConsoleProgress::detect());
  }
  if (access == Access::kWrite) {
    // A job that is refused leaves nothing behind.
    pipeline::check_sources(job);
    create_folder(job.project_file.parent_path());
    lock_ = std::make_unique<store::ProjectLock>(job.project_file, invocation.command_line);
    db_ = std::make_unique<store::Database>(job.project_file, store::Database::Mode::kReadWrite);
  } else {
    if (!std::filesystem::exists(job.project_file)) {
      throw StateError(fmt::format("{}: no project file yet; run: omnifit run {}",
                                   core::path_text(job.project_file),
                                   core::path_text(options.file)));
    }
    db_ = std::make_unique<store::Database>(job.project_file, store::Database::Mode::kReadOnly);
  }
  context_ = std::make_unique<pipeline::RunContext>(std::move(job), *db_, *invocation.services,
                                                    *progress_);
}

}  // namespace omnifit::cli
