// Times ONNX models in ONNX Runtime (CPU) for omnifit; docs/devices.md describes the contract.
//
//   node onnxruntime.mjs REQUEST.json
//
// onnxruntime-node is looked for beside this script. Prints one line of JSON about the device, then one a model as soon as
// it is timed:
//   {"device": {"runtime": "ONNX Runtime 1.30.0", …}}
//   {"id": "m0", "run_ms": [0.121, 0.119, …]}    milliseconds per run, one number a sample
//   {"id": "m1", "failure": "…"}                 what this model could not do
// with "disturbed": true where something else was running all the while, or "reference_ms": [4.1, 4.2, …] where the model
// took turns with the request's reference network; and at last
//   {"pulse_ms": 0.081}                          what a piece of arithmetic usually took, which the next request brings back
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus } from "node:os";
import { dirname, join } from "node:path";

const FEWEST_SAMPLES = 5;
const MAX_REPEATS = 1 << 20;
const NORMAL_QUANTILE = 1.959963984540054;
// Until Node.js has compiled what runs often, and the processor has woken up.
const WARM_UP_MS = 400;
const FIRST_PULSES = 64;
const KEPT_PULSES = 4096;
const PULSES_PER_REVIEW = 16;
const USUAL_SHARE = 0.1;

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

const numbers = Float64Array.from({ length: 512 }, (_, i) => 1 + i / 512);
let total = 0;

function beatMs() {
  const start = now();
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let round = 0; round < 256; ++round) {
    for (let i = 0; i < 512; i += 4) {
      a += numbers[i] * numbers[511 - i];
      b += numbers[i + 1] * numbers[510 - i];
      c += numbers[i + 2] * numbers[509 - i];
      d += numbers[i + 3] * numbers[508 - i];
    }
  }
  total += a + b + c + d;
  return now() - start;
}

// A fixed piece of arithmetic, timed again and again: a neighbour on the same core makes it slower for seconds, then is gone.
// Usual is the fastest tenth of the last pulses.
const pulse = {
  last: [],
  count: 0,
  usualMs: 0,
  beforeMs: Infinity, // usual in the call before: this one may begin next to a neighbour
  beat() {
    this.last[this.count++ % KEPT_PULSES] = beatMs();
    if (this.count % PULSES_PER_REVIEW !== 0) return;
    const sorted = Float64Array.from(this.last).sort();
    this.usualMs = sorted[Math.floor(sorted.length * USUAL_SHARE)];
    if (this.count < KEPT_PULSES) this.usualMs = Math.min(this.usualMs, this.beforeMs);
  },
  isQuiet(ratio) {
    while (this.count < FIRST_PULSES) this.beat();
    this.beat();
    return this.last[(this.count - 1) % KEPT_PULSES] <= (1 + ratio) * this.usualMs;
  },
};

// The samples near the fastest tenth, FEWEST_SAMPLES at least: the same work takes the same time unless something interferes, and what interferes with
// the memory shows in no pulse.
function undisturbed(samples, ratio) {
  const sorted = Float64Array.from(samples).sort();
  const limit = (1 + ratio) * sorted[Math.floor(sorted.length / 10)];
  return sorted.filter((ms, i) => ratio === 0 || i < FEWEST_SAMPLES || ms <= limit);
}

function stopwatch(protocol) {
  let usedMs = 0;
  return {
    async timed(run, repeats) {
      const start = now();
      await run(repeats);
      const elapsedMs = now() - start;
      usedMs += elapsedMs;
      return elapsedMs;
    },
    timeIsUp: () => usedMs >= protocol.max_unit_s * 1000,
  };
}

async function findRepeats(run, protocol, timed, timeIsUp) {
  for (let i = 0; i < protocol.warmup_runs && !(i > 0 && timeIsUp()); ++i) await timed(run, 1);
  for (let repeats = 1; ; repeats *= 2) {
    const elapsedMs = await timed(run, repeats);
    if ((elapsedMs > 0 && elapsedMs >= protocol.min_sample_ms) || repeats >= MAX_REPEATS) return repeats;
    if (elapsedMs > 0 && timeIsUp()) return repeats;
  }
}

