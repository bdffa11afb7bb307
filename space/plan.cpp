#include "space/plan.hpp"

#include "core/error.hpp"
#include "core/hash.hpp"
#include "space/detail/act_table.hpp"

#include <charconv>
#include <limits>
#include <sstream>
#include <stdexcept>

namespace omnifit::space {

namespace {

// The fields of each kind, listed once in the order of the canonical text; printing and parsing are
// two visitors of this list.

template <class Spec, class Visitor>
requires std::is_same_v<std::remove_const_t<Spec>, ConvSpec>
void visit_fields(Spec& spec, Visitor&& field) {
  field("in", spec.in_channels, 1);
  field("out", spec.out_channels, 1);
  field("k", spec.kernel_size, 1);
  field("s", spec.stride, 1);
  field("px", spec.in_px, 1);
  field("act", spec.act, 0);
  field("bn", spec.batch_norm, 0);
  field("bias", spec.bias, 0);
  field.if_set("skip", spec.shortcut);
}

template <class Spec, class Visitor>
requires std::is_same_v<std::remove_const_t<Spec>, MbConvSpec>
void visit_fields(Spec& spec, Visitor&& field) {
  field("in", spec.in_channels, 1);
  field("mid", spec.mid_channels, 1);
  field("out", spec.out_channels, 1);
  field("k", spec.kernel_size, 1);
  field("s", spec.stride, 1);
  field("px", spec.in_px, 1);
  field("act", spec.act, 0);
  field("se", spec.se_channels, 0);
  field("expand", spec.expand, 0);
  field("skip", spec.shortcut, 0);
}

template <class Spec, class Visitor>
requires std::is_same_v<std::remove_const_t<Spec>, PoolSpec>
void visit_fields(Spec& spec, Visitor&& field) {
  field("c", spec.channels, 1);
  field("px", spec.in_px, 1);
}

template <class Spec, class Visitor>
requires std::is_same_v<std::remove_const_t<Spec>, LinearSpec>
void visit_fields(Spec& spec, Visitor&& field) {
  field("in", spec.in_features, 1);
  field("out", spec.out_features, 1);
}

template <class Spec, class Visitor>
requires std::is_same_v<std::remove_const_t<Spec>, BottleneckSpec>
void visit_fields(Spec& spec, Visitor&& field) {
  field("in", spec.in_channels, 1);
  field("mid", spec.mid_channels, 1);
  field("out", spec.out_channels, 1);
  field("k", spec.kernel_size, 1);
  field("s", spec.stride, 1);
  field("px", spec.in_px, 1);
  field("act", spec.act, 0);
  field("down", spec.downsample, 0);
}

template <class Spec, class Visitor>
requires std::is_same_v<std::remove_const_t<Spec>, MaxPoolSpec>
void visit_fields(Spec& spec, Visitor&& field) {
  field("c", spec.channels, 1);
  field("k", spec.kernel_size, 1);
  field("s", spec.stride, 1);
  field("px", spec.in_px, 1);
}

const core::EnumTable<Downsample>& downsample_table() {
  static const core::EnumTable<Downsample> table{{Downsample::kNone, "none"},
                                                 {Downsample::kAvgPoolConv, "avgpool_conv"},
                                                 {Downsample::kConv, "conv"}};
  return table;
}

struct Printer {
  std::string text;
  void operator()(const char* name, int value, int) { text += fmt::format(" {}={}", name, value); }
  void operator()(const char* name, bool value, int) { (*this)(name, value ? 1 : 0, 0); }
  void operator()(const char* name, Act value, int) {
    text += fmt::format(" {}={}", name, act_name(value));
  }
  void operator()(const char* name, Downsample value, int) {
    text += fmt::format(" {}={}", name, downsample_name(value));
  }
  /// A field that came later: texts without it keep their meaning and their hash.
  void if_set(const char* name, bool value) {
    if (value) (*this)(name, value, 0);
  }
};

template <class E>
std::string names_of(const core::EnumTable<E>& table) {
  std::string names;
  for (const auto& entry : table) names += (names.empty() ? "" : ", ") + entry.second;
  return names;
}

class Parser {
 public:
  explicit Parser(const std::string& text) : text_(text), words_(text) {}

  std::string next_word() {
    std::string word;
    words_ >> word;
    return word;
  }

  void operator()(const char* name, int& value, int min) { value = integer(name, min, kMaxInt); }
  void operator()(const char* name, bool& value, int) { value = integer(name, 0, 1) == 1; }
  void operator()(const char* name, Act& value, int) { choice(name, value, detail::act_table()); }
  void operator()(const char* name, Downsample& value, int) {
    choice(name, value, downsample_table());
  }
  void if_set(const char* name, bool& value) {
    value = (words_ >> std::ws).peek() != std::istringstream::traits_type::eof() &&
            integer(name, 1, 1) == 1;
  }

  void finish() {
    const std::string rest = next_word();
    if (!rest.empty())
      throw DataError(fmt::format("layer spec '{}': unexpected '{}'", text_, rest));
  }

 private:
  static constexpr int kMaxInt = std::numeric_limits<int>::max();

  [[noreturn]] void fail(const char* name, const std::string& message) const {
    throw DataError(fmt::format("layer spec '{}': field '{}': {}", text_, name, message));
  }

