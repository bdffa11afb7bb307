-- Version 7: searches whose figures are no predictions, archs without layers, fronts that can be compared, and what a predictor
-- had said before the search measured.

-- Archs of tabular spaces have no layers: what their tables do not say is NULL.
DROP INDEX arch_by_macs;
ALTER TABLE arch RENAME COLUMN resolution_px TO old_resolution_px;
ALTER TABLE arch RENAME COLUMN macs TO old_macs;
ALTER TABLE arch RENAME COLUMN params TO old_params;
ALTER TABLE arch RENAME COLUMN peak_memory_bytes TO old_peak_memory_bytes;
ALTER TABLE arch RENAME COLUMN model_bytes TO old_model_bytes;
ALTER TABLE arch ADD COLUMN resolution_px INTEGER;
ALTER TABLE arch ADD COLUMN macs INTEGER;
ALTER TABLE arch ADD COLUMN params INTEGER;
ALTER TABLE arch ADD COLUMN peak_memory_bytes INTEGER;  -- float32 activations
ALTER TABLE arch ADD COLUMN model_bytes INTEGER;        -- float32, batch norm folded
UPDATE arch SET resolution_px = NULLIF(old_resolution_px, 0), macs = NULLIF(old_macs, 0), params = NULLIF(old_params, 0),
  peak_memory_bytes = NULLIF(old_peak_memory_bytes, 0), model_bytes = NULLIF(old_model_bytes, 0);
ALTER TABLE arch DROP COLUMN old_resolution_px;
ALTER TABLE arch DROP COLUMN old_macs;
ALTER TABLE arch DROP COLUMN old_params;
ALTER TABLE arch DROP COLUMN old_peak_memory_bytes;
ALTER TABLE arch DROP COLUMN old_model_bytes;
CREATE INDEX arch_by_macs ON arch (macs);

ALTER TABLE search_run ADD COLUMN top1_source TEXT NOT NULL DEFAULT 'predicted'
  CHECK (top1_source IN ('predicted','measured','table'));  -- measured: on the validation images; table: of a tabular space
ALTER TABLE search_run ADD COLUMN hypervolume REAL;         -- of the final front, as a share of hypervolume_box
ALTER TABLE search_result RENAME COLUMN predicted_top1 TO top1;
ALTER TABLE search_result RENAME COLUMN estimated_latency_ms TO latency_ms;

CREATE TABLE refinement_check (           -- subnets a search measured to refine its predictor
  stage_run_id INTEGER NOT NULL REFERENCES stage_run(id) ON DELETE CASCADE,
  round INTEGER NOT NULL,                 -- 1 = the first one
  arch_id INTEGER NOT NULL REFERENCES arch(id),
  predicted_top1 REAL NOT NULL,           -- by the predictor of that time, which had not seen it
  measured_top1 REAL NOT NULL,            -- on the validation images
  PRIMARY KEY (stage_run_id, round, arch_id)
) STRICT, WITHOUT ROWID;
