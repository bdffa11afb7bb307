#pragma once

#include "report/report_data.hpp"

#include <string>
#include <vector>

namespace omnifit::report {

/// What a budget came to, or one of the two subnets that winners are compared with.
struct ResultRow {
  enum class Kind {
    kWinner,
    kMissed,    ///< every measured candidate broke the budget; the arch is the last one measured
    kPending,   ///< searched, not measured as a network yet; the arch is the best one found
    kLookedUp,  ///< the best one in the tables of a tabular space: both figures are measured
    kNothing,   ///< the search found no subnet within the budget
    kLargest,
    kSmallest
  };
  Kind kind = Kind::kPending;
  std::string budget;  ///< as the job says it; "largest", "smallest" for those two
  std::string bound;   ///< absolute, as stored; may be empty
  std::optional<ArchInfo> arch;
  std::optional<double> predicted_top1;
  std::optional<double> validation_top1;  ///< of a pending one whose search measured it
  std::optional<double> estimated_latency_ms;
  /// How far the device's estimates are off on average, on networks they were not fitted on; absent
  /// where that is not known.
  std::optional<double> estimated_latency_error_ms;
  std::optional<double> measured_top1;
  std::optional<double> measured_latency_ms;
  int num_rejected = 0;             ///< candidates measured over the budget
  std::vector<ExportedFile> files;  ///< of this network
};

/// "winner", "missed", "pending", "looked up", "nothing", "largest", "smallest".
const char* kind_name(ResultRow::Kind kind);

/// One row per budget in the order of the searches, then the largest and the smallest subnet.
std::vector<ResultRow> result_rows(const ReportData& data);

/// What the search of a budget left, where every subnet was looked at beside it.
struct TruthRow {
  std::string budget;
  double best_top1 = 0.0;              ///< of all subnets within the budget
  std::optional<double> found_top1{};  ///< by the search
  /// Accuracy that the search left, as a fraction; absent where it looked for something else.
  std::optional<double> gap{};
  std::optional<double> front_share{};  ///< hypervolume of its front over that of the true front
};
/// Those of the budgets that have an exhaustive search for comparison.
std::vector<TruthRow> truth_rows(const ReportData& data);

/// "1.234 ± 0.015 ms"; without an error "1.234 ms".
std::string estimate_text(double estimated_ms, std::optional<double> error_ms);

/// The first row of that kind, or null.
const ResultRow* find_row(const std::vector<ResultRow>& rows, ResultRow::Kind kind);

/// A budget or stored bound for people: "latency_ms <= 1.234" → "latency ≤ 1.234 ms". Unknown
/// metrics keep their name.
std::string readable_bound(const std::string& bound);

/// "proven, difference 1.2e-06 (ONNX Runtime 1.30.0)", "not proven: there is no Node.js", "not
/// applicable".
std::string proof_text(const ExportedFile& file);

}  // namespace omnifit::report
