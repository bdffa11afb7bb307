#pragma once

#include "space/plan.hpp"

#include <optional>
#include <string>
#include <vector>

namespace omnifit::formats {

/// How a foreign latency table spells the operators of a network. Tables are matched by printing
/// each unit's key, never by parsing theirs.
enum class LatencyDialect {
  kOnceForAll,    ///< MobileNetV3 tables (Note 10): middle width in channels, SE and h-swish flags
  kProxylessNas,  ///< ProxylessNAS tables (Pixel 1): expand ratio; the pool is part of "Logits"
  kNsgaNetV2  ///< NSGANetV2 tables (i7-8700K): tensor names, expand ratio; the pool is not timed
};

/// "once_for_all", "proxylessnas", "nsganetv2".
const std::string& latency_dialect_name(LatencyDialect dialect);
/// In the order of the enumeration.
const std::vector<LatencyDialect>& latency_dialects();

/// A unit of a plan in a dialect's words.
struct ForeignKey {
  /// Key of the operator; empty if the dialect counts the unit inside another one or not at all,
  /// so that it costs nothing.
  std::string key;
  friend bool operator==(const ForeignKey&, const ForeignKey&) = default;
};

/// The key of a unit. nullopt if the dialect has no word for it (a bottleneck block, a middle width
/// that is no whole multiple of the input's where the ratio is part of the key).
/// @param io its classes are part of the key where the classifier's operator includes the pool.
std::optional<ForeignKey> foreign_latency_key(LatencyDialect dialect, const space::LayerSpec& spec,
                                              const space::TaskIo& io);

}  // namespace omnifit::formats
