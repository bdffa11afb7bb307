#include "report/arch_drawing.hpp"

#include "report/html.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace omnifit::report {
namespace {

constexpr double kHeightPx = 36.0;
constexpr double kBlockPx = 16.0;  ///< from one block to the next
constexpr double kStageGapPx = 10.0;
constexpr double kMarginPx = 2.0;

double bar_height(int kernel_size) { return std::clamp(3.5 + 3.7 * kernel_size, 4.0, 32.0); }

double bar_width(double expand_ratio) { return std::clamp(3.0 + 1.7 * expand_ratio, 3.0, 14.0); }

/// Strength of colour in percent.
int bar_strength(double expand_ratio) {
  return static_cast<int>(std::clamp(10.0 + 15.0 * expand_ratio, 25.0, 100.0));
}

std::string bar(double centre, int kernel_size, double expand_ratio, const std::string& tooltip) {
  const double width = bar_width(expand_ratio);
  const double height = bar_height(kernel_size);
  return fmt::format(
      R"(<rect class="dot c0" fill-opacity="{:.2f}" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}">{}</rect>)",
      bar_strength(expand_ratio) / 100.0, centre - width / 2.0, kHeightPx - kMarginPx - height,
      width, height, tooltip.empty() ? "" : "<title>" + escape_html(tooltip) + "</title>");
}

std::string svg(double width, const std::string& description, const std::string& content) {
  return fmt::format(
      R"(<svg class="arch" width="{0:.0f}" height="{1:.0f}" viewBox="0 0 {0:.0f} {1:.0f}" role="img" aria-label="{2}">{3}</svg>)",
      width, kHeightPx, escape_html(description), content);
}

std::string stage_bars(const StageShape& stage, std::size_t stage_index, double left) {
  std::string out;
  for (std::size_t b = 0; b < static_cast<std::size_t>(std::max(0, stage.max_depth)); ++b) {
    const double centre = left + (static_cast<double>(b) + 0.5) * kBlockPx;
    if (b < stage.blocks.size()) {
      const BlockInfo& block = stage.blocks[b];
      out += bar(centre, block.kernel_size, block.expand_ratio,
                 fmt::format("stage {}, block {}: kernel {}×{}, expand ratio {:g}", stage_index + 1,
                             b + 1, block.kernel_size, block.kernel_size, block.expand_ratio));
    } else {
      out += fmt::format(
          R"(<circle class="skipped" cx="{:.1f}" cy="{:.1f}" r="2"><title>stage {}, block {}: left out</title></circle>)",
          centre, kHeightPx - kMarginPx - 2.0, stage_index + 1, b + 1);
    }
  }
  return out;
}

}  // namespace

std::string draw_arch(const ArchInfo& arch) {
  if (arch.stages.empty()) return "";
  double left = kMarginPx;
  std::string bars;
  for (std::size_t s = 0; s < arch.stages.size(); ++s) {
    const StageShape& stage = arch.stages[s];
    const double width = kBlockPx * std::max(0, stage.max_depth);
    bars += stage_bars(stage, s, left);
    bars += fmt::format(R"(<line class="ground" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>)",
                        left, kHeightPx - 0.8, left + width, kHeightPx - 0.8);
    left += width + kStageGapPx;
  }
  return svg(left - kStageGapPx + kMarginPx, describe_arch(arch), bars);
}

std::string draw_arch_legend(const std::vector<ArchInfo>& archs) {
  std::set<int> kernels;
  std::set<double> ratios;
  bool skipped = false;
  for (const ArchInfo& arch : archs) {
    for (const StageShape& stage : arch.stages) {
      skipped |= stage.blocks.size() < static_cast<std::size_t>(std::max(0, stage.max_depth));
      for (const BlockInfo& block : stage.blocks) {
        kernels.insert(block.kernel_size);
        ratios.insert(block.expand_ratio);
      }
    }
  }
  if (kernels.empty()) return "";
  const auto item = [](const std::string& drawing, const std::string& name) {
    return "<li>" + svg(kBlockPx + 2.0, name, drawing) + escape_html(name) + "</li>";
  };
  const double centre = kBlockPx / 2.0 + 1.0;
  std::string items;
  for (const int kernel : kernels) {
    items += item(bar(centre, kernel, *ratios.rbegin(), ""), fmt::format("kernel {0}×{0}", kernel));
  }
  for (const double ratio : ratios) {
    items +=
        item(bar(centre, *kernels.rbegin(), ratio, ""), fmt::format("expand ratio {:g}", ratio));
  }
  if (skipped) {
    items += item(fmt::format(R"(<circle class="skipped" cx="{:.1f}" cy="{:.1f}" r="2"/>)", centre,
                              kHeightPx - kMarginPx - 2.0),
                  "block left out");
  }
  return "<ul class=\"legend archs\">" + items + "</ul>\n";
}

std::string describe_arch(const ArchInfo& arch) {
  std::string depths;
  for (const StageShape& stage : arch.stages) {
    if (!depths.empty()) depths += "-";
    depths += fmt::format("{}", stage.blocks.size());
  }
  std::string out = arch.resolution_px ? fmt::format("{} px", *arch.resolution_px) : "";
  if (!depths.empty()) out += fmt::format("{}{} blocks", out.empty() ? "" : ", ", depths);
  return out;
}

}  // namespace omnifit::report
