#include "pipeline/host.hpp"

#include "core/cpu_info.hpp"
#include "core/threads.hpp"

#include <sys/utsname.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

namespace omnifit::pipeline {
namespace {

std::string vector_support() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") != 0) return "AVX-512";
  if (__builtin_cpu_supports("avx2") != 0) return "AVX2";
#endif
  return "baseline";
}

}  // namespace

HostInfo host_info() {
  HostInfo info;
  info.cpu_model = core::cpu_model();
  info.vector_support = vector_support();
  info.cores = core::available_cores();
  info.memory_gb = static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
                   static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e9;
  utsname name{};
  if (uname(&name) == 0)
    info.system = std::string(name.sysname) + " " + name.release + " " + name.machine;
  return info;
}

std::string host_json() {
  const HostInfo info = host_info();
  return nlohmann::ordered_json{{"cpu", info.cpu_model},
                                {"vector", info.vector_support},
                                {"cores", info.cores},
                                {"memory_gb", static_cast<int>(info.memory_gb + 0.5)},
                                {"system", info.system}}
      .dump();
}

}  // namespace omnifit::pipeline
