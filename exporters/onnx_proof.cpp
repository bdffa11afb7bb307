#include "exporters/onnx_proof.hpp"

#include "core/child_process.hpp"
#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/scratch_folder.hpp"
#include "core/shipped_folder.hpp"
#include "formats/tensor_file.hpp"

#include <nlohmann/json.hpp>

#include <cerrno>
#include <limits>
#include <system_error>
#include <vector>

namespace omnifit::exporters {

namespace {

constexpr const char* kScriptName = "onnx_proof.mjs";

std::string install_advice() {
  return fmt::format(
      "run: cmake --build {} --target omnifit_onnxruntime",
      core::path_text(std::filesystem::path(OMNIFIT_ONNXRUNTIME_FOLDER).parent_path()));
}

Proof not_proven(std::string note) {
  return {ProofState::kNotProven, std::nullopt, std::move(note)};
}

/// Why there is no answer to look at, or nullopt if the child ended well.
std::optional<Proof> failure_of(const core::CommandResult& result,
                                const OnnxProofOptions& options) {
  using End = core::CommandResult::End;
  const std::string said = result.err.empty() ? "" : ": " + core::last_line(result.err);
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
    case End::kRefused:
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
  if (at == "runtime")
    return not_proven("onnxruntime-node cannot be loaded: " + core::last_line(error));
  if (at == "case") return not_proven("the proof case cannot be read: " + core::last_line(error));
  return {ProofState::kFailed, std::nullopt,
          "ONNX Runtime refuses the model: " + core::last_line(error)};
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
                                  core::last_line(answer.substr(0, 1000))));
  }
}

}  // namespace

std::filesystem::path default_proof_script() {
  return core::shipped_file(std::filesystem::path("onnxruntime") / kScriptName,
                            std::filesystem::path(OMNIFIT_ONNXRUNTIME_FOLDER).parent_path());
}

Proof prove_onnx(const std::filesystem::path& model, const formats::NamedTensor& images,
                 const formats::NamedTensor& expected_logits, const OnnxProofOptions& options) {
  const auto script = options.script.empty() ? default_proof_script() : options.script;
  std::error_code ignored;
  if (!std::filesystem::exists(script, ignored)) {
    return not_proven(fmt::format("the proof script {} is missing; {}", core::path_text(script),
                                  install_advice()));
  }
  const core::ScratchFolder scratch;
  const auto case_file = scratch.path() / "case.safetensors";
  formats::TensorFile content;
  content.tensors.push_back(images);
  content.tensors.back().name = "images";
  formats::write_tensor_file(case_file, content);

  core::CommandLimits limits;
  limits.timeout_s = options.timeout_s;
  const core::CommandResult result =
      core::run_command({options.node, script.string(), std::filesystem::absolute(model).string(),
                         case_file.string()},
                        limits);
  if (auto proof = failure_of(result, options)) return *proof;
  return judge_answer(result.out, expected_logits.floats());
}

}  // namespace omnifit::exporters
