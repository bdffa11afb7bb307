-- Version 8: every timing behind a number, and what weights add to a network.

ALTER TABLE layer_latency DROP COLUMN second_ms;
ALTER TABLE network_latency DROP COLUMN second_ms;
ALTER TABLE layer_latency ADD COLUMN timings TEXT;   -- JSON, as they were taken: [[median_ms, p10_ms, p90_ms, n, disturbed], …];
                                                     -- NULL before version 8
ALTER TABLE network_latency ADD COLUMN timings TEXT; -- the same
ALTER TABLE latency_model ADD COLUMN weight_ms_per_mb REAL NOT NULL DEFAULT 0; -- of every 10^6 bytes of float32 weights
