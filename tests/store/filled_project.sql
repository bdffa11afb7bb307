-- A small finished project, for the queries of docs/project_file.md.

INSERT INTO space VALUES (1, 'aaaaaaaaaaaaaaaa', 'mbv3_32px', 1, 'mbconv', 'name: mbv3_32px');

INSERT INTO arch (id, space_id, in_channels, num_classes, text, json, resolution_px, macs, params, peak_memory_bytes, model_bytes)
VALUES (1, 1, 3, 10, 'largest', '{}', 32, 5000000, 800000, 65536, 3200000),
       (2, 1, 3, 10, 'a', '{}', 32, 3000000, 600000, 65536, 2400000),
       (3, 1, 3, 10, 'b', '{}', 28, 2000000, 500000, 49152, 2000000),
       (4, 1, 3, 10, 'c', '{}', 28, 2500000, 550000, 49152, 2200000),
       (5, 1, 3, 10, 'smallest', '{}', 24, 1500000, 300000, 32768, 1200000);

INSERT INTO dataset VALUES (1, 'bbbbbbbbbbbbbbbb', 'shapes', 'synthetic', 3, 32, 10, 9000, 1000, 2000);

INSERT INTO job VALUES (1, 'cccccccccccccccc', 'seed: 1', 'seed: 1', '0.1.0', 'abc', '1.13.1', '{}', '2026-01-01T09:00:00Z');

INSERT INTO stage_run (id, job_id, stage, input_hash, result_hash, state, message, started_at, finished_at, duration_s)
VALUES (1, 1, 'train', 'h1', 'r1', 'done', '', '2026-01-01T09:00:00Z', '2026-01-01T09:02:00Z', 120.5),
       (2, 1, 'profile', 'h2', 'r2', 'done', '', '2026-01-01T09:02:00Z', '2026-01-01T09:02:20Z', 20.0),
       (3, 1, 'fit', 'h3', 'r3', 'done', '', '2026-01-01T09:03:00Z', '2026-01-01T09:03:01Z', 1.0),
       (4, 1, 'search', 'h4', 'r4', 'done', '', '2026-01-01T09:04:00Z', '2026-01-01T09:04:02Z', 2.0),
       (5, 1, 'verify', 'h5', 'r5', 'done', '', '2026-01-01T09:05:00Z', '2026-01-01T09:05:10Z', 10.0),
       (6, 1, 'export', 'h6', NULL, 'interrupted', 'stopped by a signal', '2026-01-01T09:06:00Z', NULL, 3.5),
       (7, 1, 'train', 'h0', 'r0', 'done', 'an earlier try', '2025-12-31T09:00:00Z', '2025-12-31T09:01:00Z', 60.0),
       (8, 1, 'verify', 'h8', 'r8', 'done', 'an earlier try', '2025-12-31T10:00:00Z', '2025-12-31T10:01:00Z', 60.0);

INSERT INTO train_metric (stage_run_id, step, name, phase_index, phase, epoch, value)
VALUES (1, 100, 'val_top1_largest', 0, 'full', 1.0, 0.8),
       (1, 200, 'val_top1_largest', 0, 'full', 2.0, 0.9),
       (1, 300, 'val_top1_largest', 1, 'kernel', 1.0, 0.91),
       (1, 300, 'val_top1_smallest', 1, 'kernel', 1.0, 0.7),
       (1, 100, 'train_loss', 0, 'full', 1.0, 1.5),
       (7, 100, 'val_top1_largest', 0, 'full', 1.0, 0.1);

INSERT INTO device VALUES (1, 'laptop-cpu', 'libtorch', 1, 'float32', '{}', 'dddddddddddddddd'),
                          (2, 'desk-cpu', 'libtorch', 4, 'float32', '{}', 'eeeeeeeeeeeeeeee');

INSERT INTO layer_latency (device_id, protocol_hash, spec, kind, in_channels, out_channels, in_px, median_ms, p10_ms, p90_ms, n,
                           source, protocol, failure)
VALUES (1, 'p', 'conv stem', 'conv', 3, 16, 32, 0.05, 0.04, 0.06, 30, 'measured', '{}', NULL),
       (1, 'p', 'mbconv wide', 'mbconv', 24, 32, 8, 0.4, 0.35, 0.5, 30, 'measured', '{}', NULL),
       (1, 'p', 'mbconv narrow', 'mbconv', 24, 24, 8, 0.2, 0.15, 0.25, 30, 'measured', '{}', NULL),
       (1, 'p', 'linear', 'linear', 256, 10, 1, 0.01, 0.01, 0.02, 30, 'measured', '{}', NULL),
       (1, 'p', 'mbconv broken', 'mbconv', 24, 24, 8, NULL, NULL, NULL, 0, 'measured', '{}', 'timed out'),
       (2, 'p', 'mbconv wide', 'mbconv', 24, 32, 8, 9.0, 8.0, 9.5, 30, 'measured', '{}', NULL);

