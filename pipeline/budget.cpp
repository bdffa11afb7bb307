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
      {Cost::kModelSize, "model_size", "model_bytes", kBytes, "2 MB"},
      {Cost::kPeakMemoryInt8, "peak_memory_int8", "peak_memory_int8_bytes", kBytes, "256 kB"},
      {Cost::kModelSizeInt8, "model_size_int8", "model_int8_bytes", kBytes, "1 MB"}};
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

std::string joined_cost_keys() {
  std::string keys;
  for (const CostInfo& entry : infos()) keys += (keys.empty() ? "" : ", ") + entry.key;
  return keys;
}

/// "75 %", "0.75".
Bound parse_accuracy(const std::string& text) {
  double amount = 0.0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, amount);
  const std::string unit = trimmed(std::string_view(rest, static_cast<std::size_t>(end - rest)));
  if (unit == "%") amount /= 100.0;
  const bool in_range = std::isfinite(amount) && amount >= 0.0 && amount <= 1.0;
  if (error != std::errc{} || (!unit.empty() && unit != "%") || !in_range) {
    throw ConfigError(fmt::format(
        "an accuracy is a share of the images such as '75 %' or '0.75', got '{}'", text));
  }
  return {.quantity = {}, .amount = amount};
}

/// "12.5", "40%": the unit is the table's own.
Bound parse_table_bound(const std::string& column, const std::string& text) {
  double amount = 0.0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, amount);
  const std::string unit = trimmed(std::string_view(rest, static_cast<std::size_t>(end - rest)));
  const bool relative = unit == "%";
  const bool in_range = std::isfinite(amount) && (!relative || (amount >= 0.0 && amount <= 100.0));
  if (error != std::errc{} || (!unit.empty() && !relative) || !in_range) {
    throw ConfigError(
        fmt::format("an amount of a table's metric is a number in the table's unit or a share of "
                    "its range from 0% to 100% such as '40%', got '{}'",
                    text));
  }
  return {.quantity = {.cost = std::nullopt, .device = {}, .column = column},
          .amount = relative ? amount / 100.0 : amount,
          .relative = relative};
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
    case Cost::kPeakMemoryInt8:
    case Cost::kModelSizeInt8:
      return core::format_bytes(value);
  }
  OMNIFIT_CHECK(false, "unknown cost {}", static_cast<int>(cost));
}

std::string Quantity::key() const {
  if (!column.empty()) return fmt::format("{}@{}", kTableKey, column);
  if (!cost) return "top1";
  return cost_key(*cost) + (device.empty() ? "" : "@" + device);
}

std::string Quantity::metric() const {
  if (!column.empty()) return key();
  if (!cost) return "top1";
  return cost_metric(*cost) + (device.empty() ? "" : "@" + device);
}

std::string Quantity::format(double value) const {
  if (!column.empty()) return fmt::format("{:.6g}", value);
  return cost ? format_cost(*cost, value) : core::format_percent(value);
}

std::string Limit::text() const {
  return fmt::format("{} {} {}", quantity.key(), at_least ? ">=" : "<=", quantity.format(value));
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
    return {.quantity = {cost, {}, {}}, .amount = amount / 100.0, .relative = true};
  }
  const auto found =
      std::find_if(of.units.begin(), of.units.end(), [&](const Unit& u) { return unit == u.name; });
  if (found == of.units.end() || amount <= 0.0) refuse(of, text);
  return {.quantity = {cost, {}, {}}, .amount = amount * found->factor};
}

