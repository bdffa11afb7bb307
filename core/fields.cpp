#include "core/fields.hpp"

#include "core/utf8.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <tuple>
#include <type_traits>

namespace omnifit::core {
namespace {

const Node& null_node() {
  static const Node node;
  return node;
}

/// What was found, for "must be …, got …".
std::string described(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull:
      return "nothing";
    case Node::Kind::kSequence:
      return "a list";
    case Node::Kind::kMap:
      return "a map";
    case Node::Kind::kScalar:
      break;
  }
  return fmt::format("{}'{}'", node.quoted ? "the quoted text " : "", node.scalar);
}

bool is_plain_scalar(const Node& node) { return node.kind == Node::Kind::kScalar && !node.quoted; }

std::string joined(const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, ", "));
}

constexpr double kRealLimit = 1e300;  // what RealRange uses for "no bound"

std::string allowed_text(const IntRange& range) {
  const bool bounded_below = range.min != INT64_MIN;
  const bool bounded_above = range.max != INT64_MAX;
  if (bounded_below && !bounded_above) return fmt::format("at least {}", range.min);
  if (bounded_above && !bounded_below) return fmt::format("at most {}", range.max);
  return fmt::format("in [{}, {}]", range.min, range.max);
}

std::string allowed_text(const RealRange& range) {
  const bool bounded_below = range.min > -kRealLimit;
  const bool bounded_above = range.max < kRealLimit;
  if (bounded_below && !bounded_above) {
    return fmt::format("{} {}", range.open_min ? "greater than" : "at least", range.min);
  }
  if (bounded_above && !bounded_below) return fmt::format("at most {}", range.max);
  return fmt::format("in {}{}, {}]", range.open_min ? '(' : '[', range.min, range.max);
}

bool bounded(const IntRange& range) { return range.min != INT64_MIN || range.max != INT64_MAX; }
bool bounded(const RealRange& range) { return range.min > -kRealLimit || range.max < kRealLimit; }

std::string with_range(std::string_view doc, const auto& range) {
  if (!bounded(range)) return std::string(doc);
  return fmt::format("{}{}{}", doc, doc.empty() ? "" : "; ", allowed_text(range));
}

/// The value or what it must be.
template <class T>
struct Parsed {
  std::optional<T> value;
  std::string must_be;
};

enum class IntegerForm { kNone, kFits, kTooLarge };

/// Decimal digits with an optional sign, and nothing else.
template <class T>
IntegerForm parse_integer_text(std::string_view text, T& value) {
  std::string_view digits = text;
  if (digits.starts_with('+') || digits.starts_with('-')) digits.remove_prefix(1);
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) {
    return IntegerForm::kNone;
  }
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && stop == text.data() + text.size() ? IntegerForm::kFits
                                                                   : IntegerForm::kTooLarge;
}

Parsed<std::int64_t> parse_integer(const Node& node, const IntRange& range) {
  std::int64_t value = 0;
  const IntegerForm form =
      is_plain_scalar(node) ? parse_integer_text(node.scalar, value) : IntegerForm::kNone;
  if (form == IntegerForm::kNone) return {{}, fmt::format("an integer, got {}", described(node))};
  if (form == IntegerForm::kTooLarge || value < range.min || value > range.max) {
    return {{}, fmt::format("{}, got {}", allowed_text(range), node.scalar)};
  }
  return {value, {}};
}

Parsed<std::uint64_t> parse_unsigned(const Node& node) {
  std::uint64_t value = 0;
  const IntegerForm form =
      is_plain_scalar(node) ? parse_integer_text(node.scalar, value) : IntegerForm::kNone;
  if (form == IntegerForm::kNone) return {{}, fmt::format("an integer, got {}", described(node))};
  if (form == IntegerForm::kTooLarge) {
    return {{}, fmt::format("in [0, {}], got {}", UINT64_MAX, node.scalar)};
  }
  return {value, {}};
}

Parsed<double> parse_real(const Node& node, const RealRange& range) {
  std::string_view text = node.scalar;
  const std::string wrong = fmt::format("a finite number, got {}", described(node));
  // Letters other than an exponent would let from_chars read "inf" and "nan".
  if (!is_plain_scalar(node) ||
      text.find_first_not_of("0123456789+-.eE") != std::string_view::npos) {
    return {{}, wrong};
  }
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return {{}, wrong};
  }
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) {
    return {{}, fmt::format("a number that a 64-bit float can hold, got '{}'", node.scalar)};
  }
  if (error != std::errc() || stop != text.data() + text.size()) return {{}, wrong};
  const bool above_min = range.open_min ? value > range.min : value >= range.min;
  if (!above_min || value > range.max) {
    return {{}, fmt::format("{}, got {}", allowed_text(range), node.scalar)};
  }
  return {value, {}};
}

