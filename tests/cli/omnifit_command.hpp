#pragma once

#include "tests/support/process.hpp"
#include "tests/support/temp_dir.hpp"

#include <string>
#include <vector>

namespace omnifit::test {

struct Result {
  int code = -1;
  std::string out;
  std::string err;
};

/// Runs the command line in `folder` to its end.
inline Result omnifit_command(const TempDir& folder, std::vector<std::string> arguments,
                              const std::string& program = "omnifit_fake_timer") {
  arguments.insert(arguments.begin(), std::string(OMNIFIT_BINARY_DIR) + "/bin/" + program);
  Process process(arguments, folder.path());
  const int code = process.wait();
  return {code, process.out(), process.err()};
}

}  // namespace omnifit::test
