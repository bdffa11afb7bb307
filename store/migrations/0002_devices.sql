-- Version 2: measurements are the best of several rounds, and one profile may cover several devices.

ALTER TABLE layer_latency ADD COLUMN rounds INTEGER NOT NULL DEFAULT 1;    -- timings it is the best of
ALTER TABLE layer_latency ADD COLUMN second_ms REAL;                       -- median of the next best one
ALTER TABLE network_latency ADD COLUMN rounds INTEGER NOT NULL DEFAULT 1;
ALTER TABLE network_latency ADD COLUMN second_ms REAL;

CREATE TABLE new_latency_model (
  id INTEGER PRIMARY KEY,
  stage_run_id INTEGER NOT NULL REFERENCES stage_run(id) ON DELETE CASCADE,
  device_id INTEGER NOT NULL REFERENCES device(id),
  space_id INTEGER NOT NULL REFERENCES space(id),
  protocol_hash TEXT NOT NULL DEFAULT '', -- of the rows it was fitted on; '' before version 2
  kind TEXT NOT NULL,                     -- 'lut_correction': estimate = scale * sum + offset_ms
  scale REAL NOT NULL,
  offset_ms REAL NOT NULL,
  num_fit INTEGER NOT NULL,               -- whole networks the correction was fitted on
  num_check INTEGER NOT NULL,             -- and judged on
  mape REAL,                              -- on the check networks, fraction
  within_10_percent REAL,                 -- share of them, fraction
  kendall_tau REAL,
  UNIQUE (stage_run_id, device_id)
) STRICT;
INSERT INTO new_latency_model
  SELECT id, stage_run_id, device_id, space_id, '', kind, scale, offset_ms, num_fit, num_check, mape,
    within_10_percent, kendall_tau FROM latency_model;
DROP TABLE latency_model;
ALTER TABLE new_latency_model RENAME TO latency_model;
