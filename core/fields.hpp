#pragma once

#include "core/node.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace omnifit::core {

/// Name ↔ value of an enum, one table for parsing, printing and the "allowed" list.
template <class E>
using EnumTable = std::vector<std::pair<E, std::string>>;

template <class E>
const std::string& enum_name(const EnumTable<E>& table, E value) {
  for (const auto& [candidate, name] : table) {
    if (candidate == value) return name;
  }
  OMNIFIT_CHECK(false, "enum value {} has no name", static_cast<int>(value));
}

struct IntRange {
  std::int64_t min = INT64_MIN;
  std::int64_t max = INT64_MAX;
};

/// Closed interval; `open_min` excludes the lower end. NaN and infinity are never allowed.
struct RealRange {
  double min = -1e300;
  double max = 1e300;
  bool open_min = false;
};

/// Collects every error of a file, so that a user sees all of them at once.
class Diagnostics {
 public:
  void error(const SourceLocation& where, const std::string& message);
  [[nodiscard]] bool empty() const { return messages_.empty(); }
  /// @throws ConfigError with one line per error in the order of the file, if there are any; beyond
  /// 50 the rest is counted.
  void throw_if_any() const;

 private:
  struct Message {
    SourceLocation where;
    std::string text;
  };
  std::vector<Message> messages_;
};

/// A configuration struct lists its fields once, and reading, checking, printing the effective
/// configuration and writing a commented template all follow from that list:
///
///     void TrainConfig::fields(core::Fields& f) {
///       f.integer("batch_size", batch_size, {1, 65536}, "images per optimiser step");
///     }
///
/// A reader fills the struct from a Node (absent keys keep the struct's default) and reports
/// unknown keys, wrong types and values out of range to its Diagnostics. A writer appends YAML
/// text.
class Fields {
 public:
  enum class Style { kPlain, kCommented };

  /// Reads from `map` (null reads as an empty map). `path` is the dotted path of this section (""
  /// at the root).
  static Fields reader(const Node& map, std::string path, Diagnostics& diagnostics);
  /// Appends to `out` at the given indentation (two spaces a level).
  static Fields writer(std::string& out, Style style, int level = 0);

  void integer(std::string_view name, std::int64_t& value, IntRange allowed, std::string_view doc);
  void integer(std::string_view name, int& value, IntRange allowed, std::string_view doc);
  void unsigned64(std::string_view name, std::uint64_t& value, std::string_view doc);
  void real(std::string_view name, double& value, RealRange allowed, std::string_view doc);
  void boolean(std::string_view name, bool& value, std::string_view doc);
  /// A string, optionally from a closed list. `not_empty` refuses "".
  void text(std::string_view name, std::string& value, std::string_view doc,
            bool not_empty = false);
  void integers(std::string_view name, std::vector<int>& values, IntRange allowed,
                std::string_view doc);
  void reals(std::string_view name, std::vector<double>& values, RealRange allowed,
             std::string_view doc);
  void texts(std::string_view name, std::vector<std::string>& values, std::string_view doc);

  template <class E>
  void choice(std::string_view name, E& value, const EnumTable<E>& table, std::string_view doc) {
    std::vector<std::string> allowed;
    for (const auto& entry : table) allowed.push_back(entry.second);
    std::string text_value = enum_name(table, value);
    if (auto index = choice_index(name, text_value, allowed, doc)) value = table[*index].first;
  }

  /// A nested map. T has `void fields(Fields&)`.
  template <class T>
  void section(std::string_view name, T& value, std::string_view doc) {
    Fields child = enter_section(name, doc);
    value.fields(child);
    child.finish();
  }

  /// A nested map that may be absent: reading engages the optional only if the key is there.
  template <class T>
  void optional_section(std::string_view name, std::optional<T>& value, std::string_view doc) {
    if (reading()) {
      if (has(name))
        section(name, value.emplace(), doc);
      else
        mark_known(name);
    } else if (value) {
      section(name, *value, doc);
    }
  }

  /// A list of maps. If the key is absent the default list stays.
  template <class T>
  void sections(std::string_view name, std::vector<T>& values, std::string_view doc) {
    if (reading()) {
      const std::size_t count = open_list(name);
      if (count == kAbsent) return;
      values.assign(count, T{});
      for (std::size_t i = 0; i < count; ++i) {
        Fields child = enter_item(name, i);
        values[i].fields(child);
        child.finish();
      }
    } else {
      begin_list(name, doc, values.empty());
      for (auto& value : values) {
        Fields child = begin_item();
        value.fields(child);
        child.finish();
      }
    }
  }

  [[nodiscard]] bool reading() const { return node_ != nullptr; }
  /// Writing a commented template, which shows every field: also those that are written only where
  /// they are set.
  [[nodiscard]] bool explaining() const { return !reading() && style_ == Style::kCommented; }
  /// Reading only: whether the key is present with a value.
  [[nodiscard]] bool has(std::string_view name) const;
  /// Reading only: where the value of `name` was written, or the section if it is absent.
  [[nodiscard]] SourceLocation location(std::string_view name) const;
  /// Reports an error about a field of this section ("" for the section itself), e.g. from a
  /// cross-field check: "FILE:LINE:COL: section.name: message". Does nothing in a writer.
  void error(std::string_view name, const std::string& message);
  /// Reports keys that no field asked for. Called by section(); call it yourself at the root.
  void finish();

  static constexpr std::size_t kAbsent = static_cast<std::size_t>(-1);

 private:
  Fields() = default;
  std::optional<std::size_t> choice_index(std::string_view name, std::string& value,
                                          const std::vector<std::string>& allowed,
                                          std::string_view doc);
  Fields enter_section(std::string_view name, std::string_view doc);
  std::size_t open_list(std::string_view name);
  Fields enter_item(std::string_view name, std::size_t index);
  void begin_list(std::string_view name, std::string_view doc, bool empty);
  Fields begin_item();
  template <class T, class Parse>
  void read_value(std::string_view name, T& value, const Parse& parse);
  template <class T, class Parse>
  void read_list(std::string_view name, std::vector<T>& values, const Parse& parse);
  void must_be(const std::string& subject, const Node& node, const std::string& what);
  void mark_known(std::string_view name);
  const Node* take(std::string_view name);
  void write_line(std::string_view name, const std::string& value, std::string_view doc);
  [[nodiscard]] std::string full_name(std::string_view name) const;

  const Node* node_ = nullptr;
  SourceLocation where_;  ///< of this section, also if it is absent
  std::string path_;
  Diagnostics* diagnostics_ = nullptr;
  std::vector<std::string> known_;
  std::string* out_ = nullptr;
  Style style_ = Style::kPlain;
  int level_ = 0;
  std::size_t start_ = kAbsent;  ///< size of the text when this section's content began
  bool first_in_item_ = false;   ///< the next line written carries the "- " of its list item
};

/// Reads a whole configuration. @throws ConfigError listing every error.
template <class T>
T read_config(const Node& root) {
  Diagnostics diagnostics;
  T config;
  Fields fields = Fields::reader(root, "", diagnostics);
  config.fields(fields);
  fields.finish();
  diagnostics.throw_if_any();
  return config;
}

/// The configuration as YAML text; reading it back gives an equal configuration.
template <class T>
std::string write_config(T config, Fields::Style style = Fields::Style::kPlain) {
  std::string out;
  Fields fields = Fields::writer(out, style);
  config.fields(fields);
  return out;
}

}  // namespace omnifit::core
