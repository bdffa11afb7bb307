#include "formats/network_timings.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "space/detail/arch_pattern.hpp"
#include "space/detail/csv.hpp"

#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <optional>
#include <sstream>

namespace omnifit::formats {
namespace {

using Json = nlohmann::ordered_json;
using space::detail::CsvFile;

constexpr std::uint64_t kMaxJsonBytes = 256 << 20;
constexpr std::array<const char*, 4> kLists{"ks", "e", "d", "w"};
constexpr std::array<const char*, 3> kResolutions{"image_size", "resolution", "r"};

/// Collects rows and refuses what cannot be one, whatever the file's form.
class Collector {
 public:
  using Fail = std::function<void(const std::string&)>;

  explicit Collector(NetworkTimings& timings) : timings_(timings) {}

  /// @param where of the row, for the message about an arch that stands twice.
  void add(const space::Arch& arch, const std::string& where, const Fail& fail) {
    const auto [found, is_new] = seen_.try_emplace(arch, where);
    if (!is_new) fail(fmt::format("this arch stands in {} too", found->second));
    timings_.archs.push_back(arch);
  }
  void add(std::size_t column, double ms, const Fail& fail) {
    if (!std::isfinite(ms) || ms <= 0.0) {
      fail(fmt::format("{} must be a positive number of milliseconds, found {}",
                       timings_.columns[column].name, ms));
    }
    timings_.columns[column].ms.push_back(ms);
  }

 private:
  NetworkTimings& timings_;
  std::map<space::Arch, std::string> seen_;
};

/// The latency columns to read out of those a file has.
std::vector<std::string> chosen_columns(const std::vector<std::string>& asked,
                                        const std::vector<std::string>& there,
                                        const std::string& path) {
  const auto has = [&](const std::string& name) {
    return std::find(there.begin(), there.end(), name) != there.end();
  };
  if (asked.empty()) {
    for (const char* usual : {"latency_ms", "latency"}) {
      if (has(usual)) return {usual};
    }
    throw DataError(
        fmt::format("{}: no column 'latency_ms' or 'latency'; say which column to read (there: {})",
                    path, fmt::join(there, ", ")));
  }
  for (const std::string& name : asked) {
    if (!has(name)) {
      throw DataError(
          fmt::format("{}: no column '{}' (there: {})", path, name, fmt::join(there, ", ")));
    }
  }
  return asked;
}

/// Turns the cells of a CSV row into an arch.
class CsvArchReader {
 public:
  CsvArchReader(const space::SearchSpace& space, const CsvFile& csv, const std::string& path)
      : space_(space), csv_(csv) {
    const auto& columns = csv.columns();
    const auto find = [&](const std::string& name) -> std::optional<std::size_t> {
      const auto found = std::find(columns.begin(), columns.end(), name);
      if (found == columns.end()) return std::nullopt;
      return static_cast<std::size_t>(found - columns.begin());
    };
    arch_ = find("arch");
    if (arch_) return;
    for (const space::TabularFile& table : space.tables()) {
      const auto column = table.arch_column.empty() ? std::nullopt : find(table.arch_column);
      if (!column) continue;
      std::vector<std::string> names;
      for (const space::Gene& gene : space.genes()) names.push_back(gene.name);
      auto compiled = space::detail::ArchPattern::compile(table.arch_pattern, names);
      // Loading the space checked it.
      pattern_ = std::get<space::detail::ArchPattern>(std::move(compiled));
      arch_ = column;
      return;
    }
    for (const char* name : kLists) {
      if (const auto column = find(name)) lists_.emplace_back(name, *column);
    }
    for (const char* name : kResolutions) {
      if (!resolution_) resolution_ = find(name);
    }
    if (lists_.empty()) {
      throw DataError(fmt::format(
          "{}: no column names the archs: 'arch', or 'ks', 'e', 'd' and 'image_size' (there: {})",
          path, fmt::join(columns, ", ")));
    }
  }

  [[nodiscard]] space::Arch read(std::size_t row) const {
    try {
      if (pattern_) {
        const auto parsed = pattern_->parse(csv_.cell(row, *arch_), space_.genes());
        if (const auto* problem = std::get_if<std::string>(&parsed)) csv_.fail(row, *problem);
        return {space_, std::get<std::vector<std::uint8_t>>(parsed)};
      }
      if (arch_) return space::parse_any_arch(space_, csv_.cell(row, *arch_));
      return space::parse_arch_json(space_, json_of(row).dump());
    } catch (const ConfigError& error) {
      csv_.fail(row, error.what());
    }
  }

