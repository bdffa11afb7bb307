#include "formats/latency_table_file.hpp"

#include "core/fields.hpp"
#include "core/file_io.hpp"
#include "core/node.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <span>

namespace omnifit::formats {
namespace {

/// The largest known table has 4,050 entries in 0.7 MB.
constexpr std::uint64_t kMaxFileBytes = 64 << 20;

template <class T>
std::optional<T> parse_number(const std::string& text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

std::optional<double> finite_number(const core::Node& node) {
  if (node.kind != core::Node::Kind::kScalar || node.quoted) return std::nullopt;
  const auto value = parse_number<double>(node.scalar);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

/// What is wrong with a field's value; nullptr if nothing is.
const char* complaint(const std::string& name, const core::Node& node) {
  if (name == "count") {
    const auto count = node.quoted ? std::nullopt : parse_number<std::int64_t>(node.scalar);
    return count && *count > 0 ? nullptr : "must be a positive integer";
  }
  const auto value = finite_number(node);
  if (name == "mean") {
    return value && *value > 0.0 ? nullptr : "must be a positive finite number of milliseconds";
  }
  return value && *value >= 0.0 ? nullptr : "must be a finite number, not negative";
}

std::string shown(const core::Node& node) {
  switch (node.kind) {
    case core::Node::Kind::kScalar:
      return "'" + node.scalar + "'";
    case core::Node::Kind::kNull:
      return "nothing";
    case core::Node::Kind::kSequence:
      return "a list";
    case core::Node::Kind::kMap:
      return "a map";
  }
  return "";
}

ForeignLatency read_entry(const std::string& key, const core::Node& node,
                          const SourceLocation& key_location, core::Diagnostics& diagnostics) {
  static const std::vector<std::string> known{"count", "mean", "std", "var"};
  ForeignLatency entry{.key = key, .fields = {}, .line = key_location.line};
  if (node.kind != core::Node::Kind::kMap) {
    diagnostics.error(key_location,
                      fmt::format("{}: must be a map with a mean, found {}", key, shown(node)));
    return entry;
  }
  bool has_mean = false;
  for (std::size_t i = 0; i < node.entries.size(); ++i) {
    const auto& [name, value] = node.entries[i];
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      diagnostics.error(
          node.key_locations[i],
          fmt::format("{}: unknown field '{}' (allowed: count, mean, std, var)", key, name));
      continue;
    }
    if (const char* problem = complaint(name, value)) {
      diagnostics.error(value.where.line > 0 ? value.where : node.key_locations[i],
                        fmt::format("{}: {} {}, found {}", key, name, problem, shown(value)));
    }
    entry.fields.push_back({name, value.scalar});
    if (name != "mean") continue;
    has_mean = true;
    entry.mean_ms = finite_number(value).value_or(0.0);
  }
  if (!has_mean) diagnostics.error(key_location, fmt::format("{}: has no mean", key));
  return entry;
}

}  // namespace

const ForeignLatency* ForeignLatencyTable::find(std::string_view key) const {
  const auto found = std::find_if(entries.begin(), entries.end(),
                                  [&](const ForeignLatency& entry) { return entry.key == key; });
  return found == entries.end() ? nullptr : &*found;
}

ForeignLatencyTable parse_latency_table(std::string_view text, const std::string& file_name) {
  const core::Node root = core::parse_yaml(text, file_name);
  if (root.kind != core::Node::Kind::kMap || root.entries.empty()) {
    throw ConfigError(fmt::format(
        "{}: a latency table is a YAML map of operator key to count, mean, std; found {}",
        file_name, root.kind == core::Node::Kind::kMap ? "an empty map" : shown(root)));
  }
  core::Diagnostics diagnostics;
  ForeignLatencyTable table{.name = std::filesystem::path(file_name).filename().string(),
                            .entries = {}};
  for (std::size_t i = 0; i < root.entries.size(); ++i) {
    const auto& [key, node] = root.entries[i];
    table.entries.push_back(read_entry(key, node, root.key_locations[i], diagnostics));
  }
  diagnostics.throw_if_any();
  return table;
}

ForeignLatencyTable read_latency_table(const std::filesystem::path& file) {
  return parse_latency_table(core::read_text_file(file, kMaxFileBytes), core::path_text(file));
}

std::string latency_table_text(const ForeignLatencyTable& table) {
  std::string text;
  for (const ForeignLatency& entry : table.entries) {
    text += entry.key + ":\n";
    for (const ForeignLatency::Field& field : entry.fields) {
      text += fmt::format("  {}: {}\n", field.name, field.text);
    }
  }
  return text;
}

}  // namespace omnifit::formats
