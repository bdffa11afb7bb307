-- Version 9: how sure the estimate of a network is whose units were not all measured.

ALTER TABLE latency_model ADD COLUMN deviation_scale REAL NOT NULL DEFAULT 1; -- times the sum of the units' deviations is the network's; 1 before version 9
