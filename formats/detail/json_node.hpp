#pragma once

#include "core/fields.hpp"

#include <nlohmann/json.hpp>

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace omnifit::formats::detail {

/// Reads JSON that somebody else wrote. Repeated keys and deep nesting are errors.
/// @param source names the text in messages: a file name.
/// @throws DataError "SOURCE:LINE:COLUMN: …" or "SOURCE: PATH: …".
nlohmann::json parse_json(std::string_view text, const std::string& source);

/// A value of a JSON text with its place, for readers that check all they take. Every reading
/// function throws DataError, one line: "SOURCE: blocks[3].conv.stride: found 0, allowed: …".
/// Refers to the document and to the source's name, which must outlive it.
class JsonNode {
 public:
  JsonNode(const nlohmann::json& value, const std::string& source);

  /// Requires an object with none but these keys.
  void check_keys(const std::vector<std::string_view>& allowed) const;
  /// Requires an object.
  [[nodiscard]] bool has(std::string_view key) const;
  /// Requires an object that has the key.
  [[nodiscard]] JsonNode at(std::string_view key) const;
  /// As at(), but nullopt where the object does not have the key.
  [[nodiscard]] std::optional<JsonNode> find(std::string_view key) const;
  /// Requires a list of 1 to `max_size` values.
  [[nodiscard]] std::vector<JsonNode> items(std::size_t max_size) const;

  [[nodiscard]] bool is_null() const { return value_->is_null(); }
  [[nodiscard]] bool is_list() const { return value_->is_array(); }
  [[nodiscard]] int integer(int min, int max) const;
  /// An integer that must have this one value; `why` follows it in the message.
  void expect_integer(int expected, const std::string& why) const;
  [[nodiscard]] double real(const core::RealRange& range) const;
  [[nodiscard]] bool boolean() const;
  [[nodiscard]] std::string text() const;

  /// Index of the text (or null, which is the name "null") in `names`. Also serves as a mere check.
  std::size_t one_of(const std::vector<std::string>& names) const;

  /// @throws DataError "SOURCE: PATH: found VALUE, allowed: ALLOWED".
  [[noreturn]] void fail_found(const std::string& allowed) const;
  /// @throws DataError "SOURCE: PATH: MESSAGE".
  [[noreturn]] void fail(const std::string& message) const;

 private:
  JsonNode(const nlohmann::json& value, const std::string& source, std::string path)
      : value_(&value), source_(&source), path_(std::move(path)) {}
  void require_object() const;

  const nlohmann::json* value_;
  const std::string* source_;
  std::string path_;  ///< empty at the top
};

}  // namespace omnifit::formats::detail
