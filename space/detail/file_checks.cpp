#include "space/detail/file_checks.hpp"

#include <algorithm>
#include <cctype>

namespace omnifit::space {

namespace {

template <class T>
void check_choices_of(core::Fields& f, std::string_view name, const std::vector<T>& choices) {
  if (!f.reading()) return;
  if (choices.empty()) {
    f.error(name, "needs at least one valid choice");
    return;
  }
  if (choices.size() > detail::kMaxChoices) {
    f.error(name, fmt::format("found {} choices, at most {} are allowed", choices.size(),
                              detail::kMaxChoices));
  }
  for (std::size_t i = 1; i < choices.size(); ++i) {
    if (choices[i] == choices[i - 1]) {
      f.error(name, fmt::format("choices must be distinct, found {} twice", choices[i]));
      return;
    }
    if (choices[i] < choices[i - 1]) {
      f.error(name, fmt::format("choices must be ascending, found {} after {}", choices[i],
                                choices[i - 1]));
      return;
    }
  }
}

bool is_identifier(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_';
  });
}

}  // namespace

const std::string& family_name(Family family) {
  return core::enum_name(detail::family_table(), family);
}

namespace detail {

const core::EnumTable<Family>& family_table() {
  static const core::EnumTable<Family> table{{Family::kMbConv, "mbconv"},
                                             {Family::kBottleneck, "bottleneck"},
                                             {Family::kTabular, "tabular"}};
  return table;
}

void check_choices(core::Fields& f, std::string_view name, const std::vector<int>& choices) {
  check_choices_of(f, name, choices);
}

void check_choices(core::Fields& f, std::string_view name, const std::vector<double>& choices) {
  check_choices_of(f, name, choices);
}

void check_odd(core::Fields& f, std::string_view name, const std::vector<int>& kernel_sizes) {
  if (!f.reading()) return;
  for (const int kernel_size : kernel_sizes) {
    if (kernel_size % 2 == 0) {
      f.error(name, fmt::format("kernel sizes must be odd, found {}", kernel_size));
    }
  }
}

void check_identifier(core::Fields& f, std::string_view name, const std::string& value) {
  if (!f.reading()) return;
  if (!is_identifier(value)) {
    f.error(name, fmt::format("found '{}', allowed are letters, digits and '_'", value));
  }
}

void check_resolutions(core::Fields& f, const std::vector<int>& resolutions, int total_stride) {
  if (resolutions.empty() || resolutions.front() >= total_stride) return;
  f.error("resolutions", fmt::format("{} px is too small for the strides, whose product is {}",
                                     resolutions.front(), total_stride));
}

int capped_product(int total_stride, int stride) {
  // Beyond the largest image the product only has to stay too large, not exact.
  return std::min(total_stride * stride, 2 * kMaxPx);
}

}  // namespace detail

}  // namespace omnifit::space
