#include "pipeline/imported_latency.hpp"

#include "core/hash.hpp"
#include "latency_lut/foreign_store.hpp"
#include "latency_lut/imported_networks.hpp"

namespace omnifit::pipeline {
namespace {

/// Of every number of a cost.
std::uint64_t hash_of(const space::AdditiveCost& cost) {
  std::string text = fmt::format("{:a}\n", cost.constant());
  for (const space::AdditiveCost::Term& term : cost.terms()) {
    text += fmt::format("{}:", fmt::join(term.genes, ","));
    for (const double value : term.values) text += fmt::format(" {:a}", value);
    text += '\n';
  }
  return core::stable_hash(text);
}

}  // namespace

std::optional<ImportedLatency> imported_latency(RunContext& context, const std::string& device) {
  const std::int64_t space_id = context.space_id();
  const space::TaskIo io = context.io();
  std::optional<space::AdditiveCost> cost;
  context.db().read([&](SQLite::Database& sql) {
    if (const auto id = latency::find_imported_device(sql, device)) {
      cost = latency::imported_cost(sql, *id, space_id, context.space(), io);
    }
  });
  if (!cost) return std::nullopt;
  const std::uint64_t hash = hash_of(*cost);
  return ImportedLatency{std::move(*cost), hash};
}

}  // namespace omnifit::pipeline
