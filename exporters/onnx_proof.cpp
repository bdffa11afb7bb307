#include "exporters/onnx_proof.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "exporters/child_process.hpp"
#include "exporters/scratch_folder.hpp"
#include "formats/tensor_file.hpp"

#include <nlohmann/json.hpp>

#include <cctype>
#include <cerrno>
#include <limits>
#include <system_error>
#include <vector>

namespace omnifit::exporters {

namespace {

constexpr const char* kScriptName = "onnx_proof.mjs";

std::string install_advice() {
  return fmt::format("run: cmake --build {} --target omnifit_onnxruntime",
                     std::filesystem::path(OMNIFIT_ONNXRUNTIME_FOLDER).parent_path().string());
}

Proof not_proven(std::string note) {
  return {ProofState::kNotProven, std::nullopt, std::move(note)};
}

/// The last line that is not blank, cut to a length that fits a table.
std::string last_line(std::string text) {
  constexpr std::size_t kMaxShown = 200;
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) {
    text.pop_back();
  }
  if (const auto at = text.find_last_of("\r\n"); at != std::string::npos) text.erase(0, at + 1);
  if (text.size() > kMaxShown) text.resize(kMaxShown);
  return text;
}

/// Why there is no answer to look at, or nullopt if the child ended well.
std::optional<Proof> failure_of(const CommandResult& result, const OnnxProofOptions& options) {
  using End = CommandResult::End;
  const std::string said = result.err.empty() ? "" : ": " + last_line(result.err);
  switch (result.end) {
    case End::kExited:
      if (result.code == 0) return std::nullopt;
      return not_proven(fmt::format("Node.js ended with code {}{}", result.code, said));
    case End::kSignalled:
      return not_proven(fmt::format("Node.js ended with signal {}{}", result.code, said));
    case End::kTimedOut:
      return not_proven(
          fmt::format("ONNX Runtime gave no answer within {:g} s{}", options.timeout_s, said));
    case End::kFlooded:
      return not_proven("ONNX Runtime's answer is too long");
    case End::kNotStarted:
      if (result.code == ENOENT) {
        return not_proven(fmt::format("Node.js ('{}') is not installed", options.node));
      }
      return not_proven(fmt::format("Node.js ('{}') cannot be started: {}", options.node,
                                    std::generic_category().message(result.code)));
  }
  OMNIFIT_CHECK(false, "command end {}", static_cast<int>(result.end));
}

/// What the script says if it could not finish; see the comment on its output there.
Proof refusal(const std::string& at, const std::string& error) {
  if (at == "install") {
    return not_proven(fmt::format("onnxruntime-node is not installed; {}", install_advice()));
  }
  if (at == "runtime") return not_proven("onnxruntime-node cannot be loaded: " + last_line(error));
  if (at == "case") return not_proven("the proof case cannot be read: " + last_line(error));
  return {ProofState::kFailed, std::nullopt, "ONNX Runtime refuses the model: " + last_line(error)};
}

Proof judge_answer(const std::string& answer, std::span<const float> expected) {
  try {
    const auto json = nlohmann::json::parse(answer);
    if (json.contains("error")) {
      return refusal(json.at("at").get<std::string>(), json.at("error").get<std::string>());
    }
    std::vector<float> logits;
    for (const auto& value : json.at("logits")) {
      // JSON has no NaN; the script's null stands for it.
      logits.push_back(value.is_null() ? std::numeric_limits<float>::quiet_NaN()
                                       : value.get<float>());
    }
    return judge(relative_difference(logits, expected), json.at("runtime").get<std::string>());
  } catch (const nlohmann::json::exception&) {
    return not_proven(fmt::format("the answer of ONNX Runtime is not understood: '{}'",
                                  last_line(answer.substr(0, 1000))));
  }
}

}  // namespace

std::filesystem::path default_proof_script() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) {
    const auto beside = program.parent_path().parent_path() / "onnxruntime" / kScriptName;
    if (std::filesystem::exists(beside, error)) return beside;
  }
  return std::filesystem::path(OMNIFIT_ONNXRUNTIME_FOLDER) / kScriptName;
}

Proof prove_onnx(const std::filesystem::path& model, const formats::NamedTensor& images,
                 const formats::NamedTensor& expected_logits, const OnnxProofOptions& options) {
  const auto script = options.script.empty() ? default_proof_script() : options.script;
  std::error_code ignored;
  if (!std::filesystem::exists(script, ignored)) {
    return not_proven(
        fmt::format("the proof script {} is missing; {}", script.string(), install_advice()));
  }
  const ScratchFolder scratch;
  const auto case_file = scratch.path() / "case.safetensors";
  formats::TensorFile content;
  content.tensors.push_back(images);
  content.tensors.back().name = "images";
  formats::write_tensor_file(case_file, content);

  CommandLimits limits;
  limits.timeout_s = options.timeout_s;
  const CommandResult result =
      run_command({options.node, script.string(), std::filesystem::absolute(model).string(),
                   case_file.string()},
                  limits);
  if (auto proof = failure_of(result, options)) return *proof;
  return judge_answer(result.out, expected_logits.floats());
}

}  // namespace omnifit::exporters
