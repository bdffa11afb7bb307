-- The project file, version 1. docs/project_file.md explains every table and shows example queries.
-- Conventions: times are UTC text; *_ms are milliseconds at the row's batch size; top1, top5 are fractions;
-- hashes of omnifit are 16 hex digits, sha256 are 64. Natural keys are UNIQUE, so that storing twice is harmless.

CREATE TABLE space (
  id INTEGER PRIMARY KEY,
  fingerprint TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  version INTEGER NOT NULL,
  family TEXT NOT NULL,
  yaml TEXT NOT NULL                      -- canonical form
) STRICT;

CREATE TABLE arch (
  id INTEGER PRIMARY KEY,
  space_id INTEGER NOT NULL REFERENCES space(id),
  in_channels INTEGER NOT NULL,           -- the task the costs are for
  num_classes INTEGER NOT NULL,
  text TEXT NOT NULL,                     -- one-line form
  json TEXT NOT NULL,                     -- reference form (ks, e, d, image_size)
  resolution_px INTEGER NOT NULL,
  macs INTEGER NOT NULL,
  params INTEGER NOT NULL,
  peak_memory_bytes INTEGER NOT NULL,     -- float32 activations
  model_bytes INTEGER NOT NULL,           -- float32, batch norm folded
  UNIQUE (space_id, in_channels, num_classes, text)
) STRICT;

CREATE TABLE dataset (
  id INTEGER PRIMARY KEY,
  fingerprint TEXT NOT NULL UNIQUE,       -- of every pixel, label and split
  name TEXT NOT NULL,
  format TEXT NOT NULL,
  channels INTEGER NOT NULL,
  image_px INTEGER NOT NULL,
  num_classes INTEGER NOT NULL,
  num_train INTEGER NOT NULL,
  num_validation INTEGER NOT NULL,
  num_test INTEGER NOT NULL
) STRICT;

CREATE TABLE job (
  id INTEGER PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,              -- of the effective job
  yaml TEXT NOT NULL,                     -- effective: defaults < file < --set
  source TEXT NOT NULL,                   -- the job file as given
  omnifit_version TEXT NOT NULL,
  git_revision TEXT NOT NULL,
  libtorch_version TEXT NOT NULL,
  host TEXT NOT NULL,                     -- JSON: cpu, cores, system
  created_at TEXT NOT NULL
) STRICT;

CREATE TABLE stage_run (
  id INTEGER PRIMARY KEY,
  job_id INTEGER NOT NULL REFERENCES job(id),
  stage TEXT NOT NULL CHECK (stage IN ('train','profile','collect','fit','search','verify','export','report')),
  input_hash TEXT NOT NULL,               -- of the stage's effective configuration and of what it consumed
  result_hash TEXT,                       -- of what it produced; later stages consume it
  state TEXT NOT NULL CHECK (state IN ('running','done','interrupted','failed','goal_missed')),
  message TEXT NOT NULL DEFAULT '',
  started_at TEXT NOT NULL,
  finished_at TEXT,
  duration_s REAL NOT NULL DEFAULT 0,     -- over all attempts
  UNIQUE (stage, input_hash)
) STRICT;

