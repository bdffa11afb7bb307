#include "cli/command.hpp"
#include "core/file_io.hpp"
#include "core/table.hpp"
#include "core/units.hpp"
#include "core/version.hpp"
#include "exporters/runtime_check.hpp"
#include "pipeline/host.hpp"
#include "supernet/thread_policy.hpp"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <filesystem>

namespace omnifit::cli {
namespace {

struct Finding {
  std::string what;
  std::string value;
  std::string advice;  ///< empty: all is well
};

std::vector<Finding> examine() {
  const pipeline::HostInfo host = pipeline::host_info();
  std::vector<Finding> findings;
  findings.push_back(
      {"omnifit", fmt::format("{} ({})", core::version(), core::git_revision()), ""});
  findings.push_back({"system", host.system, ""});
  findings.push_back(
      {"CPU",
       fmt::format("{}, {} usable cores, {}", host.cpu_model, host.cores, host.vector_support),
       host.vector_support == "baseline" ? "training and search are slow without AVX2" : ""});
  findings.push_back({"memory", fmt::format("{:.1f} GB", host.memory_gb),
                      host.memory_gb < 4.0 ? "less than 4 GB: building needs more" : ""});
  findings.push_back({"LibTorch", supernet::libtorch_version(), ""});
  findings.push_back(
      {"CUDA",
       supernet::cuda_available() ? "available" : "not available: everything runs on the CPU", ""});
  std::error_code failed;
  const auto space = std::filesystem::space(std::filesystem::current_path(), failed);
  if (!failed) {
    findings.push_back(
        {"free disk here", core::format_bytes(static_cast<double>(space.available)),
         space.available < 1'000'000'000 ? "less than 1 GB: checkpoints may not fit" : ""});
  }
  const exporters::Proof proof = exporters::check_onnx_runtime();
  const bool proven = proof.state == exporters::ProofState::kProven;
  findings.push_back({"ONNX Runtime", proven ? proof.note : "not usable: exports stay unproven",
                      proven ? "" : proof.note});
  const auto spaces = pipeline::shipped_spaces_folder();
  const bool spaces_there = std::filesystem::is_directory(spaces);
  findings.push_back({"shipped spaces", core::path_text(spaces),
                      spaces_there ? "" : "folder not found; give spaces as files"});
  return findings;
}

ExitCode doctor(bool json_output) {
  core::TextTable table({{"what"}, {"found"}, {"advice"}});
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const Finding& finding : examine()) {
    table.add_row({finding.what, finding.value, finding.advice.empty() ? "ok" : finding.advice});
    json.push_back({{"what", finding.what},
                    {"found", finding.value},
                    {"ok", finding.advice.empty()},
                    {"advice", finding.advice}});
  }
  std::fputs((json_output ? json.dump(2) + "\n" : table.str()).c_str(), stdout);
  return ExitCode::kDone;
}

}  // namespace

void add_doctor_command(CLI::App& app, Invocation& invocation) {
  auto json = std::make_shared<bool>(false);
  CLI::App* command = app.add_subcommand("doctor", "what this machine offers and what is missing");
  command->add_flag("--json", *json, "JSON on stdout");
  command->footer("Example:\n  omnifit doctor");
  command->callback([json, &invocation] { invocation.action = [json] { return doctor(*json); }; });
}

}  // namespace omnifit::cli
