#include "space/arch.hpp"

#include "core/error.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>
#include <vector>

namespace omnifit::space {

namespace {

using Choices = std::array<std::uint8_t, Arch::kMaxGenes>;

struct TextField {
  const char* key;
  Axis axis;
};
constexpr std::array kTextFields{TextField{"r", Axis::kResolution}, TextField{"d", Axis::kDepth},
                                 TextField{"k", Axis::kKernelSize},
                                 TextField{"e", Axis::kExpandRatio},
                                 TextField{"w", Axis::kWidthMult}};

std::string value_text(double value) {
  std::string text = fmt::format("{}", value);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  std::replace(text.begin(), text.end(), '.', 'p');
  return text;
}

std::string allowed_text(const Gene& gene) {
  std::string text;
  for (const double choice : gene.choices) text += (text.empty() ? "" : ", ") + value_text(choice);
  return text;
}

std::string space_label(const SearchSpace& space) {
  return fmt::format("{}/v{}", space.name(), space.version());
}

/// Genes of one axis that are active, grouped by stage, in gene order.
std::vector<std::vector<int>> active_by_stage(const SearchSpace& space, const Choices& choices,
                                              Axis axis) {
  std::vector<std::vector<int>> groups;
  std::optional<int> last_stage;
  for (std::size_t g = 0; g < space.genes().size(); ++g) {
    const Gene& gene = space.genes()[g];
    const auto& active_if = gene.active_if;
    if (gene.axis != axis) continue;
    if (active_if && choices[static_cast<std::size_t>(active_if->gene)] < active_if->min_choice) {
      continue;
    }
    if (gene.stage != last_stage) groups.emplace_back();
    last_stage = gene.stage;
    groups.back().push_back(static_cast<int>(g));
  }
  return groups;
}

bool has_axis(const SearchSpace& space, Axis axis) {
  return std::any_of(space.genes().begin(), space.genes().end(),
                     [axis](const Gene& gene) { return gene.axis == axis; });
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

[[noreturn]] void fail(std::string_view text, const std::string& message) {
  throw ConfigError(fmt::format("arch '{}': {}", text, message));
}

/// Reads the fields of an arch text one after another; depth before what it switches.
class TextReader {
 public:
  TextReader(const SearchSpace& space, std::string_view text) : space_(space), text_(text) {}

  Arch read() {
    std::istringstream words{std::string(text_)};
    std::string word;
    if (!(words >> word) || word != space_label(space_)) {
      fail(text_, fmt::format("must start with '{}', found '{}'", space_label(space_), word));
    }
    for (const TextField& field : kTextFields) {
      if (!has_axis(space_, field.axis)) continue;
      word.clear();
      words >> word;
      read_field(field, word);
    }
    for (std::size_t g = 0; g < space_.genes().size(); ++g) {
      if (space_.genes()[g].axis != Axis::kCategory) continue;
      word.clear();
      words >> word;
      read_category(g, word);
    }
    if (words >> word) fail(text_, fmt::format("unexpected '{}'", word));
    return {space_, std::span(std::as_const(choices_)).first(space_.genes().size())};
  }

 private:
  void read_category(std::size_t g, const std::string& word) {
    const Gene& gene = space_.genes()[g];
    const std::string prefix = gene.name + "=";
    if (!word.starts_with(prefix)) {
      fail(text_, fmt::format("expected '{}', found '{}'", prefix, word));
    }
    const auto found =
        std::find(gene.labels.begin(), gene.labels.end(), word.substr(prefix.size()));
    if (found == gene.labels.end()) {
      fail(text_, fmt::format("{}: found '{}', allowed: {}", gene.name, word.substr(prefix.size()),
                              fmt::join(gene.labels, ", ")));
    }
    choices_[g] = static_cast<std::uint8_t>(found - gene.labels.begin());
  }

  void read_field(const TextField& field, const std::string& word) {
    const std::string prefix = std::string(field.key) + "=";
    if (!word.starts_with(prefix)) {
      fail(text_,
           fmt::format("expected '{}' for {}, found '{}'", prefix, axis_name(field.axis), word));
    }
    const auto groups = active_by_stage(space_, choices_, field.axis);
    const auto stages = split(std::string_view(word).substr(prefix.size()), ',');
    if (stages.size() != groups.size()) {
      fail(text_, fmt::format("{}: found {} stages, expected {}", axis_name(field.axis),
                              stages.size(), groups.size()));
    }
    for (std::size_t i = 0; i < groups.size(); ++i) read_stage(groups[i], stages[i]);
  }

  void read_stage(const std::vector<int>& genes, const std::string& values_text) {
    const Gene& first = space_.genes()[static_cast<std::size_t>(genes.front())];
    const auto values = split(values_text, '.');
    if (values.size() != genes.size()) {
      const std::string stage =
          first.stage == kStemStage ? "the stem" : fmt::format("stage {}", first.stage);
      fail(text_, fmt::format("{} of {}: found {} values, expected {}", axis_name(first.axis),
                              stage, values.size(), genes.size()));
    }
    for (std::size_t i = 0; i < genes.size(); ++i) read_value(genes[i], values[i]);
  }

  void read_value(int gene_index, const std::string& value) {
    const auto g = static_cast<std::size_t>(gene_index);
    const Gene& gene = space_.genes()[g];
    for (std::size_t c = 0; c < gene.choices.size(); ++c) {
      if (value_text(gene.choices[c]) != value) continue;
      choices_[g] = static_cast<std::uint8_t>(c);
      return;
    }
    fail(text_,
         fmt::format("{}: found '{}', allowed: {}", gene_name(gene), value, allowed_text(gene)));
  }

  const SearchSpace& space_;
  std::string_view text_;
  Choices choices_{};
};

}  // namespace

std::string to_text(const SearchSpace& space, const Arch& arch) {
  Choices choices{};
  std::copy(arch.choices().begin(), arch.choices().end(), choices.begin());
  std::string text = space_label(space);
  for (const TextField& field : kTextFields) {
    if (!has_axis(space, field.axis)) continue;
    text += fmt::format(" {}=", field.key);
    bool first_stage = true;
    for (const auto& genes : active_by_stage(space, choices, field.axis)) {
      if (!std::exchange(first_stage, false)) text += ',';
      bool first_block = true;
      for (const int g : genes) {
        if (!std::exchange(first_block, false)) text += '.';
        const Gene& gene = space.genes()[static_cast<std::size_t>(g)];
        text += value_text(gene.choices[static_cast<std::size_t>(arch.choice(g))]);
      }
    }
  }
  for (std::size_t g = 0; g < space.genes().size(); ++g) {
    const Gene& gene = space.genes()[g];
    if (gene.axis != Axis::kCategory) continue;
    text += fmt::format(" {}={}", gene.name, choice_text(gene, arch.choice(static_cast<int>(g))));
  }
  return text;
}

Arch parse_arch(const SearchSpace& space, std::string_view text) {
  return TextReader(space, text).read();
}

}  // namespace omnifit::space
