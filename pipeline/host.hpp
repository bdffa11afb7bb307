#pragma once

#include <string>

namespace omnifit::pipeline {

/// What runs here, as far as it matters to results: read once per call, from /proc and sysfs.
struct HostInfo {
  std::string cpu_model;       ///< "AMD EPYC …" or "unknown"
  std::string vector_support;  ///< "AVX-512", "AVX2", "baseline"
  int cores = 1;               ///< usable by this process
  double memory_gb = 0.0;
  std::string system;  ///< "Linux 6.1.0 x86_64"
};
HostInfo host_info();
/// JSON object of the above, for the `job` table.
std::string host_json();

}  // namespace omnifit::pipeline
