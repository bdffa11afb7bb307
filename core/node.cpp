#include "core/node.hpp"

#include "core/file_io.hpp"
#include "core/utf8.hpp"

#include <yaml-cpp/anchor.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <unordered_map>

namespace omnifit::core {
namespace {

constexpr const char* kCommandLine = "<cli>";
/// Deeper than any configuration; the parser recurses, so a hostile file could exhaust the stack.
constexpr std::size_t kMaxDepth = 64;
/// Foreign latency tables are a few megabytes; a file beyond this is not a configuration.
constexpr std::uint64_t kMaxFileBytes = 64'000'000;

/// Turns the parser's 0-based line and byte column into what an editor shows: 1-based line and
/// character. Values of the command line have no position.
class Locator {
 public:
  Locator(std::string_view text, std::string file) : text_(text), file_(std::move(file)) {
    line_starts_.push_back(0);
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (text[at] == '\n') line_starts_.push_back(at + 1);
    }
  }

  [[nodiscard]] SourceLocation at(const YAML::Mark& mark) const {
    if (mark.is_null() || mark.line < 0) return at_offset(0);
    const auto line = static_cast<std::size_t>(mark.line);
    if (line >= line_starts_.size()) return at_offset(text_.size());
    return at_offset(line_starts_[line] + static_cast<std::size_t>(std::max(mark.column, 0)));
  }

  [[nodiscard]] SourceLocation at_offset(std::size_t offset) const {
    if (file_ == kCommandLine) return {file_, 0, 0};
    offset = std::min(offset, text_.size());
    const auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
    const auto line = static_cast<std::size_t>(after - line_starts_.begin());
    // Positions come in ascending order: counting goes on where it stopped, because a table in one
    // line of megabytes would otherwise take quadratic time.
    const std::size_t start = line_starts_[line - 1];
    if (counted_to_ < start || counted_to_ > offset) {
      counted_to_ = start;
      counted_column_ = 1;
    }
    for (; counted_to_ < offset; ++counted_to_) {
      if ((static_cast<unsigned char>(text_[counted_to_]) & 0xc0U) != 0x80U) ++counted_column_;
    }
    return {file_, static_cast<int>(line), counted_column_};
  }

 private:
  std::string_view text_;
  std::string file_;
  std::vector<std::size_t> line_starts_;
  mutable std::size_t counted_to_ = 0;  ///< offset that `counted_column_` belongs to
  mutable int counted_column_ = 1;
};

/// Refuses what the parser would misread in silence (it takes byte 4 as the end of the file and
/// replaces broken UTF-8) or report in riddles (tabs).
void check_characters(std::string_view text, const Locator& locator) {
  bool only_blanks_so_far = true;
  std::size_t first_tab = std::string_view::npos;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint point = decode_utf8(text, at);
    if (!point.valid) throw ConfigError(locator.at_offset(at), "not valid UTF-8");
    const char32_t value = point.value;
    if (value == '\n') {
      only_blanks_so_far = true;
      first_tab = std::string_view::npos;
    } else if (value == '\t') {
      if (only_blanks_so_far) first_tab = std::min(first_tab, at);
    } else if (value == '\r') {
      // Part of a Windows line end.
    } else if (value < 0x20 || value == 0x7f) {
      throw ConfigError(
          locator.at_offset(at),
          fmt::format("control character U+{:04X} is not allowed", static_cast<unsigned>(value)));
    } else if (value != ' ') {
      if (first_tab != std::string_view::npos) {
        throw ConfigError(locator.at_offset(first_tab),
                          "tabs are not allowed in indentation; use spaces");
      }
      only_blanks_so_far = false;
    }
    at += point.size;
  }
}

/// @return the text without a UTF-8 byte-order mark. @throws ConfigError for other encodings'
/// marks.
std::string_view strip_byte_order_mark(std::string_view text, const SourceLocation& start) {
  using namespace std::string_view_literals;
  if (text.starts_with("\xef\xbb\xbf"sv)) return text.substr(3);
  if (text.starts_with("\xff\xfe"sv) || text.starts_with("\xfe\xff"sv) ||
      text.starts_with("\0\0\xfe\xff"sv)) {
    throw ConfigError(start, "UTF-16 and UTF-32 are not supported; save the file as UTF-8");
  }
  return text;
}

