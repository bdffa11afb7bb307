// Times ONNX models in ONNX Runtime (CPU) for omnifit; docs/devices.md describes the contract.
//
//   node onnxruntime.mjs REQUEST.json
//
// onnxruntime-node is looked for beside this script. Prints one line of JSON about the device, then one a model as soon as
// it is timed:
//   {"device": {"runtime": "ONNX Runtime 1.30.0", …}}
//   {"id": "m0", "run_ms": [0.121, 0.119, …]}    milliseconds per run, one number a sample
//   {"id": "m1", "failure": "…"}                 what this model could not do
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus } from "node:os";
import { dirname, join } from "node:path";

const FEWEST_SAMPLES = 5;
const MAX_REPEATS = 1 << 20;
const NORMAL_QUANTILE = 1.959963984540054;
// Until Node.js has compiled what runs often, and the processor has woken up.
const WARM_UP_MS = 400;

const print = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
const now = () => Number(process.hrtime.bigint()) / 1e6;

function readFirst(file, fallback) {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return fallback;
  }
}

// Whether the allocator asks for huge pages and the kernel grants them: 5 % of a network's time, and much of its noise.
function pageSize() {
  const asked = (process.env.GLIBC_TUNABLES ?? "").includes("glibc.malloc.hugetlb=1");
  const granted = /\[(always|madvise)\]/.test(readFirst("/sys/kernel/mm/transparent_hugepage/enabled", ""));
  return asked && granted ? "huge" : "small";
}

function describe(ort, threads) {
  const flags = readFirst("/proc/cpuinfo", "").match(/^(?:flags|Features)\s*:\s*(.*)$/m)?.[1] ?? "";
  const wanted = ["avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "asimd", "sve"];
  return {
    runtime: `ONNX Runtime ${ort.env.versions.node ?? ort.env.versions.common}`,
    node: process.version,
    cpu: cpus()[0]?.model.trim() || "unknown",
    flags: wanted.filter((flag) => flags.split(" ").includes(flag)),
    governor: readFirst("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "unknown"),
    memory_pages: pageSize(),
    threads,
  };
}

// 95 % confidence interval of the median by order statistics, relative to the median.
function relativeInterval(samples) {
  const sorted = Float64Array.from(samples).sort();
  const n = sorted.length;
  if (n < 6) return Infinity;
  const low = Math.max(1, Math.floor((n - NORMAL_QUANTILE * Math.sqrt(n)) / 2));
  return (sorted[n - low] - sorted[low - 1]) / sorted[n >> 1];
}

// Warm-up, then samples of enough runs each to be seen by the clock, until their median is known well enough.
async function takeSamples(run, protocol) {
  let usedMs = 0;
  const timed = async (repeats) => {
    const start = now();
    await run(repeats);
    const elapsedMs = now() - start;
    usedMs += elapsedMs;
    return elapsedMs;
  };
  const timeIsUp = () => usedMs >= protocol.max_unit_s * 1000;

  for (let i = 0; i < protocol.warmup_runs && !(i > 0 && timeIsUp()); ++i) await timed(1);
  let repeats = 1;
  for (;;) {
    const elapsedMs = await timed(repeats);
    if ((elapsedMs > 0 && elapsedMs >= protocol.min_sample_ms) || repeats >= MAX_REPEATS) break;
    if (elapsedMs > 0 && timeIsUp()) break;
    repeats *= 2;
  }
  const samples = [];
  for (;;) {
    samples.push((await timed(repeats)) / repeats);
    const count = samples.length;
    if (count >= FEWEST_SAMPLES && (timeIsUp() || count >= protocol.max_samples)) break;
    if (count >= protocol.min_samples && relativeInterval(samples) <= protocol.target_rel_ci) break;
  }
  return samples;
}

let warm = false;

async function warmUp(run) {
  const end = now() + WARM_UP_MS;
  while (!warm && now() < end) await run(8);
  warm = true;
}

async function timeModel(ort, folder, model, request) {
  const session = await ort.InferenceSession.create(join(folder, model.file), {
    executionProviders: ["cpu"],
    intraOpNumThreads: request.threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  try {
    const count = model.shape.reduce((product, size) => product * size, 1);
    const pixels = Float32Array.from({ length: count }, (_, i) => (2 * i) / Math.max(count - 1, 1) - 1);
    const feeds = { [model.input]: new ort.Tensor("float32", pixels, model.shape) };
    // Runs that are started together follow each other without a turn of the event loop in between.
    const run = (repeats) => Promise.all(Array.from({ length: repeats }, () => session.run(feeds)));
    await warmUp(run);
    return await takeSamples(run, request.protocol);
  } finally {
    await session.release();
  }
}

const requestFile = process.argv[2];
const request = JSON.parse(readFileSync(requestFile, "utf8"));
const ort = createRequire(import.meta.url)("onnxruntime-node");
print({ device: describe(ort, request.threads) });
for (const model of request.models) {
  try {
    print({ id: model.id, run_ms: await timeModel(ort, dirname(requestFile), model, request) });
  } catch (error) {
    print({ id: model.id, failure: String(error?.message ?? error) });
  }
}
