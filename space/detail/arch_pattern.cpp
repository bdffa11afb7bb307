#include "space/detail/arch_pattern.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace omnifit::space::detail {

namespace {

/// The longest choice that `text` begins with, or nullopt.
std::optional<std::uint8_t> longest_label(const Gene& gene, std::string_view text) {
  std::optional<std::uint8_t> best;
  std::size_t length = 0;
  for (std::size_t c = 0; c < gene.labels.size(); ++c) {
    const std::string& label = gene.labels[c];
    if (label.size() <= length || !text.starts_with(label)) continue;
    best = static_cast<std::uint8_t>(c);
    length = label.size();
  }
  return best;
}

}  // namespace

std::optional<std::uint8_t> find_label(const Gene& gene, std::string_view label) {
  const auto found = std::ranges::find(gene.labels, label);
  if (found == gene.labels.end()) return std::nullopt;
  return static_cast<std::uint8_t>(found - gene.labels.begin());
}

std::string unknown_label(const Gene& gene, std::string_view label) {
  return fmt::format("{}: found '{}', allowed: {}", gene.name, label, fmt::join(gene.labels, ", "));
}

std::variant<ArchPattern, std::string> ArchPattern::compile(std::string_view text,
                                                            const std::vector<std::string>& genes) {
  ArchPattern pattern;
  std::vector<bool> used(genes.size(), false);
  std::string* literal = &pattern.prefix_;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '}') return "found '}' without '{'";
    if (text[at] != '{') {
      *literal += text[at];
      continue;
    }
    const std::size_t end = text.find('}', at);
    if (end == std::string_view::npos) return "found '{' without '}'";
    const std::string_view name = text.substr(at + 1, end - at - 1);
    const auto found = std::ranges::find(genes, name);
    if (found == genes.end()) {
      return fmt::format("'{}' is no gene (allowed: {})", name, fmt::join(genes, ", "));
    }
    const auto gene = static_cast<std::size_t>(found - genes.begin());
    if (used[gene]) return fmt::format("gene '{}' stands in it twice", name);
    used[gene] = true;
    literal = &pattern.parts_.emplace_back(Part{.gene = gene, .following = {}}).following;
    at = end;
  }
  for (std::size_t g = 0; g < genes.size(); ++g) {
    if (!used[g]) return fmt::format("gene '{}' is missing in it", genes[g]);
  }
  return pattern;
}

ArchPattern::Parsed ArchPattern::parse(std::string_view cell, std::span<const Gene> genes) const {
  std::vector<std::uint8_t> choices(genes.size(), 0);
  if (!cell.starts_with(prefix_)) {
    return fmt::format("'{}' must begin with '{}'", cell, prefix_);
  }
  std::string_view rest = cell.substr(prefix_.size());
  for (std::size_t p = 0; p < parts_.size(); ++p) {
    const Part& part = parts_[p];
    const Gene& gene = genes[part.gene];
    const bool last = p + 1 == parts_.size();
    std::optional<std::uint8_t> choice;
    std::string_view label = rest;
    if (part.following.empty() && !last) {
      choice = longest_label(gene, rest);
      if (choice) label = rest.substr(0, gene.labels[*choice].size());
    } else {
      const std::size_t end = part.following.empty() ? rest.size() : rest.find(part.following);
      if (end == std::string_view::npos) {
        return fmt::format("'{}': no '{}' after {}", cell, part.following, gene.name);
      }
      label = rest.substr(0, end);
      choice = find_label(gene, label);
    }
    if (!choice) return fmt::format("'{}': {}", cell, unknown_label(gene, label));
    choices[part.gene] = *choice;
    rest.remove_prefix(label.size() + part.following.size());
  }
  if (!rest.empty()) return fmt::format("'{}': unexpected '{}' at the end", cell, rest);
  return choices;
}

}  // namespace omnifit::space::detail