// In turns with the reference: what disturbs the machine makes both slower, so their ratio is known long before their times.
async function takePairedSamples(run, runReference, protocol) {
  const { timed, timeIsUp } = stopwatch(protocol);
  const repeats = await findRepeats(run, protocol, timed, timeIsUp);
  await timed(runReference, 1);
  const runs = [];
  const references = [];
  const ratios = [];
  let before = await timed(runReference, 1);
  for (;;) {
    runs.push((await timed(run, repeats)) / repeats);
    const after = await timed(runReference, 1);
    references.push((before + after) / 2);
    ratios.push(runs.at(-1) / references.at(-1));
    before = after;
    if (ratios.length >= protocol.max_samples) break;
    if (ratios.length >= FEWEST_SAMPLES && timeIsUp()) break;
    if (ratios.length >= protocol.min_samples && relativeInterval(ratios) <= protocol.target_rel_ci) break;
  }
  return { run_ms: runs, reference_ms: references };
}

// Warm-up, then samples of enough runs each to be seen by the clock, until their median is known well enough. Those count
// that lie between two quiet pulses; where the time was too short for them, those of all, as disturbed ones.
async function takeSamples(run, protocol) {
  const { timed, timeIsUp } = stopwatch(protocol);
  const repeats = await findRepeats(run, protocol, timed, timeIsUp);
  const near = (samples) => Array.from(undisturbed(samples, protocol.quiet_ratio === 0 ? 0 : protocol.near_ratio));
  const isQuiet = () => protocol.quiet_ratio === 0 || pulse.isQuiet(protocol.quiet_ratio);
  const all = [];
  const quiet = [];
  let quietBefore = isQuiet();
  for (;;) {
    all.push((await timed(run, repeats)) / repeats);
    const quietAfter = isQuiet();
    if (quietBefore && quietAfter) quiet.push(all.at(-1));
    quietBefore = quietAfter;
    if (all.length >= FEWEST_SAMPLES && timeIsUp()) break;
    if (quiet.length >= protocol.max_samples) break;
    if (quiet.length >= protocol.min_samples && relativeInterval(near(quiet)) <= protocol.target_rel_ci) break;
  }
  if (quiet.length < FEWEST_SAMPLES) return { run_ms: near(all), disturbed: true };
  return { run_ms: near(quiet) };
}

let warm = false;

async function warmUp(run) {
  const end = now() + WARM_UP_MS;
  while (!warm && now() < end) {
    await run(8);
    pulse.beat();
  }
  warm = true;
}

async function load(ort, folder, model, request) {
  const session = await ort.InferenceSession.create(join(folder, model.file), {
    executionProviders: ["cpu"],
    intraOpNumThreads: request.threads,
    interOpNumThreads: 1,
    logSeverityLevel: 3,
  });
  const count = model.shape.reduce((product, size) => product * size, 1);
  const pixels = Float32Array.from({ length: count }, (_, i) => (2 * i) / Math.max(count - 1, 1) - 1);
  const feeds = { [model.input]: new ort.Tensor("float32", pixels, model.shape) };
  // Runs that are started together follow each other without a turn of the event loop in between.
  const run = (repeats) => Promise.all(Array.from({ length: repeats }, () => session.run(feeds)));
  return { run, release: () => session.release() };
}

let reference; // loaded by the first model that takes turns with it, for as long as the process lives

// Where the reference cannot be run, models are timed alone.
async function runOfReference(ort, folder, request) {
  if (reference === undefined) {
    try {
      reference = (await load(ort, folder, request.reference, request)).run;
      await reference(1);
    } catch {
      reference = null;
    }
  }
  return reference;
}

async function timeModel(ort, folder, model, request) {
  const runReference = model.takes_turns ? await runOfReference(ort, folder, request) : null;
  const { run, release } = await load(ort, folder, model, request);
  try {
    await warmUp(run);
    return await (runReference ? takePairedSamples(run, runReference, request.protocol) : takeSamples(run, request.protocol));
  } finally {
    await release();
  }
}

const requestFile = process.argv[2];
const request = JSON.parse(readFileSync(requestFile, "utf8"));
const ort = createRequire(import.meta.url)("onnxruntime-node");
pulse.beforeMs = request.pulse_ms ?? Infinity;
print({ device: describe(ort, request.threads) });
for (const model of request.models) {
  try {
    print({ id: model.id, ...(await timeModel(ort, dirname(requestFile), model, request)) });
  } catch (error) {
    print({ id: model.id, failure: String(error?.message ?? error) });
  }
}
if (pulse.usualMs > 0) print({ pulse_ms: pulse.usualMs });