CREATE TABLE train_metric (
  stage_run_id INTEGER NOT NULL REFERENCES stage_run(id) ON DELETE CASCADE,
  step INTEGER NOT NULL,                  -- since the start of training
  name TEXT NOT NULL,                     -- train_loss, train_top1, learning_rate, val_top1_largest, val_top1_smallest …
  phase_index INTEGER NOT NULL,
  phase TEXT NOT NULL,
  epoch REAL NOT NULL,                    -- since the start of the phase
  value REAL NOT NULL,
  PRIMARY KEY (stage_run_id, step, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoint (
  id INTEGER PRIMARY KEY,
  stage_run_id INTEGER NOT NULL REFERENCES stage_run(id) ON DELETE CASCADE,
  phase_index INTEGER NOT NULL,
  phase TEXT NOT NULL,
  step INTEGER NOT NULL,
  path TEXT NOT NULL,                     -- relative to the project file
  size_bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  final INTEGER NOT NULL CHECK (final IN (0, 1)),
  UNIQUE (stage_run_id, phase_index)
) STRICT;

CREATE TABLE device (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  runtime TEXT NOT NULL,                  -- 'libtorch'
  threads INTEGER NOT NULL,
  precision TEXT NOT NULL,                -- 'float32'
  description TEXT NOT NULL,              -- JSON: cpu model, flags, library versions
  fingerprint TEXT NOT NULL UNIQUE        -- of all of the above
) STRICT;

CREATE TABLE layer_latency (
  id INTEGER PRIMARY KEY,
  device_id INTEGER NOT NULL REFERENCES device(id),
  protocol_hash TEXT NOT NULL,
  spec TEXT NOT NULL,                     -- canonical text; the columns below repeat its fields for queries
  kind TEXT NOT NULL,
  in_channels INTEGER NOT NULL,
  mid_channels INTEGER,
  out_channels INTEGER NOT NULL,
  kernel_size INTEGER,
  stride INTEGER,
  in_px INTEGER NOT NULL,
  act TEXT,
  se_channels INTEGER,
  median_ms REAL,
  p10_ms REAL,
  p90_ms REAL,
  n INTEGER,                              -- samples
  source TEXT NOT NULL,                   -- 'measured', or the name of an imported table
  protocol TEXT NOT NULL,                 -- JSON
  failure TEXT,                           -- why there is no number
  CHECK ((median_ms IS NULL) = (failure IS NOT NULL)),
  UNIQUE (device_id, protocol_hash, source, spec)
) STRICT;

CREATE TABLE network_latency (
  id INTEGER PRIMARY KEY,
  device_id INTEGER NOT NULL REFERENCES device(id),
  arch_id INTEGER NOT NULL REFERENCES arch(id),
  protocol_hash TEXT NOT NULL,
  purpose TEXT NOT NULL CHECK (purpose IN ('correction','check','winner','eval')),
  median_ms REAL,
  p10_ms REAL,
  p90_ms REAL,
  n INTEGER,
  failure TEXT,
  measured_at TEXT NOT NULL,
  CHECK ((median_ms IS NULL) = (failure IS NOT NULL)),
  UNIQUE (device_id, arch_id, protocol_hash, purpose)
) STRICT;

CREATE TABLE latency_model (
  id INTEGER PRIMARY KEY,
  stage_run_id INTEGER NOT NULL UNIQUE REFERENCES stage_run(id) ON DELETE CASCADE,
  device_id INTEGER NOT NULL REFERENCES device(id),
  space_id INTEGER NOT NULL REFERENCES space(id),
  kind TEXT NOT NULL,                     -- 'lut_correction': estimate = scale * sum + offset_ms
  scale REAL NOT NULL,
  offset_ms REAL NOT NULL,
  num_fit INTEGER NOT NULL,               -- whole networks the correction was fitted on
  num_check INTEGER NOT NULL,             -- and judged on
  mape REAL,                              -- on the check networks, fraction
  within_10_percent REAL,                 -- share of them, fraction
  kendall_tau REAL
) STRICT;

CREATE TABLE accuracy (
  id INTEGER PRIMARY KEY,
  arch_id INTEGER NOT NULL REFERENCES arch(id),
  checkpoint_sha256 TEXT NOT NULL,        -- of the supernet's weights
  dataset_id INTEGER NOT NULL REFERENCES dataset(id),
  split TEXT NOT NULL CHECK (split IN ('train','validation','test')),
  precision TEXT NOT NULL,                -- 'float32'
  calibration TEXT NOT NULL,              -- JSON: images, batch size
  num_images INTEGER NOT NULL,
  top1 REAL NOT NULL,
  top5 REAL NOT NULL,
  loss REAL NOT NULL,
  UNIQUE (arch_id, checkpoint_sha256, dataset_id, split, precision, calibration, num_images)
) STRICT;

CREATE TABLE predictor (
  id INTEGER PRIMARY KEY,
  stage_run_id INTEGER NOT NULL UNIQUE REFERENCES stage_run(id) ON DELETE CASCADE,
  space_id INTEGER NOT NULL REFERENCES space(id),
  kind TEXT NOT NULL,
  layout_version TEXT NOT NULL,           -- of the encoding; checked before use
  weights BLOB NOT NULL,
  num_train INTEGER NOT NULL,
  num_held_out INTEGER NOT NULL,
  kendall_tau REAL NOT NULL,              -- on held-out subnets
  spearman REAL NOT NULL,
  rmse REAL NOT NULL,                     -- of top-1, fraction
  mae REAL NOT NULL
) STRICT;

CREATE TABLE predictor_check (            -- the held-out subnets behind those figures
  predictor_id INTEGER NOT NULL REFERENCES predictor(id) ON DELETE CASCADE,
  arch_id INTEGER NOT NULL REFERENCES arch(id),
  predicted_top1 REAL NOT NULL,
  measured_top1 REAL NOT NULL,
  PRIMARY KEY (predictor_id, arch_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE search_run (
  id INTEGER PRIMARY KEY,
  stage_run_id INTEGER NOT NULL REFERENCES stage_run(id) ON DELETE CASCADE,
  budget TEXT NOT NULL,                   -- as the job says it, e.g. 'latency <= 40%'
  strategy TEXT NOT NULL,                 -- 'evolution', 'random'
  constraints TEXT NOT NULL,              -- JSON: metric → absolute upper bound; min_<metric> → lower bound
  seed INTEGER NOT NULL,
  num_evaluations INTEGER NOT NULL,       -- distinct archs scored
  best_top1 REAL,                         -- predicted, of the best feasible one
  stop_reason TEXT NOT NULL,
  UNIQUE (stage_run_id, budget, strategy)
) STRICT;

CREATE TABLE search_generation (
  search_run_id INTEGER NOT NULL REFERENCES search_run(id) ON DELETE CASCADE,
  generation INTEGER NOT NULL,
  num_evaluations INTEGER NOT NULL,       -- so far
  best_top1 REAL,                         -- so far, feasible
  mean_top1 REAL,                         -- of the population
  feasible_share REAL NOT NULL,
  PRIMARY KEY (search_run_id, generation)
) STRICT, WITHOUT ROWID;

CREATE TABLE search_result (
  id INTEGER PRIMARY KEY,
  search_run_id INTEGER NOT NULL REFERENCES search_run(id) ON DELETE CASCADE,
  rank INTEGER NOT NULL,                  -- 0 = best predicted; then down the front of accuracy against cost
  arch_id INTEGER NOT NULL REFERENCES arch(id),
  predicted_top1 REAL NOT NULL,
  estimated_latency_ms REAL,
  UNIQUE (search_run_id, rank)
) STRICT;

CREATE TABLE verification (               -- candidates of a budget, measured one after the other until one keeps it
  id INTEGER PRIMARY KEY,
  stage_run_id INTEGER NOT NULL REFERENCES stage_run(id) ON DELETE CASCADE,
  budget TEXT NOT NULL,
  step INTEGER NOT NULL,                  -- 0 = the best predicted; higher = further down the front
  arch_id INTEGER NOT NULL REFERENCES arch(id),
  role TEXT NOT NULL CHECK (role IN ('winner','over_budget','largest','smallest')),
  predicted_top1 REAL,
  estimated_latency_ms REAL,
  measured_top1 REAL,                     -- on the test split
  measured_latency_ms REAL,
  bound TEXT NOT NULL,                    -- the absolute bound, e.g. 'latency_ms <= 1.23'
  UNIQUE (stage_run_id, budget, step)
) STRICT;

CREATE TABLE export (
  id INTEGER PRIMARY KEY,
  stage_run_id INTEGER NOT NULL REFERENCES stage_run(id) ON DELETE CASCADE,
  budget TEXT NOT NULL,
  arch_id INTEGER NOT NULL REFERENCES arch(id),
  format TEXT NOT NULL,                   -- 'onnx', 'torchscript', 'safetensors', 'json'
  path TEXT NOT NULL,                     -- relative to the project file
  size_bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  proof TEXT NOT NULL CHECK (proof IN ('proven','not_proven','not_applicable')),
  max_rel_difference REAL,                -- against the supernet's own logits
  note TEXT NOT NULL DEFAULT '',
  UNIQUE (stage_run_id, budget, format)
) STRICT;

CREATE INDEX arch_by_macs ON arch (macs);
CREATE INDEX accuracy_by_arch ON accuracy (arch_id);
CREATE INDEX network_latency_by_arch ON network_latency (arch_id);
