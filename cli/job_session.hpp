#pragma once

#include "cli/command.hpp"
#include "core/progress.hpp"
#include "pipeline/run_context.hpp"

#include <memory>
#include <string>

namespace omnifit::cli {

enum class Access { kWrite, kRead };

/// A job opened for work. With write access the project file is created if need be and locked for
/// as long as this lives.
class JobSession {
 public:
  /// @throws StateError if another run holds the project, or if there is no project file to read.
  JobSession(const JobOptions& options, const Invocation& invocation, Access access);
  [[nodiscard]] pipeline::RunContext& context() { return *context_; }

 private:
  std::unique_ptr<core::ProgressSink> progress_;
  std::unique_ptr<store::ProjectLock> lock_;
  std::unique_ptr<store::Database> db_;
  std::unique_ptr<pipeline::RunContext> context_;
};

}  // namespace omnifit::cli
