#include "pipeline/imported_latency.hpp"

#include "core/hash.hpp"
#include "latency_lut/foreign_store.hpp"
#include "latency_lut/network_model.hpp"

namespace omnifit::pipeline {

std::optional<ImportedLatency> imported_latency(RunContext& context, const std::string& device) {
  const std::int64_t space_id = context.space_id();
  std::optional<latency::ForeignTables> tables;
  std::optional<latency::NetworkModelRow> model;
  context.db().read([&](SQLite::Database& sql) {
    const std::optional<std::int64_t> id = latency::find_imported_device(sql, device);
    if (!id) return;
    tables = latency::get_foreign_tables(sql, *id);
    if (!tables) model = latency::get_network_model(sql, *id, space_id, context.space());
  });
  if (tables)
    return ImportedLatency{tables->compile(context.space(), context.io()), tables->hash()};
  if (model) return ImportedLatency{model->model.cost(), core::stable_hash(model->model.to_json())};
  return std::nullopt;
}

}  // namespace omnifit::pipeline