Parsed<bool> parse_boolean(const Node& node) {
  if (is_plain_scalar(node) && node.scalar == "true") return {true, {}};
  if (is_plain_scalar(node) && node.scalar == "false") return {false, {}};
  return {{}, fmt::format("true or false, got {}", described(node))};
}

Parsed<std::string> parse_text(const Node& node) {
  if (node.kind != Node::Kind::kScalar) {
    return {{}, fmt::format("a text, got {}", described(node))};
  }
  return {node.scalar, {}};
}

/// Words that YAML readers take for something other than text, though Node would not.
bool is_reserved_word(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  static const std::vector<std::string> kWords = {"null", "true", "false", "yes", "no",
                                                  "on",   "off",  "y",     "n"};
  return std::find(kWords.begin(), kWords.end(), lower) != kWords.end();
}

/// Plain only if every YAML reader gives the same text back; better one quote too many.
bool may_be_plain(std::string_view text) {
  if (text.empty() || is_reserved_word(text)) return false;
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '/';
  };
  const auto is_inner = [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') ||
           std::string_view(" .-+%").find(c) != std::string_view::npos;
  };
  const bool starts_like_number_or_path =
      (text[0] >= '0' && text[0] <= '9') || text.starts_with("./") || text.starts_with("../");
  if (!is_letter(text[0]) && !starts_like_number_or_path) return false;
  if (text.back() == ' ' || !std::all_of(text.begin(), text.end(), is_inner)) return false;
  // "12 ms" is text to everybody, "12", "1e5" and "2026-01-31" are not.
  return !(starts_like_number_or_path && text[0] != '.') ||
         text.find_first_of(" %") != std::string_view::npos;
}

void append_escaped(std::string& out, std::string_view text, std::size_t& at) {
  const CodePoint point = decode_utf8(text, at);
  if (!point.valid) throw ConfigError(fmt::format("the text \"{}\" is not valid UTF-8", text));
  const auto value = static_cast<std::uint32_t>(point.value);
  const bool line_break = value == 0x85 || value == 0x2028 || value == 0x2029;
  if (value == '"' || value == '\\') {
    out += {'\\', static_cast<char>(value)};
  } else if (value == '\n') {
    out += "\\n";
  } else if (value == '\t') {
    out += "\\t";
  } else if (value < 0x20 || (value >= 0x7f && value < 0xa0) || line_break || value == 0xfeff) {
    out += fmt::format("\\u{:04x}", value);
  } else {
    out += text.substr(at, point.size);
  }
  at += point.size;
}

std::string yaml_text(std::string_view text) {
  if (may_be_plain(text)) return std::string(text);
  std::string out = "\"";
  for (std::size_t at = 0; at < text.size();) append_escaped(out, text, at);
  return out + '"';
}

template <class T>
std::string yaml_list(const std::vector<T>& values) {
  std::vector<std::string> parts;
  for (const T& value : values) {
    if constexpr (std::is_same_v<T, std::string>) {
      parts.push_back(yaml_text(value));
    } else {
      parts.push_back(fmt::format("{}", value));
    }
  }
  return fmt::format("[{}]", joined(parts));
}

/// Comment lines of at most 100 columns, broken between words.
void append_comment(std::string& out, const std::string& indent, std::string_view doc) {
  constexpr std::size_t kColumns = 100;
  std::string line;
  const auto flush = [&] {
    if (!line.empty()) out += fmt::format("{}# {}\n", indent, line);
    line.clear();
  };
  for (std::size_t at = 0; at < doc.size();) {
    const std::size_t end = std::min(doc.find_first_of(" \n", at), doc.size());
    const std::string_view word = doc.substr(at, end - at);
    if (!line.empty() && indent.size() + 3 + line.size() + word.size() > kColumns) flush();
    if (!word.empty()) {
      if (!line.empty()) line += ' ';
      line += word;
    }
    if (end < doc.size() && doc[end] == '\n') flush();
    at = end + 1;
  }
  flush();
}

}  // namespace

void Diagnostics::error(const SourceLocation& where, const std::string& message) {
  messages_.push_back({where, fmt::format("{}: {}", where.str(), message)});
}

void Diagnostics::throw_if_any() const {
  if (messages_.empty()) return;
  constexpr std::size_t kShown = 50;
  std::vector<Message> sorted = messages_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Message& a, const Message& b) {
    return std::tie(a.where.file, a.where.line, a.where.column) <
           std::tie(b.where.file, b.where.line, b.where.column);
  });
  std::string text;
  for (std::size_t k = 0; k < std::min(kShown, sorted.size()); ++k) {
    if (k > 0) text += '\n';
    text += sorted[k].text;
  }
  if (sorted.size() > kShown) text += fmt::format("\nand {} more errors", sorted.size() - kShown);
  throw ConfigError(text);
}

