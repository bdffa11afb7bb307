#include "report/loader.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <string_view>
#include <utility>

namespace omnifit::report {
namespace {

constexpr std::size_t kMaxValueBytes = 120;

using Json = nlohmann::ordered_json;

std::string readable_key(std::string key) {
  std::replace(key.begin(), key.end(), '_', ' ');
  if (key == "cpu" || key.rfind("cpu ", 0) == 0) return "CPU" + key.substr(3);
  if (key == "libtorch") return "LibTorch";
  if (!key.empty() && key[0] >= 'a' && key[0] <= 'z') key[0] = static_cast<char>(key[0] - 32);
  return key;
}

std::string scalar_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_null()) return "";
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Long values (lists of CPU flags) end early; the project file has them in full.
std::string shortened(std::string text) {
  if (text.size() <= kMaxValueBytes) return text;
  const std::size_t end = text.rfind(' ', kMaxValueBytes);
  text.resize(end == std::string::npos ? kMaxValueBytes : end);
  return text + " \u2026";
}

/// A unit at the end of the key belongs behind the value.
void add_scalar(std::string name, std::string value, Facts& facts) {
  constexpr std::string_view kUnit = " gb";
  if (name.size() > kUnit.size() && name.substr(name.size() - kUnit.size()) == kUnit) {
    name.resize(name.size() - kUnit.size());
    value += " GB";
  }
  facts.emplace_back(std::move(name), shortened(std::move(value)));
}

void flatten(const Json& value, const std::string& prefix, Facts& facts) {
  for (const auto& [key, item] : value.items()) {
    const std::string name = prefix.empty() ? readable_key(key) : prefix + ", " + readable_key(key);
    if (item.is_object()) {
      flatten(item, name, facts);
    } else if (item.is_array()) {
      std::string list;
      for (const Json& element : item) list += (list.empty() ? "" : ", ") + scalar_text(element);
      facts.emplace_back(name, shortened(list));
    } else {
      add_scalar(name, scalar_text(item), facts);
    }
  }
}

}  // namespace

Facts facts_of_json(const std::string& json, const std::string& fallback) {
  const Json value = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  Facts facts;
  if (value.is_object()) {
    flatten(value, "", facts);
  } else if (!json.empty()) {
    facts.emplace_back(fallback, shortened(json));
  }
  return facts;
}

}  // namespace omnifit::report
