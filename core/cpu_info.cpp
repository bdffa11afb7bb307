#include "core/cpu_info.hpp"

#include <fstream>
#include <initializer_list>
#include <set>
#include <sstream>
#include <string_view>

namespace omnifit::core {
namespace {

/// Value of the first line of /proc/cpuinfo that begins with one of the names, or "".
std::string cpuinfo_value(std::initializer_list<std::string_view> names) {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    for (const std::string_view name : names) {
      if (!line.starts_with(name)) continue;
      const std::size_t start = line.find_first_not_of(" \t", line.find(':') + 1);
      return start == std::string::npos ? "" : line.substr(start);
    }
  }
  return "";
}

}  // namespace

std::string cpu_model() {
  const std::string model = cpuinfo_value({"model name"});
  return model.empty() ? "unknown" : model;
}

std::vector<std::string> cpu_flags() {
  std::set<std::string> present;
  std::istringstream words(cpuinfo_value({"flags", "Features"}));
  for (std::string word; words >> word;) present.insert(word);
  std::vector<std::string> flags;
  for (const char* flag : {"avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile",
                           "asimd", "asimddp", "sve"}) {
    if (present.contains(flag)) flags.emplace_back(flag);
  }
  return flags;
}

std::string cpu_governor() {
  std::ifstream file("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  std::string governor;
  return std::getline(file, governor) && !governor.empty() ? governor : "unknown";
}

}  // namespace omnifit::core