Fields Fields::reader(const Node& map, std::string path, Diagnostics& diagnostics) {
  Fields fields;
  fields.node_ = &map;
  fields.where_ = map.where;
  fields.path_ = std::move(path);
  fields.diagnostics_ = &diagnostics;
  if (map.kind != Node::Kind::kMap && map.kind != Node::Kind::kNull) {
    fields.must_be(fields.path_.empty() ? "the document" : fields.path_, map,
                   fmt::format("a map of keys and values, got {}", described(map)));
    fields.node_ = &null_node();
  }
  return fields;
}

Fields Fields::writer(std::string& out, Style style, int level) {
  Fields fields;
  fields.out_ = &out;
  fields.style_ = style;
  fields.level_ = level;
  return fields;
}

template <class T, class Parse>
void Fields::read_value(std::string_view name, T& value, const Parse& parse) {
  const Node* node = take(name);
  if (node == nullptr) return;
  auto parsed = parse(*node);
  if (parsed.value) {
    value = static_cast<T>(*std::move(parsed.value));
  } else {
    must_be(full_name(name), *node, parsed.must_be);
  }
}

template <class T, class Parse>
void Fields::read_list(std::string_view name, std::vector<T>& values, const Parse& parse) {
  const std::size_t count = open_list(name);
  if (count == kAbsent) return;
  values.clear();
  const Node& list = *node_->find(name);
  for (std::size_t i = 0; i < count; ++i) {
    auto parsed = parse(list.items[i]);
    if (parsed.value) {
      values.push_back(*std::move(parsed.value));
    } else {
      must_be(fmt::format("{}.{}", full_name(name), i), list.items[i], parsed.must_be);
    }
  }
}

void Fields::integer(std::string_view name, std::int64_t& value, IntRange allowed,
                     std::string_view doc) {
  if (!reading()) return write_line(name, fmt::format("{}", value), with_range(doc, allowed));
  read_value(name, value, [&](const Node& node) { return parse_integer(node, allowed); });
}

void Fields::integer(std::string_view name, int& value, IntRange allowed, std::string_view doc) {
  if (!reading()) return write_line(name, fmt::format("{}", value), with_range(doc, allowed));
  using Limits = std::numeric_limits<int>;
  allowed.min = std::max<std::int64_t>(allowed.min, Limits::min());
  allowed.max = std::min<std::int64_t>(allowed.max, Limits::max());
  read_value(name, value, [&](const Node& node) { return parse_integer(node, allowed); });
}

void Fields::unsigned64(std::string_view name, std::uint64_t& value, std::string_view doc) {
  if (!reading()) return write_line(name, fmt::format("{}", value), doc);
  read_value(name, value, parse_unsigned);
}

void Fields::real(std::string_view name, double& value, RealRange allowed, std::string_view doc) {
  if (!reading()) return write_line(name, fmt::format("{}", value), with_range(doc, allowed));
  read_value(name, value, [&](const Node& node) { return parse_real(node, allowed); });
}

void Fields::boolean(std::string_view name, bool& value, std::string_view doc) {
  if (!reading()) return write_line(name, value ? "true" : "false", doc);
  read_value(name, value, parse_boolean);
}

void Fields::text(std::string_view name, std::string& value, std::string_view doc, bool not_empty) {
  if (!reading()) return write_line(name, yaml_text(value), doc);
  read_value(name, value, [&](const Node& node) {
    Parsed<std::string> parsed = parse_text(node);
    if (not_empty && parsed.value && parsed.value->empty())
      parsed = {{}, "a text that is not empty, got ''"};
    return parsed;
  });
}

void Fields::integers(std::string_view name, std::vector<int>& values, IntRange allowed,
                      std::string_view doc) {
  if (!reading()) return write_line(name, yaml_list(values), with_range(doc, allowed));
  using Limits = std::numeric_limits<int>;
  allowed.min = std::max<std::int64_t>(allowed.min, Limits::min());
  allowed.max = std::min<std::int64_t>(allowed.max, Limits::max());
  read_list(name, values, [&](const Node& node) {
    const Parsed<std::int64_t> parsed = parse_integer(node, allowed);
    Parsed<int> narrow{{}, parsed.must_be};
    if (parsed.value) narrow.value = static_cast<int>(*parsed.value);
    return narrow;
  });
}

void Fields::reals(std::string_view name, std::vector<double>& values, RealRange allowed,
                   std::string_view doc) {
  if (!reading()) return write_line(name, yaml_list(values), with_range(doc, allowed));
  read_list(name, values, [&](const Node& node) { return parse_real(node, allowed); });
}

void Fields::texts(std::string_view name, std::vector<std::string>& values, std::string_view doc) {
  if (!reading()) return write_line(name, yaml_list(values), doc);
  read_list(name, values, parse_text);
}

