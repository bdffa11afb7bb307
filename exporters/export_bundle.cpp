#include "exporters/export_bundle.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "core/hash.hpp"
#include "core/utf8.hpp"
#include "core/version.hpp"
#include "exporters/onnx_export.hpp"
#include "exporters/torchscript.hpp"
#include "formats/tensor_file.hpp"
#include "space/costs.hpp"
#include "supernet/thread_policy.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <stdexcept>
#include <system_error>

namespace omnifit::exporters {

namespace {

using Json = nlohmann::ordered_json;

void check_request(const BundleRequest& request, const space::NetworkPlan& plan) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  if (request.name.empty() || request.name.front() == '.' ||
      !std::ranges::all_of(request.name, allowed)) {
    throw std::invalid_argument(fmt::format(
        "export name '{}' must be letters, digits, '.', '_' and '-', without a leading '.'",
        request.name));
  }
  const auto classes = static_cast<std::size_t>(plan.io.num_classes);
  if (!request.class_names.empty() && request.class_names.size() != classes) {
    throw std::invalid_argument(fmt::format("class_names must be empty or have {} names, got {}",
                                            classes, request.class_names.size()));
  }
  for (std::size_t i = 0; i < request.class_names.size(); ++i) {
    if (!core::is_utf8(request.class_names[i])) {
      throw DataError(fmt::format("the name of class {} is not UTF-8 text", i));
    }
  }
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    throw EnvironmentError(
        fmt::format("{}: cannot create the folder: {}", core::path_text(folder), error.message()));
  }
}

Json input_json(const Preprocessing& preprocessing, const space::NetworkPlan& plan) {
  Json json{{"name", formats::InferenceGraph::kInput},
            {"layout", "NCHW"},
            {"dtype", "float32"},
            {"channels", plan.io.in_channels},
            {"resolution_px", plan.resolution_px},
            {"values",
             preprocessing.embed ? "pixels in [0, 1]" : "(pixel - mean) / std, pixels in [0, 1]"},
            {"mean", preprocessing.normalisation.mean},
            {"std", preprocessing.normalisation.std},
            {"normalisation_embedded", preprocessing.embed}};
  if (preprocessing.cut) {
    json["pictures"] = {{"resize_px", preprocessing.cut->resize_px},
                        {"centre_crop_px", preprocessing.cut->centre_crop_px},
                        {"scale_to_px", plan.resolution_px},
                        {"filter", "bilinear, antialiased"}};
  }
  return json;
}

/// Short text for the metadata of the model files, so that each of them explains itself.
std::map<std::string, std::string> metadata_of(const BundleRequest& request,
                                               const space::NetworkPlan& plan) {
  std::map<std::string, std::string> metadata{
      {"omnifit_version", core::version()},
      {"arch", request.arch_text},
      {"arch_json", request.arch_json},
      {"input", input_json(request.preprocessing, plan).dump()},
  };
  if (!request.class_names.empty()) metadata["class_names"] = Json(request.class_names).dump();
  return metadata;
}

void write_weights(const formats::FoldedNetwork& network, const std::filesystem::path& file,
                   std::map<std::string, std::string> metadata) {
  // Python loaders of this container look for the framework the tensors follow.
  metadata["format"] = "pt";
  formats::write_tensor_file(file, {std::move(metadata), network.tensors});
}

ExportedFile record(std::string format, std::filesystem::path path, Proof proof) {
  std::error_code error;
  const std::uintmax_t size_bytes = std::filesystem::file_size(path, error);
  if (error) throw EnvironmentError(fmt::format("{}: {}", core::path_text(path), error.message()));
  std::string sha256 = core::sha256_file(path);
  return {std::move(format), std::move(path), size_bytes, std::move(sha256), std::move(proof)};
}