/// Builds the tree from the parser's events and refuses the parts of YAML that Node leaves out.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const Locator& locator) : locator_(locator) {}

  Node take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++document_count_ > 1) {
      throw ConfigError(locator_.at(mark), "only one YAML document is allowed in a file");
    }
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_extras(mark, "", anchor);
    if (awaits_key()) throw ConfigError(locator_.at(mark), "a key must be a name");
    attach(make(Node::Kind::kNull, mark));
  }

  /// An alias of an anchor; one without is the parser's to refuse.
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    throw ConfigError(locator_.at(mark), "aliases (*name) are not supported; repeat the value");
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_extras(mark, tag, anchor);
    const bool quoted = tag == "!";
    if (awaits_key()) {
      start_entry(mark, value, quoted);
      return;
    }
    Node node = make(Node::Kind::kScalar, mark);
    node.scalar = value;
    node.quoted = quoted;
    attach(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(Node::Kind::kSequence, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(Node::Kind::kMap, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    Node node;
    std::string key;  ///< read, its value still to come
    bool has_key = false;
    bool is_key = false;  ///< this list or map stands where a key belongs
    std::unordered_map<std::string, std::size_t> entry_of_key;
  };

  [[nodiscard]] Node make(Node::Kind kind, const YAML::Mark& mark) const {
    Node node;
    node.kind = kind;
    node.where = locator_.at(mark);
    return node;
  }

  [[nodiscard]] bool awaits_key() const {
    return !frames_.empty() && frames_.back().node.kind == Node::Kind::kMap &&
           !frames_.back().has_key;
  }

  void refuse_extras(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) const {
    if (anchor != YAML::NullAnchor) {
      throw ConfigError(locator_.at(mark), "anchors (&name) are not supported; repeat the value");
    }
    // "?" and "!" are the parser's marks for plain and quoted values without a written tag.
    if (!tag.empty() && tag != "?" && tag != "!") {
      throw ConfigError(locator_.at(mark), fmt::format("tags are not supported, got '{}'", tag));
    }
  }

  void start_entry(const YAML::Mark& mark, const std::string& key, bool quoted) {
    const SourceLocation where = locator_.at(mark);
    if (key == "<<" && !quoted) {
      throw ConfigError(where, "merge keys (<<) are not supported; repeat the values");
    }
    Frame& frame = frames_.back();
    const auto [first, inserted] = frame.entry_of_key.emplace(key, frame.node.entries.size());
    if (!inserted) {
      const SourceLocation& earlier = frame.node.key_locations[first->second];
      const std::string hint =
          earlier.line > 0 ? fmt::format(", first written in line {}", earlier.line) : "";
      throw ConfigError(where, fmt::format("duplicate key '{}'{}", key, hint));
    }
    frame.key = key;
    frame.has_key = true;
    frame.node.key_locations.push_back(where);
  }

  void open(Node::Kind kind, const YAML::Mark& mark, const std::string& tag,
            YAML::anchor_t anchor) {
    refuse_extras(mark, tag, anchor);
    if (frames_.size() >= kMaxDepth) {
      throw ConfigError(locator_.at(mark), fmt::format("nested deeper than {} levels", kMaxDepth));
    }
    Frame frame;
    frame.node = make(kind, mark);
    frame.is_key = awaits_key();
    frames_.push_back(std::move(frame));
  }

  void close() {
    // Not before its end: the parser reports an unclosed bracket as such a key at first, and then
    // finds the real mistake.
    if (frames_.back().is_key) {
      throw ConfigError(frames_.back().node.where, "a key must be a name, not a list or map");
    }
    Node finished = std::move(frames_.back().node);
    frames_.pop_back();
    attach(std::move(finished));
  }

  void attach(Node node) {
    if (frames_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = frames_.back();
    if (frame.node.kind == Node::Kind::kSequence) {
      frame.node.items.push_back(std::move(node));
    } else {
      frame.node.entries.emplace_back(std::move(frame.key), std::move(node));
      frame.has_key = false;
    }
  }

  const Locator& locator_;
  std::vector<Frame> frames_;
  Node root_;
  int document_count_ = 0;
};

bool is_index(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// One segment of an override path: the child of `parent`, created in maps if it is missing.
Node& step_into(Node& parent, const std::string& segment, const std::string& path_so_far) {
  const SourceLocation cli{kCommandLine, 0, 0};
  if (parent.kind == Node::Kind::kSequence) {
    std::size_t index = parent.items.size();
    if (is_index(segment)) {
      std::from_chars(segment.data(), segment.data() + segment.size(), index);
    }
    if (index >= parent.items.size()) {
      throw ConfigError(cli, fmt::format("{} has {} elements, there is no element '{}'",
                                         path_so_far, parent.items.size(), segment));
    }
    return parent.items[index];
  }
  if (parent.kind == Node::Kind::kScalar) {
    throw ConfigError(cli, fmt::format("{} is the value '{}', it has no element '{}'", path_so_far,
                                       parent.scalar, segment));
  }
  if (parent.kind == Node::Kind::kNull) {
    parent.kind = Node::Kind::kMap;
    if (parent.where.file.empty()) parent.where = cli;
  }
  for (auto& [key, value] : parent.entries) {
    if (key == segment) return value;
  }
  parent.key_locations.push_back(cli);
  Node child;
  child.where = cli;
  return parent.entries.emplace_back(segment, std::move(child)).second;
}

/// Optimal string alignment distance: insertions, deletions, substitutions and swapped neighbours.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> previous(b.size() + 1);
  std::vector<std::size_t> current(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) previous[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitution = previous[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      current[j] = std::min({previous[j] + 1, current[j - 1] + 1, substitution});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        current[j] = std::min(current[j], before[j - 2] + 1);
      }
    }
    std::swap(before, previous);
    std::swap(previous, current);
  }
  return previous[b.size()];
}

/// Case and the kind of dash are not what a typing error is about.
std::string folded(std::string_view word) {
  std::string result(word);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '-') c = '_';
  }
  return result;
}

}  // namespace

