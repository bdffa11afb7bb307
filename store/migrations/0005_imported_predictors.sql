-- Version 5: predictors from elsewhere, and predictors that build on another one.

CREATE TABLE new_predictor (
  id INTEGER PRIMARY KEY,
  stage_run_id INTEGER UNIQUE REFERENCES stage_run(id) ON DELETE CASCADE, -- NULL: imported by hand
  space_id INTEGER NOT NULL REFERENCES space(id),
  kind TEXT NOT NULL,                     -- 'gaussian_process', …; 'reference_mlp': trained elsewhere
  layout_version TEXT NOT NULL,           -- of the encoding; checked before use
  weights BLOB NOT NULL,
  source TEXT NOT NULL DEFAULT '',        -- trained elsewhere: name of the file it came from
  source_sha256 TEXT NOT NULL DEFAULT '', -- and its hash
  prior BLOB,                             -- the predictor that this one corrects
  prior_source TEXT NOT NULL DEFAULT '',  -- name of the file the prior came from
  prior_source_sha256 TEXT NOT NULL DEFAULT '',
  num_train INTEGER,                      -- NULL, as all figures below: trained elsewhere
  num_held_out INTEGER,
  kendall_tau REAL,                       -- on held-out subnets
  spearman REAL,
  rmse REAL,                              -- of top-1, fraction
  mae REAL                                -- of top-1, fraction
) STRICT;
INSERT INTO new_predictor (id, stage_run_id, space_id, kind, layout_version, weights, num_train, num_held_out,
    kendall_tau, spearman, rmse, mae)
  SELECT id, stage_run_id, space_id, kind, layout_version, weights, num_train, num_held_out, kendall_tau, spearman,
    rmse, mae FROM predictor;

-- Dropping a table deletes its rows first, and with them what refers to them: the checks move before that.
CREATE TABLE new_predictor_check (        -- the held-out subnets behind those figures
  predictor_id INTEGER NOT NULL REFERENCES new_predictor(id) ON DELETE CASCADE,
  arch_id INTEGER NOT NULL REFERENCES arch(id),
  predicted_top1 REAL NOT NULL,
  measured_top1 REAL NOT NULL,
  PRIMARY KEY (predictor_id, arch_id)
) STRICT, WITHOUT ROWID;
INSERT INTO new_predictor_check SELECT predictor_id, arch_id, predicted_top1, measured_top1 FROM predictor_check;
DROP TABLE predictor_check;
DROP TABLE predictor;
ALTER TABLE new_predictor RENAME TO predictor;
ALTER TABLE new_predictor_check RENAME TO predictor_check;
CREATE UNIQUE INDEX predictor_of_imports ON predictor (space_id, source_sha256) WHERE stage_run_id IS NULL;
