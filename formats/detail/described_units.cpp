#include "formats/detail/described_units.hpp"

#include "core/error.hpp"

#include <utility>

namespace omnifit::formats::detail {

namespace {

/// Goes through a plan and gives its units the reference's names.
class Namer {
 public:
  explicit Namer(const space::NetworkPlan& plan) : plan_(plan) {}

  template <class Spec>
  [[nodiscard]] bool at() const {
    return names_.size() < plan_.units.size() &&
           std::holds_alternative<Spec>(plan_.units[names_.size()].spec);
  }

  template <class Spec>
  void take(std::string name) {
    if (!at<Spec>()) {
      fail(fmt::format("where the reference has {} ({})", name, space::spec_kind(Spec{})));
    }
    names_.push_back(std::move(name));
  }

  template <class Spec>
  void take_all(const std::string& prefix, int first = 0) {
    for (int number = first; at<Spec>(); ++number) take<Spec>(fmt::format("{}.{}", prefix, number));
  }

  std::vector<std::string> finish() {
    if (names_.size() < plan_.units.size()) fail("after the classifier");
    return std::move(names_);
  }

 private:
  [[noreturn]] void fail(const std::string& where) const {
    if (names_.size() == plan_.units.size())
      throw DataError(
          fmt::format("no network of the reference ends after unit {}, {}", names_.size(), where));
    throw DataError(fmt::format("no network of the reference has unit {}, '{}', {}", names_.size(),
                                space::spec_text(plan_.units[names_.size()].spec), where));
  }

  const space::NetworkPlan& plan_;
  std::vector<std::string> names_;
};

}  // namespace

NetworkFamily family_of(const space::NetworkPlan& plan) {
  bool pooled = false;
  for (const space::PlanUnit& unit : plan.units) {
    if (std::holds_alternative<space::MaxPoolSpec>(unit.spec)) return NetworkFamily::kResNet;
    if (pooled && std::holds_alternative<space::ConvSpec>(unit.spec))
      return NetworkFamily::kMobileNetV3;
    pooled = pooled || std::holds_alternative<space::PoolSpec>(unit.spec);
  }
  return NetworkFamily::kProxylessNas;
}

std::vector<std::string> reference_names(NetworkFamily family, const space::NetworkPlan& plan) {
  Namer namer(plan);
  if (family == NetworkFamily::kResNet) {
    namer.take<space::ConvSpec>("input_stem.0");
    namer.take_all<space::ConvSpec>("input_stem", 1);
    namer.take<space::MaxPoolSpec>("max_pool");
    namer.take_all<space::BottleneckSpec>("blocks");
    namer.take<space::PoolSpec>("pool");
    namer.take<space::LinearSpec>("classifier");
    return namer.finish();
  }
  namer.take<space::ConvSpec>("first_conv");
  namer.take_all<space::MbConvSpec>("blocks");
  if (family == NetworkFamily::kMobileNetV3) {
    namer.take<space::ConvSpec>("final_expand_layer");
    namer.take<space::PoolSpec>("pool");
    namer.take<space::ConvSpec>("feature_mix_layer");
  } else {
    if (namer.at<space::ConvSpec>()) namer.take<space::ConvSpec>("feature_mix_layer");
    namer.take<space::PoolSpec>("pool");
  }
  namer.take<space::LinearSpec>("classifier");
  return namer.finish();
}

}  // namespace omnifit::formats::detail