Node::Node() = default;
Node::~Node() = default;
Node::Node(const Node&) = default;
Node::Node(Node&&) noexcept = default;
Node& Node::operator=(const Node&) = default;
Node& Node::operator=(Node&&) noexcept = default;

const Node* Node::find(std::string_view key) const {
  for (const auto& [name, value] : entries) {
    if (name == key) return &value;
  }
  return nullptr;
}

Node parse_yaml(std::string_view text, const std::string& file_name) {
  text = strip_byte_order_mark(text, Locator("", file_name).at_offset(0));
  const Locator locator(text, file_name);
  check_characters(text, locator);
  TreeBuilder builder(locator);
  try {
    // The parser takes the end of the file after a line break for the end of an open quotation; a
    // comment there makes it see that the quotation goes on.
    std::istringstream stream{std::string(text) + (text.ends_with('\n') ? "#" : "\n#")};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    throw ConfigError(locator.at(error.mark), fmt::format("not valid YAML: {}", error.msg));
  }
  Node root = builder.take_root();
  if (root.where.file.empty()) root.where = locator.at_offset(0);
  return root;
}

Node load_yaml(const std::filesystem::path& file) {
  std::string text;
  try {
    text = read_text_file(file, kMaxFileBytes);
  } catch (const DataError& error) {
    throw ConfigError(error.what());
  }
  return parse_yaml(text, path_text(file));
}

void apply_override(Node& root, std::string_view assignment) {
  const SourceLocation cli{kCommandLine, 0, 0};
  const std::size_t equals = assignment.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    throw ConfigError(cli,
                      fmt::format("an override must read path.to.key=value, got '{}'", assignment));
  }
  const std::string path(assignment.substr(0, equals));
  if (path.front() == '.' || path.back() == '.' || path.find("..") != std::string::npos) {
    throw ConfigError(cli,
                      fmt::format("an override must read path.to.key=value, got '{}'", assignment));
  }
  Node value;
  try {
    value = parse_yaml(assignment.substr(equals + 1), kCommandLine);
  } catch (const ConfigError& error) {
    throw ConfigError(fmt::format("{} (in '{}')", error.what(), assignment));
  }

  Node* target = &root;
  Node* parent = nullptr;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t dot = std::min(path.find('.', at), path.size());
    parent = target;
    target = &step_into(*parent, path.substr(at, dot - at), path.substr(0, at == 0 ? 0 : at - 1));
    at = dot + 1;
  }
  *target = std::move(value);
  for (std::size_t k = 0; k < parent->entries.size(); ++k) {
    if (&parent->entries[k].second == target) parent->key_locations[k] = cli;
  }
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string typed = folded(word);
  std::string best;
  std::size_t best_distance = std::string::npos;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(typed, folded(candidate));
    const std::size_t allowed =
        std::max<std::size_t>(1, std::max(typed.size(), candidate.size()) / 3);
    const bool shares_something = distance < std::max(typed.size(), candidate.size());
    if (distance <= allowed && shares_something && distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace omnifit::core