Json figure(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Json files_json(const std::vector<ExportedFile>& files) {
  Json list = Json::array();
  for (const ExportedFile& file : files) {
    list.push_back({{"format", file.format},
                    {"file", file.path.filename().string()},
                    {"size_bytes", file.size_bytes},
                    {"sha256", file.sha256},
                    {"proof", proof_state_name(file.proof.state)},
                    {"max_rel_difference", figure(file.proof.max_rel_difference)},
                    {"note", file.proof.note}});
  }
  return list;
}

std::string card(const BundleRequest& request, const space::NetworkPlan& plan,
                 const std::vector<ExportedFile>& files) {
  const ExportFigures& figures = request.figures;
  Json units = Json::array();
  for (const space::PlanUnit& unit : plan.units) units.push_back(space::spec_text(unit.spec));
  Json json{{"name", request.name},
            {"omnifit", {{"version", core::version()}, {"git_revision", core::git_revision()}}},
            {"arch", {{"text", request.arch_text}, {"reference", Json::parse(request.arch_json)}}},
            {"input", input_json(request.preprocessing, plan)},
            {"output",
             {{"name", formats::InferenceGraph::kOutput},
              {"num_classes", plan.io.num_classes},
              {"class_names", request.class_names}}},
            {"costs",
             {{"macs", space::macs(plan)},
              {"params", space::params_count(plan)},
              {"peak_activation_bytes", space::peak_activation_bytes(plan)},
              {"model_bytes", space::model_bytes(plan)}}},
            {"figures",
             {{"budget", figures.budget},
              {"predicted_top1", figure(figures.predicted_top1)},
              {"measured_top1", figure(figures.measured_top1)},
              {"device", figures.device},
              {"estimated_latency_ms", figure(figures.estimated_latency_ms)},
              {"measured_latency_ms", figure(figures.measured_latency_ms)}}},
            {"units", std::move(units)},
            {"files", files_json(files)}};
  return json.dump(2) + "\n";
}

Proof run_torchscript(const std::filesystem::path& file, const formats::NamedTensor& images,
                      const formats::NamedTensor& expected_logits) {
  return judge(prove_torchscript(file, images, expected_logits),
               fmt::format("LibTorch {}", supernet::libtorch_version()));
}

void require_agreement(const std::vector<ExportedFile>& files) {
  std::vector<std::string> failures;
  for (const ExportedFile& file : files) {
    if (file.proof.state == ProofState::kFailed) {
      failures.push_back(fmt::format("{}: {}", core::path_text(file.path), file.proof.note));
    }
  }
  if (!failures.empty()) {
    throw GoalError(
        fmt::format("export does not agree with the supernet: {}", fmt::join(failures, "; ")));
  }
}

}  // namespace

std::vector<ExportedFile> export_bundle(const formats::FoldedNetwork& network,
                                        const ProofCase& proof_case, const BundleRequest& request,
                                        const OnnxProofOptions& onnx_proof) {
  check_request(request, network.plan);
  make_folder(request.folder);
  const auto path = [&request](const char* extension) {
    return request.folder / (request.name + extension);
  };
  const auto metadata = metadata_of(request, network.plan);
  const auto& normalisation = request.preprocessing.normalisation;
  const bool embed = request.preprocessing.embed;
  const auto embedded = embed ? std::optional(normalisation) : std::nullopt;
  const formats::NamedTensor images =
      embed ? to_pixels(proof_case.images, normalisation) : proof_case.images;

  write_onnx(network, path(".onnx"), {request.name, core::version(), metadata, embedded});
  write_torchscript(network, path(".pt"), {embedded, metadata});
  write_weights(network, path(".safetensors"), metadata);

  std::vector<ExportedFile> files;
  files.push_back(record("onnx", path(".onnx"),
                         prove_onnx(path(".onnx"), images, proof_case.logits, onnx_proof)));
  files.push_back(
      record("torchscript", path(".pt"), run_torchscript(path(".pt"), images, proof_case.logits)));
  files.push_back(record("safetensors", path(".safetensors"), {}));
  require_agreement(files);

  core::write_file_atomically(path(".json"), card(request, network.plan, files));
  files.push_back(record("json", path(".json"), {}));
  return files;
}

}  // namespace omnifit::exporters
