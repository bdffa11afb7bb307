#include "formats/detail/json_node.hpp"

#include "core/error.hpp"
#include "formats/tensor_file_header.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

namespace omnifit::formats::detail {

namespace {

using nlohmann::json;

/// Far more than any format of ours nests; the parser itself would take a million levels.
constexpr int kMaxNesting = 32;

/// "3:14" of a byte, both counted from 1.
std::string line_and_column(std::string_view text, std::size_t byte) {
  const std::string_view before = text.substr(0, byte > 0 ? byte - 1 : 0);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return fmt::format("{}:{}", line, before.size() - line_start + 1);
}

/// Watches the parser for what it accepts silently.
class ParseWatch {
 public:
  explicit ParseWatch(const std::string& source) : source_(source) {}

  bool operator()(int depth, json::parse_event_t event, const json& parsed) {
    if (event == json::parse_event_t::object_start || event == json::parse_event_t::array_start) {
      if (depth >= kMaxNesting)
        throw DataError(fmt::format("{}: nested deeper than {} levels", source_, kMaxNesting));
      if (event == json::parse_event_t::object_start) keys_.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      keys_.pop_back();
    } else if (event == json::parse_event_t::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!keys_.back().insert(key).second)
        throw DataError(fmt::format("{}: key {} occurs twice", source_, shown_text(key)));
    }
    return true;
  }

 private:
  const std::string& source_;
  std::vector<std::set<std::string>> keys_;  ///< of the objects that are open
};

std::string shown(const json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return fmt::format("a list of {}", value.size());
  if (value.is_string()) return shown_text(value.get_ref<const std::string&>());
  return value.dump();
}

}  // namespace

json parse_json(std::string_view text, const std::string& source) {
  try {
    ParseWatch watch(source);
    return json::parse(text.begin(), text.end(),
                       [&watch](int depth, json::parse_event_t event, json& parsed) {
                         return watch(depth, event, parsed);
                       });
  } catch (const json::parse_error& error) {
    throw DataError(
        fmt::format("{}:{}: not valid JSON", source, line_and_column(text, error.byte)));
  } catch (const json::exception&) {
    throw DataError(fmt::format("{}: not valid JSON: a number is out of range", source));
  }
}

JsonNode::JsonNode(const json& value, const std::string& source)
    : JsonNode(value, source, std::string()) {}

void JsonNode::fail(const std::string& message) const {
  throw DataError(path_.empty() ? fmt::format("{}: {}", *source_, message)
                                : fmt::format("{}: {}: {}", *source_, path_, message));
}

void JsonNode::fail_found(const std::string& allowed) const {
  fail(fmt::format("found {}, allowed: {}", shown(*value_), allowed));
}

void JsonNode::require_object() const {
  if (!value_->is_object()) fail_found("an object");
}

void JsonNode::check_keys(const std::vector<std::string_view>& allowed) const {
  require_object();
  for (const auto& [key, value] : value_->items()) {
    if (std::find(allowed.begin(), allowed.end(), key) == allowed.end())
      fail(fmt::format("unknown key {}, allowed: {}", shown_text(key), fmt::join(allowed, ", ")));
  }
}

bool JsonNode::has(std::string_view key) const {
  require_object();
  return value_->contains(key);
}

JsonNode JsonNode::at(std::string_view key) const {
  const auto found = find(key);
  if (!found) fail(fmt::format("key '{}' is missing", key));
  return *found;
}

std::optional<JsonNode> JsonNode::find(std::string_view key) const {
  if (!has(key)) return std::nullopt;
  std::string path = path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
  return JsonNode(value_->at(std::string(key)), *source_, std::move(path));
}

std::vector<JsonNode> JsonNode::items(std::size_t max_size) const {
  if (!value_->is_array() || value_->empty() || value_->size() > max_size)
    fail_found(fmt::format("a list of 1 to {}", max_size));
  std::vector<JsonNode> nodes;
  for (std::size_t i = 0; i < value_->size(); ++i)
    nodes.push_back(JsonNode((*value_)[i], *source_, fmt::format("{}[{}]", path_, i)));
  return nodes;
}

int JsonNode::integer(int min, int max) const {
  const bool fits =
      value_->is_number_integer() &&
      (!value_->is_number_unsigned() ||
       value_->get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<std::int64_t>::max()}) &&
      value_->get<std::int64_t>() >= min && value_->get<std::int64_t>() <= max;
  if (!fits) fail_found(fmt::format("an integer in [{}, {}]", min, max));
  return value_->get<int>();
}

void JsonNode::expect_integer(int expected, const std::string& why) const {
  if (!value_->is_number_integer() || *value_ != expected)
    fail_found(fmt::format("{}, {}", expected, why));
}

double JsonNode::real(const core::RealRange& range) const {
  const double value =
      value_->is_number() ? value_->get<double>() : std::numeric_limits<double>::quiet_NaN();
  const bool fits = (range.open_min ? value > range.min : value >= range.min) && value <= range.max;
  if (!fits) {
    fail_found(
        fmt::format("a number in {}{}, {}]", range.open_min ? '(' : '[', range.min, range.max));
  }
  return value;
}

bool JsonNode::boolean() const {
  if (!value_->is_boolean()) fail_found("true, false");
  return value_->get<bool>();
}

std::string JsonNode::text() const {
  if (!value_->is_string()) fail_found("a text");
  return value_->get<std::string>();
}

std::size_t JsonNode::one_of(const std::vector<std::string>& names) const {
  const std::string name = is_null()             ? "null"
                           : value_->is_string() ? value_->get<std::string>()
                                                 : std::string();
  const auto found = std::find(names.begin(), names.end(), name);
  // A text that reads "null" is not the null value.
  const bool same = found != names.end() && is_null() == (name == "null");
  if (!same) fail_found(fmt::format("{}", fmt::join(names, ", ")));
  return static_cast<std::size_t>(found - names.begin());
}

}  // namespace omnifit::formats::detail