std::optional<std::size_t> Fields::choice_index(std::string_view name, std::string& value,
                                                const std::vector<std::string>& allowed,
                                                std::string_view doc) {
  if (!reading()) {
    write_line(name, yaml_text(value),
               fmt::format("{}{}one of {}", doc, doc.empty() ? "" : "; ", joined(allowed)));
    return {};
  }
  const Node* node = take(name);
  if (node == nullptr) return {};
  if (node->kind == Node::Kind::kScalar) {
    const auto found = std::find(allowed.begin(), allowed.end(), node->scalar);
    if (found != allowed.end()) return static_cast<std::size_t>(found - allowed.begin());
  }
  std::string problem = fmt::format("one of {}; got {}", joined(allowed), described(*node));
  const std::string near =
      node->kind == Node::Kind::kScalar ? did_you_mean(node->scalar, allowed) : "";
  if (!near.empty()) problem += fmt::format("; did you mean '{}'?", near);
  must_be(full_name(name), *node, problem);
  return {};
}

Fields Fields::enter_section(std::string_view name, std::string_view doc) {
  if (!reading()) {
    write_line(name, "", doc);
    Fields child = writer(*out_, style_, level_ + 1);
    child.start_ = out_->size();
    return child;
  }
  const Node* node = take(name);
  Fields child = reader(node != nullptr ? *node : null_node(), full_name(name), *diagnostics_);
  if (node == nullptr) child.where_ = location(name);
  return child;
}

std::size_t Fields::open_list(std::string_view name) {
  const Node* node = take(name);
  if (node == nullptr) return kAbsent;
  if (node->kind != Node::Kind::kSequence) {
    must_be(full_name(name), *node, fmt::format("a list, got {}", described(*node)));
    return kAbsent;
  }
  return node->items.size();
}

Fields Fields::enter_item(std::string_view name, std::size_t index) {
  return reader(node_->find(name)->items[index], fmt::format("{}.{}", full_name(name), index),
                *diagnostics_);
}

void Fields::begin_list(std::string_view name, std::string_view doc, bool empty) {
  write_line(name, empty ? "[]" : "", doc);
}

Fields Fields::begin_item() {
  Fields child = writer(*out_, style_, level_ + 2);
  child.first_in_item_ = true;
  return child;
}

bool Fields::has(std::string_view name) const {
  if (!reading()) return false;
  const Node* node = node_->find(name);
  return node != nullptr && node->kind != Node::Kind::kNull;
}

SourceLocation Fields::location(std::string_view name) const {
  const Node* node = reading() ? node_->find(name) : nullptr;
  return node != nullptr ? node->where : where_;
}

void Fields::error(std::string_view name, const std::string& message) {
  if (!reading()) return;
  const std::string subject = name.empty() ? path_ : full_name(name);
  diagnostics_->error(location(name),
                      subject.empty() ? message : fmt::format("{}: {}", subject, message));
}

void Fields::must_be(const std::string& subject, const Node& node, const std::string& what) {
  diagnostics_->error(node.where, fmt::format("{} must be {}", subject, what));
}

void Fields::finish() {
  if (!reading()) {
    if (first_in_item_) {
      *out_ += std::string(2 * static_cast<std::size_t>(level_ - 1), ' ') + "- {}\n";
      first_in_item_ = false;
    } else if (out_->size() == start_) {
      // A bare "name:" would read back as absent.
      out_->insert(out_->size() - 1, " {}");
    }
    return;
  }
  for (std::size_t k = 0; k < node_->entries.size(); ++k) {
    const std::string& key = node_->entries[k].first;
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const std::string near = did_you_mean(key, known_);
    const std::string hint = near.empty() ? "" : fmt::format("; did you mean '{}'?", near);
    const std::string allowed = known_.empty() ? "no keys" : joined(known_);
    diagnostics_->error(node_->key_locations[k], fmt::format("{}: unknown key{} (allowed: {})",
                                                             full_name(key), hint, allowed));
  }
}

void Fields::mark_known(std::string_view name) {
  if (std::find(known_.begin(), known_.end(), name) == known_.end()) known_.emplace_back(name);
}

const Node* Fields::take(std::string_view name) {
  mark_known(name);
  return has(name) ? node_->find(name) : nullptr;
}

void Fields::write_line(std::string_view name, const std::string& value, std::string_view doc) {
  const std::string indent(2 * static_cast<std::size_t>(level_), ' ');
  if (style_ == Style::kCommented) {
    append_comment(*out_, first_in_item_ ? indent.substr(2) : indent, doc);
  }
  *out_ += first_in_item_ ? indent.substr(2) + "- " : indent;
  *out_ += name;
  *out_ += ':';
  if (!value.empty()) *out_ += ' ' + value;
  *out_ += '\n';
  first_in_item_ = false;
}

std::string Fields::full_name(std::string_view name) const {
  return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

}  // namespace omnifit::core
