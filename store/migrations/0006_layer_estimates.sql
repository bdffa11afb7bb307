-- Version 6: what a latency table says of units that its profile did not measure.

CREATE TABLE layer_estimate (
  latency_model_id INTEGER NOT NULL REFERENCES latency_model(id) ON DELETE CASCADE, -- fitted on the measured units
  spec TEXT NOT NULL,                     -- canonical text of the unit
  time_ms REAL NOT NULL,
  deviation_ms REAL NOT NULL,             -- standard deviation of the estimate
  PRIMARY KEY (latency_model_id, spec)
) STRICT, WITHOUT ROWID;
