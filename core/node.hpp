#pragma once

#include "core/error.hpp"

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace omnifit::core {

/// A strict YAML tree: every value knows where it was written.
///
/// Narrower than YAML on purpose: one document, no anchors, aliases, merge keys or tags, no
/// duplicate keys, keys are plain scalars. Scalars stay text until a field asks for a type, so `no`
/// is never silently a boolean where a name is meant.
struct Node {
  enum class Kind { kNull, kScalar, kSequence, kMap };

  Kind kind = Kind::kNull;
  std::string scalar;       ///< text of a scalar
  bool quoted = false;      ///< the scalar was quoted: never a number or null
  std::vector<Node> items;  ///< elements of a sequence
  std::vector<std::pair<std::string, Node>> entries;  ///< of a map, in file order
  std::vector<SourceLocation> key_locations;          ///< parallel to `entries`
  SourceLocation where;

  // Out of line: a vector of pairs of an incomplete type is only sound once Node is complete (clang
  // refuses it otherwise).
  Node();
  ~Node();
  Node(const Node&);
  Node(Node&&) noexcept;
  Node& operator=(const Node&);
  Node& operator=(Node&&) noexcept;

  [[nodiscard]] const Node* find(std::string_view key) const;
};

/// Parses one YAML document. @throws ConfigError with file:line:col. An empty document is a null
/// node.
Node parse_yaml(std::string_view text, const std::string& file_name);

/// Reads and parses. @throws ConfigError if the file is missing or not readable as YAML.
Node load_yaml(const std::filesystem::path& file);

/// Applies `path.to.key=value` (value parsed as YAML; list elements by index:
/// `search.budgets.0.latency=12 ms`). Missing maps on the way are created, so that the schema
/// reports an unknown key in its own words, located at "<cli>". @throws ConfigError if the
/// assignment is malformed or an index is out of range.
void apply_override(Node& root, std::string_view assignment);

/// Nearest candidate by edit distance, or "" if none is near enough to be meant.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace omnifit::core