  std::string value_of(const char* name) {
    const std::string word = next_word();
    const std::string prefix = std::string(name) + "=";
    if (word.empty()) fail(name, "missing");
    if (word.rfind(prefix, 0) != 0)
      fail(name, fmt::format("expected '{}…', found '{}'", prefix, word));
    return word.substr(prefix.size());
  }

  template <class E>
  void choice(const char* name, E& value, const core::EnumTable<E>& table) {
    const std::string found = value_of(name);
    for (const auto& [candidate, text] : table) {
      if (text == found) {
        value = candidate;
        return;
      }
    }
    fail(name, fmt::format("found '{}', allowed: {}", found, names_of(table)));
  }

  int integer(const char* name, int min, int max) {
    const std::string found = value_of(name);
    int value = 0;
    const char* end = found.data() + found.size();
    const auto [rest, error] = std::from_chars(found.data(), end, value);
    if (error != std::errc{} || rest != end || value < min || value > max) {
      fail(name, fmt::format("found '{}', allowed is an integer in [{}, {}]", found, min, max));
    }
    return value;
  }

  const std::string& text_;
  std::istringstream words_;
};

template <class Spec>
LayerSpec parse_fields(Parser& parser) {
  Spec spec;
  visit_fields(spec, parser);
  parser.finish();
  return spec;
}

int conv_out_px(int in_px, int stride) { return (in_px - 1) / stride + 1; }

}  // namespace

namespace detail {

const core::EnumTable<Act>& act_table() {
  static const core::EnumTable<Act> table{{Act::kNone, "none"},
                                          {Act::kRelu, "relu"},
                                          {Act::kRelu6, "relu6"},
                                          {Act::kHSwish, "h_swish"}};
  return table;
}

}  // namespace detail

const std::string& act_name(Act act) { return core::enum_name(detail::act_table(), act); }

Act parse_act(const std::string& name) {
  for (const auto& [act, act_text] : detail::act_table()) {
    if (act_text == name) return act;
  }
  throw std::invalid_argument(
      fmt::format("act must be one of {}; got '{}'", names_of(detail::act_table()), name));
}

const std::string& downsample_name(Downsample downsample) {
  return core::enum_name(downsample_table(), downsample);
}

const char* spec_kind(const LayerSpec& spec) {
  return std::visit(
      Overloaded{[](const ConvSpec&) { return "conv"; }, [](const MbConvSpec&) { return "mbconv"; },
                 [](const PoolSpec&) { return "pool"; }, [](const LinearSpec&) { return "linear"; },
                 [](const BottleneckSpec&) { return "bottleneck"; },
                 [](const MaxPoolSpec&) { return "maxpool"; }},
      spec);
}

std::string spec_text(const LayerSpec& spec) {
  Printer printer{spec_kind(spec)};
  std::visit([&](const auto& fields) { visit_fields(fields, printer); }, spec);
  return printer.text;
}

LayerSpec parse_spec(const std::string& text) {
  Parser parser(text);
  const std::string kind = parser.next_word();
  if (kind == "conv") return parse_fields<ConvSpec>(parser);
  if (kind == "mbconv") return parse_fields<MbConvSpec>(parser);
  if (kind == "pool") return parse_fields<PoolSpec>(parser);
  if (kind == "linear") return parse_fields<LinearSpec>(parser);
  if (kind == "bottleneck") return parse_fields<BottleneckSpec>(parser);
  if (kind == "maxpool") return parse_fields<MaxPoolSpec>(parser);
  throw DataError(
      fmt::format("layer spec '{}': unknown kind '{}', allowed: conv, mbconv, pool, linear, "
                  "bottleneck, maxpool",
                  text, kind));
}

std::uint64_t spec_hash(const LayerSpec& spec) { return core::stable_hash(spec_text(spec)); }

FeatureShape input_shape(const LayerSpec& spec) {
  return std::visit(Overloaded{[](const ConvSpec& s) {
                                 return FeatureShape{s.in_channels, s.in_px};
                               },
                               [](const MbConvSpec& s) {
                                 return FeatureShape{s.in_channels, s.in_px};
                               },
                               [](const PoolSpec& s) {
                                 return FeatureShape{s.channels, s.in_px};
                               },
                               [](const LinearSpec& s) {
                                 return FeatureShape{s.in_features, 1};
                               },
                               [](const BottleneckSpec& s) {
                                 return FeatureShape{s.in_channels, s.in_px};
                               },
                               [](const MaxPoolSpec& s) {
                                 return FeatureShape{s.channels, s.in_px};
                               }},
                    spec);
}

FeatureShape output_shape(const LayerSpec& spec) {
  return std::visit(
      Overloaded{[](const ConvSpec& s) {
                   return FeatureShape{s.out_channels, conv_out_px(s.in_px, s.stride)};
                 },
                 [](const MbConvSpec& s) {
                   return FeatureShape{s.out_channels, conv_out_px(s.in_px, s.stride)};
                 },
                 [](const PoolSpec& s) {
                   return FeatureShape{s.channels, 1};
                 },
                 [](const LinearSpec& s) {
                   return FeatureShape{s.out_features, 1};
                 },
                 [](const BottleneckSpec& s) {
                   return FeatureShape{s.out_channels, conv_out_px(s.in_px, s.stride)};
                 },
                 [](const MaxPoolSpec& s) {
                   return FeatureShape{s.channels, conv_out_px(s.in_px, s.stride)};
                 }},
      spec);
}

}  // namespace omnifit::space
