#include "pipeline/budget.hpp"

#include "core/units.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <utility>

namespace omnifit::pipeline {
namespace {

struct Unit {
  const char* name;
  double factor;
};

struct CostInfo {
  Cost cost;
  std::string key;
  std::string metric;
  std::vector<Unit> units;  ///< the first is the default of the messages
  const char* example;
};

const std::vector<CostInfo>& infos() {
  static const std::vector<Unit> kCounts{{"", 1.0}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}};
  static const std::vector<Unit> kBytes{{"B", 1.0},           {"kB", 1e3},     {"MB", 1e6},
                                        {"GB", 1e9},          {"KiB", 1024.0}, {"MiB", 1048576.0},
                                        {"GiB", 1073741824.0}};
  static const std::vector<CostInfo> kInfos{
      {Cost::kLatency, "latency", "latency_ms", {{"ms", 1.0}, {"us", 1e-3}, {"s", 1e3}}, "12 ms"},
      {Cost::kMacs, "macs", "macs", kCounts, "3.2 M"},
      {Cost::kParams, "params", "params", kCounts, "1.5 M"},
      {Cost::kPeakMemory, "peak_memory", "peak_memory_bytes", kBytes, "256 kB"},
      {Cost::kModelSize, "model_size", "model_bytes", kBytes, "2 MB"}};
  return kInfos;
}

const CostInfo& info(Cost cost) {
  for (const CostInfo& candidate : infos()) {
    if (candidate.cost == cost) return candidate;
  }
  OMNIFIT_CHECK(false, "cost {} has no entry", static_cast<int>(cost));
}

std::string trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0)
    text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0)
    text.remove_suffix(1);
  return std::string(text);
}

[[noreturn]] void refuse(const CostInfo& of, const std::string& text) {
  std::string units;
  for (const Unit& unit : of.units) {
    if (*unit.name == '\0') continue;
    units += (units.empty() ? "" : ", ") + std::string(unit.name);
  }
  throw ConfigError(
      fmt::format("must be a positive amount such as '{}' (units: {}) or a share of the space from "
                  "0% to 100% such as '40%', got '{}'",
                  of.example, units, text));
}

}  // namespace

const std::vector<Cost>& all_costs() {
  static const std::vector<Cost> kAll = [] {
    std::vector<Cost> costs;
    for (const CostInfo& entry : infos()) costs.push_back(entry.cost);
    return costs;
  }();
  return kAll;
}

const std::string& cost_key(Cost cost) { return info(cost).key; }
const std::string& cost_metric(Cost cost) { return info(cost).metric; }

std::string format_cost(Cost cost, double value) {
  switch (cost) {
    case Cost::kLatency:
      return core::format_ms(value);
    case Cost::kMacs:
    case Cost::kParams:
      return core::format_count(value);
    case Cost::kPeakMemory:
    case Cost::kModelSize:
      return core::format_bytes(value);
  }
  OMNIFIT_CHECK(false, "unknown cost {}", static_cast<int>(cost));
}

Bound parse_bound(Cost cost, const std::string& text) {
  const CostInfo& of = info(cost);
  const std::string clean = trimmed(text);
  double amount = 0.0;
  const auto [rest, error] = std::from_chars(clean.data(), clean.data() + clean.size(), amount);
  if (error != std::errc{} || !std::isfinite(amount)) refuse(of, text);
  const std::string unit =
      trimmed(std::string_view(rest, static_cast<std::size_t>(clean.data() + clean.size() - rest)));
  if (unit == "%") {
    if (amount < 0.0 || amount > 100.0) refuse(of, text);
    return {cost, amount / 100.0, true};
  }
  const auto found =
      std::find_if(of.units.begin(), of.units.end(), [&](const Unit& u) { return unit == u.name; });
  if (found == of.units.end() || amount <= 0.0) refuse(of, text);
  return {cost, amount * found->factor, false};
}

void BudgetConfig::fields(core::Fields& f) {
  f.text("name", name, "of the budget's files and table row; empty: made from its bounds");
  const std::array<std::pair<Cost, std::string*>, 5> texts{{{Cost::kLatency, &latency},
                                                            {Cost::kMacs, &macs},
                                                            {Cost::kParams, &params},
                                                            {Cost::kPeakMemory, &peak_memory},
                                                            {Cost::kModelSize, &model_size}}};
  bool any = false;
  for (const auto& [cost, value] : texts) {
    if (!f.reading() && value->empty()) continue;  // an absent bound has no text form
    f.text(cost_key(cost), *value,
           fmt::format(
               "upper bound: '{}', or '40%' of the way from the smallest to the largest subnet",
               info(cost).example));
    if (value->empty()) continue;
    any = true;
    try {
      parse_bound(cost, *value);
    } catch (const ConfigError& problem) {
      f.error(cost_key(cost), problem.what());
    }
  }
  if (f.reading() && !any)
    f.error("",
            "a budget needs at least one bound: latency, macs, params, peak_memory or model_size");
  const bool safe = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
  });
  if (f.reading() && (!safe || (!name.empty() && name.front() == '.'))) {
    f.error("name",
            fmt::format(
                "may use letters, digits, '-', '_' and '.', and must not start with '.', got '{}'",
                name));
  }
}

std::vector<Bound> BudgetConfig::bounds() const {
  std::vector<Bound> result;
  if (!latency.empty()) result.push_back(parse_bound(Cost::kLatency, latency));
  if (!macs.empty()) result.push_back(parse_bound(Cost::kMacs, macs));
  if (!params.empty()) result.push_back(parse_bound(Cost::kParams, params));
  if (!peak_memory.empty()) result.push_back(parse_bound(Cost::kPeakMemory, peak_memory));
  if (!model_size.empty()) result.push_back(parse_bound(Cost::kModelSize, model_size));
  return result;
}

std::string BudgetConfig::text() const {
  std::string result;
  const auto add = [&](Cost cost, const std::string& value) {
    if (value.empty()) return;
    result += (result.empty() ? "" : ", ") + cost_key(cost) + " <= " + trimmed(value);
  };
  add(Cost::kLatency, latency);
  add(Cost::kMacs, macs);
  add(Cost::kParams, params);
  add(Cost::kPeakMemory, peak_memory);
  add(Cost::kModelSize, model_size);
  return result;
}

std::string BudgetConfig::slug() const {
  if (!name.empty()) return name;
  std::string result;
  for (const char c : text()) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '.') {
      result += c;
    } else if (c == '%') {
      result += "pct";
    } else if (!result.empty() && result.back() != '-') {
      result += '-';
    }
  }
  while (!result.empty() && result.back() == '-') result.pop_back();
  return result;
}

}  // namespace omnifit::pipeline