INSERT INTO network_latency (device_id, arch_id, protocol_hash, purpose, median_ms, p10_ms, p90_ms, n, failure, measured_at)
VALUES (1, 1, 'p', 'eval', 2.0, 1.9, 2.1, 20, NULL, '2026-01-01T09:05:00Z'),
       (1, 2, 'p', 'winner', 1.2, 1.1, 1.3, 20, NULL, '2026-01-01T09:05:00Z'),
       (1, 3, 'p', 'winner', 0.8, 0.7, 0.9, 20, NULL, '2026-01-01T09:05:00Z'),
       (1, 4, 'p', 'check', NULL, NULL, NULL, NULL, 'timed out', '2026-01-01T09:05:00Z'),
       (1, 5, 'p', 'eval', 0.5, 0.4, 0.6, 20, NULL, '2026-01-01T09:05:00Z'),
       (2, 2, 'p', 'eval', 0.3, 0.2, 0.4, 20, NULL, '2026-01-01T09:05:00Z');

INSERT INTO latency_model (stage_run_id, device_id, space_id, kind, scale, offset_ms, num_fit, num_check, mape, within_10_percent,
                           kendall_tau)
VALUES (2, 1, 1, 'lut_correction', 0.9, 0.05, 20, 30, 0.03, 1.0, 0.95);

INSERT INTO accuracy (arch_id, checkpoint_sha256, dataset_id, split, precision, calibration, num_images, top1, top5, loss)
VALUES (1, 'f', 1, 'test', 'float32', '{}', 2000, 0.935, 0.99, 0.2),
       (2, 'f', 1, 'test', 'float32', '{}', 2000, 0.93, 0.99, 0.2),
       (3, 'f', 1, 'test', 'float32', '{}', 2000, 0.921, 0.99, 0.2),
       (4, 'f', 1, 'test', 'float32', '{}', 2000, 0.918, 0.99, 0.2),
       (5, 'f', 1, 'test', 'float32', '{}', 2000, 0.9, 0.99, 0.2),
       (5, 'f', 1, 'validation', 'float32', '{}', 1000, 0.95, 0.99, 0.2);

INSERT INTO predictor (id, stage_run_id, space_id, kind, layout_version, weights, num_train, num_held_out, kendall_tau,
                       spearman, rmse, mae)
VALUES (1, 3, 1, 'ridge', 'v1', x'00', 80, 20, 0.81234, 0.9, 0.004, 0.003);
INSERT INTO predictor_check VALUES (1, 1, 0.5, 0.75), (1, 2, 0.5, 0.625);

INSERT INTO search_run (id, stage_run_id, budget, strategy, constraints, seed, num_evaluations, best_top1, stop_reason)
VALUES (1, 4, 'latency <= 40%', 'evolution', '{"latency_ms":1.25}', 1, 2000, 0.931, 'evaluation budget used'),
       (2, 4, 'latency <= 40%', 'random', '{"latency_ms":1.25}', 1, 2000, 0.925, 'evaluation budget used'),
       (3, 4, 'latency <= 10%', 'evolution', '{"latency_ms":0.85}', 1, 2000, 0.922, 'evaluation budget used'),
       (4, 4, 'latency <= 10%', 'random', '{"latency_ms":0.85}', 1, 2000, NULL, 'no feasible subnet found');
INSERT INTO search_generation (search_run_id, generation, num_evaluations, best_top1, mean_top1, feasible_share)
VALUES (1, 0, 100, 0.92, 0.91, 0.5), (1, 1, 200, 0.931, 0.92, 1.0);
INSERT INTO search_result VALUES (1, 1, 0, 2, 0.931, 1.24), (2, 1, 1, 3, 0.922, 0.82);

INSERT INTO verification (stage_run_id, budget, step, arch_id, role, predicted_top1, estimated_latency_ms, measured_top1,
                          measured_latency_ms, bound)
VALUES (5, 'latency <= 40%', 0, 1, 'over_budget', 0.936, 1.25, 0.935, 2.0, 'latency_ms <= 1.25'),
       (5, 'latency <= 40%', 1, 2, 'winner', 0.931, 1.24, 0.93, 1.2, 'latency_ms <= 1.25'),
       (5, 'latency <= 10%', 0, 3, 'winner', 0.922, 0.82, 0.921, 0.8, 'latency_ms <= 0.85'),
       (8, 'latency <= 10%', 0, 5, 'winner', 0.9, 0.5, 0.9, 0.5, 'latency_ms <= 0.85');

INSERT INTO export (stage_run_id, budget, arch_id, format, path, size_bytes, sha256, proof, max_rel_difference, note)
VALUES (6, 'latency <= 40%', 2, 'onnx', 'export/a.onnx', 2400100, 'g', 'proven', 0.000001, ''),
       (6, 'latency <= 40%', 2, 'torchscript', 'export/a.pt', 2400200, 'g', 'proven', 0.0, ''),
       (6, 'latency <= 10%', 3, 'torchscript', 'export/b.pt', 2000200, 'g', 'not_proven', NULL, 'Node.js not found');
