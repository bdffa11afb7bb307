#pragma once

#include "pipeline/services.hpp"

namespace omnifit::cli {

/// The whole command line: parses, runs one subcommand, prints results to stdout and everything
/// else to stderr. Never throws. @return the process's exit code (core/error.hpp)
int run(int argc, char** argv, const pipeline::Services& services);

}  // namespace omnifit::cli
