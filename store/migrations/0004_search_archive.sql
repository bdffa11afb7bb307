-- Version 4: how far a search had come after each generation, and every arch that a costly search measured, so that a stopped
-- one goes on.

ALTER TABLE search_run ADD COLUMN hypervolume_box TEXT;  -- JSON: metric → [best, worst] feasible value; what hypervolume is a share of
ALTER TABLE search_generation ADD COLUMN hypervolume REAL;  -- of the feasible front so far, as a share of that box, 0 to 1

CREATE TABLE search_archive (             -- archs in the order they were measured
  stage_run_id INTEGER NOT NULL REFERENCES stage_run(id) ON DELETE CASCADE,
  budget TEXT NOT NULL,                   -- of the search_run, which is written when the search ends
  strategy TEXT NOT NULL,
  position INTEGER NOT NULL,              -- 0 = the first one
  arch_text TEXT NOT NULL,                -- one-line form
  metrics TEXT NOT NULL,                  -- JSON: metric → value; null where it could not be measured
  PRIMARY KEY (stage_run_id, budget, strategy, position)
) STRICT, WITHOUT ROWID;