 private:
  [[nodiscard]] Json json_of(std::size_t row) const {
    Json json = Json::object();
    for (const auto& [name, column] : lists_) {
      json[name] = Json::array();
      std::istringstream words(csv_.cell(row, column));
      for (std::string word; words >> word;) {
        const Json number = Json::parse(word, nullptr, false);
        if (!number.is_number()) csv_.fail(row, fmt::format("{}: '{}' is no number", name, word));
        json[name].push_back(number);
      }
    }
    if (resolution_) {
      const double px = csv_.number(row, *resolution_);
      json["image_size"] = static_cast<std::int64_t>(px);
    }
    return json;
  }

  const space::SearchSpace& space_;
  const CsvFile& csv_;
  std::optional<std::size_t> arch_;
  std::optional<space::detail::ArchPattern> pattern_;
  std::vector<std::pair<std::string, std::size_t>> lists_;
  std::optional<std::size_t> resolution_;
};

NetworkTimings read_csv(const space::SearchSpace& space, const std::filesystem::path& file,
                        const std::vector<std::string>& asked) {
  const std::string path = core::path_text(file);
  const CsvFile csv = CsvFile::load(file);
  NetworkTimings timings;
  std::vector<std::size_t> positions;
  for (const std::string& name : chosen_columns(asked, csv.columns(), path)) {
    timings.columns.push_back({name, {}});
    positions.push_back(csv.column(name));
  }
  const CsvArchReader archs(space, csv, path);
  Collector collector(timings);
  for (std::size_t row = 0; row < csv.num_rows(); ++row) {
    const auto fail = [&](const std::string& message) { csv.fail(row, message); };
    collector.add(archs.read(row), fmt::format("line {}", csv.line(row)), fail);
    for (std::size_t i = 0; i < positions.size(); ++i) {
      collector.add(i, csv.number(row, positions[i]), fail);
    }
  }
  return timings;
}

space::Arch arch_of(const space::SearchSpace& space, const Json& row) {
  if (const auto arch = row.find("arch"); arch != row.end()) {
    return space::parse_any_arch(space,
                                 arch->is_string() ? arch->get<std::string>() : arch->dump());
  }
  Json json = Json::object();
  for (const char* name : kLists) {
    if (row.contains(name)) json[name] = row[name];
  }
  for (const char* name : kResolutions) {
    if (row.contains(name) && !json.contains("image_size")) json["image_size"] = row[name];
  }
  if (json.empty()) {
    throw ConfigError("nothing names the arch: 'arch', or 'ks', 'e', 'd' and 'image_size'");
  }
  return space::parse_arch_json(space, json.dump());
}

NetworkTimings read_json(const space::SearchSpace& space, const std::filesystem::path& file,
                         const std::vector<std::string>& asked) {
  const std::string path = core::path_text(file);
  const Json root = Json::parse(core::read_text_file(file, kMaxJsonBytes), nullptr, false);
  const Json& rows = root.is_object() && root.contains("rows") ? root["rows"] : root;
  if (!rows.is_array() || (!rows.empty() && !rows.front().is_object())) {
    throw DataError(path + ": must be a list of objects, or an object with such a list as 'rows'");
  }
  NetworkTimings timings;
  std::vector<std::string> there;
  if (!rows.empty()) {
    for (const auto& [name, value] : rows.front().items()) there.push_back(name);
    for (const std::string& name : chosen_columns(asked, there, path)) {
      timings.columns.push_back({name, {}});
    }
  }
  Collector collector(timings);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto fail = [&](const std::string& message) {
      throw DataError(fmt::format("{}: row {}: {}", path, i + 1, message));
    };
    const Json& row = rows[i];
    if (!row.is_object()) fail("must be an object");
    try {
      collector.add(arch_of(space, row), fmt::format("row {}", i + 1), fail);
    } catch (const ConfigError& error) {
      fail(error.what());
    }
    for (std::size_t column = 0; column < timings.columns.size(); ++column) {
      const std::string& name = timings.columns[column].name;
      if (!row.contains(name) || !row[name].is_number()) fail(name + " is no number");
      collector.add(column, row[name].get<double>(), fail);
    }
  }
  return timings;
}

}  // namespace

NetworkTimings read_network_timings(const space::SearchSpace& space,
                                    const std::filesystem::path& file,
                                    const std::vector<std::string>& columns) {
  NetworkTimings timings = file.extension() == ".json" ? read_json(space, file, columns)
                                                       : read_csv(space, file, columns);
  if (timings.archs.empty()) throw DataError(core::path_text(file) + ": has no rows");
  return timings;
}

}  // namespace omnifit::formats
