#include "pipeline/stage.hpp"

#include "core/error.hpp"
#include "core/node.hpp"

namespace omnifit::pipeline {
namespace {

struct StageInfo {
  Stage stage;
  std::string name;
  std::string summary;
  std::vector<Stage> consumes;
};

const std::vector<StageInfo>& infos() {
  using enum Stage;
  static const std::vector<StageInfo> kInfos{
      {kTrain, "train", "train the supernet with progressive shrinking", {}},
      {kProfile, "profile", "measure the space's units on the device into its latency table", {}},
      {kCollect, "collect", "measure the validation accuracy of sampled subnets", {kTrain}},
      {kFit, "fit", "fit the accuracy predictor", {kCollect}},
      {kSearch, "search", "search the best subnets under every budget", {kTrain, kProfile, kFit}},
      {kVerify,
       "verify",
       "measure the candidates: test accuracy and whole-network latency",
       {kTrain, kProfile, kSearch}},
      {kExport,
       "export",
       "write ONNX and TorchScript files of the winners and prove them",
       {kTrain, kVerify}},
      {kReport,
       "report",
       "render the HTML report",
       {kTrain, kProfile, kCollect, kFit, kSearch, kVerify, kExport}}};
  return kInfos;
}

const StageInfo& info(Stage stage) {
  for (const StageInfo& entry : infos()) {
    if (entry.stage == stage) return entry;
  }
  OMNIFIT_CHECK(false, "stage {} has no entry", static_cast<int>(stage));
}

}  // namespace

const std::vector<Stage>& all_stages() {
  static const std::vector<Stage> kAll = [] {
    std::vector<Stage> stages;
    for (const StageInfo& entry : infos()) stages.push_back(entry.stage);
    return stages;
  }();
  return kAll;
}

const std::string& stage_name(Stage stage) { return info(stage).name; }
std::vector<std::string> stage_names() {
  std::vector<std::string> names;
  for (const StageInfo& entry : infos()) names.push_back(entry.name);
  return names;
}
const std::string& stage_summary(Stage stage) { return info(stage).summary; }
const std::vector<Stage>& consumed_stages(Stage stage) { return info(stage).consumes; }

Stage parse_stage(const std::string& name) {
  std::vector<std::string> names;
  std::string allowed;
  for (const StageInfo& entry : infos()) {
    if (entry.name == name) return entry.stage;
    names.push_back(entry.name);
    allowed += (allowed.empty() ? "" : ", ") + entry.name;
  }
  const std::string guess = core::did_you_mean(name, names);
  throw ConfigError(fmt::format("unknown stage '{}'{} (allowed: {})", name,
                                guess.empty() ? "" : fmt::format("; did you mean '{}'?", guess),
                                allowed));
}

}  // namespace omnifit::pipeline