Bound parse_bound(const std::string& text) {
  const auto sign = text.find_first_of("<>");
  const bool complete =
      sign != std::string::npos && sign + 1 < text.size() && text[sign + 1] == '=';
  const std::string subject = trimmed(std::string_view(text).substr(0, complete ? sign : 0));
  const auto at = subject.find('@');
  const std::string key = subject.substr(0, at);
  const std::string name = at == std::string::npos ? "" : subject.substr(at + 1);
  const auto found = std::ranges::find(infos(), key, &CostInfo::key);
  const bool of_table = key == kTableKey;
  const bool known = key == "top1" || of_table || found != infos().end();
  const bool may_be_named = key == "latency" || of_table;
  const bool named_right = at == std::string::npos ? !of_table : may_be_named && !name.empty();
  if (!complete || !known || !named_right) {
    throw ConfigError(
        fmt::format("must be a quantity, '<=' or '>=' and an amount, such as 'latency@phone <= 20 "
                    "ms', 'macs <= 40%' or 'top1 >= 75 %' (quantities: top1, {}; a device only "
                    "after latency; {}@METRIC in a tabular space), got '{}'",
                    joined_cost_keys(), kTableKey, text));
  }
  const std::string amount = trimmed(std::string_view(text).substr(sign + 2));
  Bound bound = of_table        ? parse_table_bound(name, amount)
                : key == "top1" ? parse_accuracy(amount)
                                : parse_bound(found->cost, amount);
  bound.at_least = text[sign] == '>';
  if (!of_table) bound.quantity.device = name;
  return bound;
}

void BudgetConfig::fields(core::Fields& f) {
  f.text("name", name, "of the budget's files and table row; empty: made from its bounds");
  bool any = false;
  for (const Cost cost : all_costs()) {
    std::string& value = bound_text(cost);
    if (!f.reading() && value.empty()) continue;  // an absent bound has no text form
    f.text(cost_key(cost), value,
           fmt::format(
               "upper bound: '{}', or '40%' of the way from the smallest to the largest subnet",
               info(cost).example));
    if (value.empty()) continue;
    any = true;
    try {
      parse_bound(cost, value);
    } catch (const ConfigError& problem) {
      f.error(cost_key(cost), problem.what());
    }
  }
  if (f.reading() || !more.empty()) {
    f.texts("bounds", more,
            "others, upper or lower: 'latency@phone <= 20 ms' on a device by name, 'top1 >= 75 %'");
  }
  for (const std::string& text : more) {
    any = true;
    try {
      parse_bound(text);
    } catch (const ConfigError& problem) {
      f.error("bounds", problem.what());
    }
  }
  if (f.reading() && !any) {
    f.error("", fmt::format("a budget needs at least one bound: {} or an entry of bounds",
                            joined_cost_keys()));
  }
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

std::string& BudgetConfig::bound_text(Cost cost) {
  switch (cost) {
    case Cost::kLatency:
      return latency;
    case Cost::kMacs:
      return macs;
    case Cost::kParams:
      return params;
    case Cost::kPeakMemory:
      return peak_memory;
    case Cost::kModelSize:
      return model_size;
    case Cost::kPeakMemoryInt8:
      return peak_memory_int8;
    case Cost::kModelSizeInt8:
      return model_size_int8;
  }
  OMNIFIT_CHECK(false, "unknown cost {}", static_cast<int>(cost));
}

const std::string& BudgetConfig::bound_text(Cost cost) const {
  return const_cast<BudgetConfig*>(this)->bound_text(cost);  // NOLINT(*-const-cast): only read
}

std::vector<Bound> BudgetConfig::bounds() const {
  std::vector<Bound> result;
  for (const Cost cost : all_costs()) {
    if (!bound_text(cost).empty()) result.push_back(parse_bound(cost, bound_text(cost)));
  }
  for (const std::string& text : more) result.push_back(parse_bound(text));
  return result;
}

std::string BudgetConfig::text() const {
  std::string result;
  const auto add = [&](const std::string& bound) {
    result += (result.empty() ? "" : ", ") + bound;
  };
  for (const Cost cost : all_costs()) {
    if (!bound_text(cost).empty()) add(cost_key(cost) + " <= " + trimmed(bound_text(cost)));
  }
  for (const std::string& text : more) add(trimmed(text));
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
