#pragma once

#include "core/fields.hpp"
#include "latency_lut/layer_timer.hpp"

#include <string>

namespace omnifit::latency {

/// The `profile` section of a job: how a device is measured.
struct ProfileConfig {
  Protocol protocol;              ///< written flat, beside the fields below
  double share = 1.0;             ///< of the units that is measured; the others are estimated
  int correction_networks = 12;   ///< whole networks the correction is fitted on; 0 = no correction
  int check_networks = 24;        ///< others it is judged on
  int sentinel_every = 16;        ///< units between two timings of the sentinel unit
  double max_drift_ratio = 0.05;  ///< the sentinel may be slower than at its best by this
  int min_rounds = 5;             ///< undisturbed timings of a unit or network, at least
  int max_rounds = 10;            ///< timings of it at different times, at most
  double agree_ratio = 0.03;      ///< and until those that count differ by no more than that
  double time_limit_s = 0.0;      ///< no further round starts after it; 0 = none
  void fields(core::Fields& f);
  friend bool operator==(const ProfileConfig&, const ProfileConfig&) = default;
};

/// The protocol as JSON, one key per field; stored with every row.
std::string protocol_json(const Protocol& protocol);
/// 16 hex digits; rows of different protocols are never mixed.
std::string protocol_hash(const Protocol& protocol);

}  // namespace omnifit::latency
