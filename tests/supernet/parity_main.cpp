#include "core/error.hpp"
#include "supernet/thread_policy.hpp"
#include "tests/supernet/ofa_parity.hpp"

#include <cstdio>
#include <map>
#include <thread>

namespace {

using namespace omnifit;

std::string line_of(const test::ParityCase& result) {
  std::string line = result.name + ":";
  for (const test::ParityCheck& check : result.checks) {
    line += fmt::format(" {} {:.1e} of {:.1e},", check.what, check.difference, check.tolerance);
  }
  line.back() = ';';
  return line + (result.problem.empty() ? " MACs and parameters equal" : " " + result.problem) +
         (result.passed() ? "" : "  MISS");
}

/// @return whether every case passed
bool run_file(const std::string& file, int threads) {
  test::ParityFile parity(file, threads);
  const std::string problem = parity.tensor_problem();
  std::printf("%s: %s\n", file.c_str(),
              problem.empty() ? "tensor names and shapes equal" : problem.c_str());
  if (!problem.empty()) return false;
  bool passed = true;
  int cases = 0;
  std::map<std::string, test::ParityCheck> worst;
  parity.run([&](const test::ParityCase& result) {
    std::printf("  %s\n", line_of(result).c_str());
    std::fflush(stdout);
    passed = passed && result.passed();
    ++cases;
    for (const test::ParityCheck& check : result.checks) {
      test::ParityCheck& known = worst.try_emplace(check.what, check).first->second;
      if (!(check.difference <= known.difference)) known = check;
    }
  });
  std::string summary;
  for (const auto& [what, check] : worst) {
    summary += fmt::format("{} {} {:.2e}", summary.empty() ? "" : ",", what, check.difference);
  }
  std::printf("%s: %d cases, %s; worst difference:%s\n", file.c_str(), cases,
              passed ? "all equal" : "NOT all equal", summary.c_str());
  return passed;
}

}  // namespace

/// Compares the supernet with recorded outputs of the reference implementation.
int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: omnifit_parity FILE...\n");
    return 2;
  }
  const int threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const supernet::ThreadPolicy policy(1);
  bool passed = true;
  for (int i = 1; i < argc; ++i) {
    try {
      passed = run_file(argv[i], threads) && passed;
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s: %s\n", argv[i], error.what());
      passed = false;
    }
  }
  return passed ? 0 : 1;
}
