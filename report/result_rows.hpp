#pragma once

#include "report/report_data.hpp"

#include <string>
#include <vector>

namespace omnifit::report {

/// What a budget came to, or one of the two subnets that winners are compared with.
struct ResultRow {
  enum class Kind {
    kWinner,
    kMissed,   ///< every measured candidate broke the budget; the arch is the last one measured
    kPending,  ///< searched, not measured yet; the arch is the best predicted one
    kNothing,  ///< the search found no subnet within the budget
    kLargest,
    kSmallest
  };
  Kind kind = Kind::kPending;
  std::string budget;  ///< as the job says it; "largest", "smallest" for those two
  std::string bound;   ///< absolute, as stored; may be empty
  std::optional<ArchInfo> arch;
  std::optional<double> predicted_top1;
  std::optional<double> estimated_latency_ms;
  std::optional<double> measured_top1;
  std::optional<double> measured_latency_ms;
  int num_rejected = 0;             ///< candidates measured over the budget
  std::vector<ExportedFile> files;  ///< of this network
};

/// "winner", "missed", "pending", "nothing", "largest", "smallest".
const char* kind_name(ResultRow::Kind kind);

/// One row per budget in the order of the searches, then the largest and the smallest subnet.
std::vector<ResultRow> result_rows(const ReportData& data);

/// The first row of that kind, or null.
const ResultRow* find_row(const std::vector<ResultRow>& rows, ResultRow::Kind kind);

/// A budget or stored bound for people: "latency_ms <= 1.234" → "latency ≤ 1.234 ms". Unknown
/// metrics keep their name.
std::string readable_bound(const std::string& bound);

/// "proven, difference 1.2e-06 (ONNX Runtime 1.30.0)", "not proven: there is no Node.js", "not
/// applicable".
std::string proof_text(const ExportedFile& file);

}  // namespace omnifit::report
