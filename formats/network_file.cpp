#include "formats/network_file.hpp"

#include "core/error.hpp"
#include "core/file_io.hpp"
#include "formats/tensor_file_header.hpp"

#include <charconv>
#include <limits>
#include <stdexcept>

namespace omnifit::formats {
namespace {

constexpr const char* kKind = "omnifit.network/1";
constexpr const char* kKindKey = "kind";
constexpr const char* kResolutionKey = "resolution_px";
constexpr const char* kChannelsKey = "in_channels";
constexpr const char* kClassesKey = "num_classes";
constexpr const char* kUnitsKey = "units";

/// Far beyond what is in use, and small enough that a header alone cannot ask for all memory.
constexpr int kMaxResolutionPx = 2048;
constexpr int kMaxChannels = 256;
constexpr int kMaxClasses = 1'000'000;

/// Takes metadata out of a file, so that the rest is notes.
class Metadata {
 public:
  Metadata(const std::string& where, std::map<std::string, std::string>& entries)
      : where_(where), entries_(entries) {}

  std::string text(const char* key) {
    const auto found = entries_.extract(key);
    if (found.empty()) {
      throw DataError(fmt::format("{}: not a network file: no metadata '{}'", where_, key));
    }
    return found.mapped();
  }

  int positive(const char* key, int most) {
    const std::string value = text(key);
    int number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc() || end != value.data() + value.size() || number < 1 || number > most) {
      throw DataError(fmt::format("{}: metadata '{}' is {}, expected an integer from 1 to {}",
                                  where_, key, shown_text(value), most));
    }
    return number;
  }

 private:
  const std::string& where_;
  std::map<std::string, std::string>& entries_;
};

std::vector<space::PlanUnit> parse_units(const std::string& where, const std::string& text) {
  std::vector<space::PlanUnit> units;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    try {
      units.push_back(
          {static_cast<int>(units.size()), space::parse_spec(text.substr(begin, end - begin))});
    } catch (const DataError& error) {
      throw DataError(fmt::format("{}: unit {}: {}", where, units.size(), error.what()));
    }
    begin = end + 1;
  }
  return units;
}

}  // namespace

void write_network_file(const std::filesystem::path& file, const FoldedNetwork& network,
                        const std::map<std::string, std::string>& notes) {
  network.validate();
  std::string units;
  for (const space::PlanUnit& unit : network.plan.units) {
    units += space::spec_text(unit.spec) + "\n";
  }
  TensorFile content{{{kKindKey, kKind},
                      {kResolutionKey, fmt::format("{}", network.plan.resolution_px)},
                      {kChannelsKey, fmt::format("{}", network.plan.io.in_channels)},
                      {kClassesKey, fmt::format("{}", network.plan.io.num_classes)},
                      {kUnitsKey, std::move(units)}},
                     network.tensors};
  for (const auto& [key, value] : notes) {
    if (!content.metadata.emplace(key, value).second) {
      throw std::invalid_argument(fmt::format("note '{}' is a key of the format", key));
    }
  }
  write_tensor_file(file, content);
}

NetworkFile read_network_file(const std::filesystem::path& file) {
  const std::string where = core::path_text(file);
  TensorFile content = read_tensor_file(file);
  Metadata metadata(where, content.metadata);
  if (const std::string kind = metadata.text(kKindKey); kind != kKind) {
    throw DataError(fmt::format("{}: is a {} file, expected '{}'", where, shown_text(kind), kKind));
  }
  NetworkFile read;
  read.network.plan.resolution_px = metadata.positive(kResolutionKey, kMaxResolutionPx);
  read.network.plan.io = {metadata.positive(kChannelsKey, kMaxChannels),
                          metadata.positive(kClassesKey, kMaxClasses)};
  read.network.plan.units = parse_units(where, metadata.text(kUnitsKey));
  read.network.tensors = std::move(content.tensors);
  read.notes = std::move(content.metadata);
  try {
    read.network.validate();
  } catch (const DataError& error) {
    throw DataError(fmt::format("{}: {}", where, error.what()));
  }
  return read;
}

}  // namespace omnifit::formats
