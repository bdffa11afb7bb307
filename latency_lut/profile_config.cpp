#include "latency_lut/profile_config.hpp"

#include "core/hash.hpp"
#include "latency_lut/sampling.hpp"

#include <fmt/format.h>

namespace omnifit::latency {

void ProfileConfig::fields(core::Fields& f) {
  f.integer("warmup_runs", protocol.warmup_runs, {0, 10'000}, "untimed runs before the samples");
  f.integer("min_samples", protocol.min_samples, {kFewestSamples, 100'000},
            "timed samples of a unit at least, unless its time is used up");
  f.integer("max_samples", protocol.max_samples, {kFewestSamples, 100'000}, "and at most");
  if (f.reading() && protocol.max_samples < protocol.min_samples) {
    f.error("max_samples", fmt::format("must be at least min_samples ({}), got {}",
                                       protocol.min_samples, protocol.max_samples));
  }
  f.real("min_sample_ms", protocol.min_sample_ms, {0.0, 1000.0},
         "[ms] a sample repeats the unit until it lasts this long");
  f.real("target_rel_ci", protocol.target_rel_ci, {0.0, 1.0},
         "stop once the 95 % confidence interval of the median is this narrow, relative to it");
  f.real("max_unit_s", protocol.max_unit_s, {0.0, 3600.0, true}, "[s] time limit of one unit");
  f.real("quiet_ratio", protocol.quiet_ratio, {0.0, 10.0},
         "a sample counts if a piece of arithmetic before and after it is slower than usual by no "
         "more than this; 0 = every sample counts");
  f.real("near_ratio", protocol.near_ratio, {0.0, 10.0},
         "and if it itself is slower than the fastest ones by no more than this; 0 = by anything");
  f.integer("batch_size", protocol.batch_size, {1, 4096}, "images per run");
  f.real("share", share, {0.0, 1.0, true},
         "of the distinct units that is measured; the others are estimated from them");
  f.integer("correction_networks", correction_networks, {0, 1000},
            "whole networks the correction of the estimates is fitted on; 0 = no correction");
  f.integer("check_networks", check_networks, {0, 1000},
            "other whole networks the estimates are judged on");
  f.integer("sentinel_every", sentinel_every, {1, 100'000},
            "units between two timings of the sentinel that detects drift");
  f.real("max_drift_ratio", max_drift_ratio, {0.0, 10.0, true},
         "the sentinel may be slower than at its fastest by this, relative to it");
  f.integer("min_rounds", min_rounds, {1, 1000},
            "undisturbed timings of each unit and network, at different times; what counts is the "
            "mean of the faster half of them");
  f.integer("max_rounds", max_rounds, {1, 1000}, "timings of each unit and network, at most");
  f.real("agree_ratio", agree_ratio, {0.0, 10.0, true},
         "no further round once the timings that count differ by no more than that");
  f.real("time_limit_s", time_limit_s, {0.0, 1e7},
         "[s] no further round starts after it, but the first; 0 = none");
}

std::string protocol_json(const Protocol& protocol) {
  return fmt::format(
      R"({{"warmup_runs": {}, "min_samples": {}, "max_samples": {}, "min_sample_ms": {}, )"
      R"("target_rel_ci": {}, "max_unit_s": {}, "quiet_ratio": {}, "near_ratio": {}, "batch_size": {}}})",
      protocol.warmup_runs, protocol.min_samples, protocol.max_samples, protocol.min_sample_ms,
      protocol.target_rel_ci, protocol.max_unit_s, protocol.quiet_ratio, protocol.near_ratio,
      protocol.batch_size);
}

std::string protocol_hash(const Protocol& protocol) {
  return core::hex64(core::stable_hash(protocol_json(protocol)));
}

}  // namespace omnifit::latency
