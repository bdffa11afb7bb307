-- Version 3: latency tables of other systems, whole-network timings from elsewhere, models fitted from them.

CREATE TABLE foreign_table (              -- a latency table of another system
  id INTEGER PRIMARY KEY,
  device_id INTEGER NOT NULL REFERENCES device(id),
  name TEXT NOT NULL,                     -- of the file it came from
  dialect TEXT NOT NULL,                  -- how its keys are written: 'once_for_all', 'proxylessnas', 'nsganetv2'
  UNIQUE (device_id, name)
) STRICT;

CREATE TABLE foreign_latency (            -- one operator of it, as it came
  table_id INTEGER NOT NULL REFERENCES foreign_table(id) ON DELETE CASCADE,
  position INTEGER NOT NULL,              -- in the file
  key TEXT NOT NULL,
  mean_ms REAL NOT NULL,
  fields TEXT NOT NULL,                   -- JSON: the file's numbers as text, in its order
  PRIMARY KEY (table_id, position),
  UNIQUE (table_id, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE new_network_latency (
  id INTEGER PRIMARY KEY,
  device_id INTEGER NOT NULL REFERENCES device(id),
  arch_id INTEGER NOT NULL REFERENCES arch(id),
  protocol_hash TEXT NOT NULL,            -- '' for imported timings
  purpose TEXT NOT NULL CHECK (purpose IN ('correction','check','winner','eval','imported')),
  median_ms REAL,
  p10_ms REAL,
  p90_ms REAL,
  n INTEGER,
  failure TEXT,
  measured_at TEXT NOT NULL,
  rounds INTEGER NOT NULL DEFAULT 1,      -- timings it is the best of
  second_ms REAL,                         -- median of the next best one
  CHECK ((median_ms IS NULL) = (failure IS NOT NULL)),
  UNIQUE (device_id, arch_id, protocol_hash, purpose)
) STRICT;
INSERT INTO new_network_latency
  SELECT id, device_id, arch_id, protocol_hash, purpose, median_ms, p10_ms, p90_ms, n, failure, measured_at, rounds,
    second_ms FROM network_latency;
DROP TABLE network_latency;
ALTER TABLE new_network_latency RENAME TO network_latency;
CREATE INDEX network_latency_by_arch ON network_latency (arch_id);

CREATE TABLE new_latency_model (
  id INTEGER PRIMARY KEY,
  stage_run_id INTEGER REFERENCES stage_run(id) ON DELETE CASCADE, -- NULL: fitted from imported timings
  device_id INTEGER NOT NULL REFERENCES device(id),
  space_id INTEGER NOT NULL REFERENCES space(id),
  protocol_hash TEXT NOT NULL DEFAULT '', -- of the rows it was fitted on; '' before version 2
  kind TEXT NOT NULL,                     -- 'lut_correction': estimate = scale * sum + offset_ms + unit_overhead_ms * units;
                                          -- 'additive': fitted from whole networks
  scale REAL NOT NULL,
  offset_ms REAL NOT NULL,
  num_fit INTEGER NOT NULL,               -- whole networks the model was fitted on
  num_check INTEGER NOT NULL,             -- and judged on
  mape REAL,                              -- on the check networks, fraction
  within_10_percent REAL,                 -- share of them, fraction
  kendall_tau REAL,
  r2 REAL,                                -- coefficient of determination on them
  unit_overhead_ms REAL NOT NULL DEFAULT 0, -- of every layer of the table
  deviation_ms REAL,                      -- 'additive': standard deviation of what it leaves unexplained
  terms TEXT,                             -- 'additive': JSON, gene-indexed tables
  UNIQUE (stage_run_id, device_id)
) STRICT;
INSERT INTO new_latency_model (id, stage_run_id, device_id, space_id, protocol_hash, kind, scale, offset_ms, num_fit,
    num_check, mape, within_10_percent, kendall_tau)
  SELECT id, stage_run_id, device_id, space_id, protocol_hash, kind, scale, offset_ms, num_fit, num_check, mape,
    within_10_percent, kendall_tau FROM latency_model;
DROP TABLE latency_model;
ALTER TABLE new_latency_model RENAME TO latency_model;
CREATE UNIQUE INDEX latency_model_of_imports ON latency_model (device_id, space_id, kind) WHERE stage_run_id IS NULL;
