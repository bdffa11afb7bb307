#include "pipeline/stages/stages.hpp"

#include "core/error.hpp"

namespace omnifit::pipeline {

const StageActions& stage_actions(Stage stage) {
  static const StageActions kTrain = train_actions();
  static const StageActions kProfile = profile_actions();
  static const StageActions kCollect = collect_actions();
  static const StageActions kFit = fit_actions();
  static const StageActions kSearch = search_actions();
  static const StageActions kVerify = verify_actions();
  static const StageActions kExport = export_actions();
  static const StageActions kReport = report_actions();
  switch (stage) {
    case Stage::kTrain:
      return kTrain;
    case Stage::kProfile:
      return kProfile;
    case Stage::kCollect:
      return kCollect;
    case Stage::kFit:
      return kFit;
    case Stage::kSearch:
      return kSearch;
    case Stage::kVerify:
      return kVerify;
    case Stage::kExport:
      return kExport;
    case Stage::kReport:
      return kReport;
  }
  OMNIFIT_CHECK(false, "unknown stage {}", static_cast<int>(stage));
}

}  // namespace omnifit::pipeline
