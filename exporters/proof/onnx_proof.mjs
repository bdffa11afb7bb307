// Runs an ONNX model in ONNX Runtime on the tensor "images" of a safetensors file.
//
//   node onnx_proof.mjs MODEL.onnx CASE.safetensors
//
// Prints one line of JSON:
//   {"runtime": "ONNX Runtime 1.30.0", "shape": [n, classes], "logits": [...]}   null stands for NaN and infinity
//   {"error": "...", "at": "install" | "runtime" | "case" | "model" | "run"}     what could not be done
// and exits with 0 in both cases. Everything else (a crash, a syntax error of an old Node.js) shows as an
// exit code and on stderr.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const MAX_HEADER_BYTES = 16 * 1024 * 1024;

class StepError extends Error {
  constructor(at, cause) {
    super(String(cause?.message ?? cause));
    this.at = at;
  }
}

async function step(at, action) {
  try {
    return await action();
  } catch (error) {
    throw new StepError(at, error);
  }
}

async function loadRuntime() {
  const require = createRequire(import.meta.url);
  const path = await step("install", () => require.resolve("onnxruntime-node"));
  return step("runtime", () => {
    const ort = require(path);
    return { ort, name: `ONNX Runtime ${ort.env.versions.node ?? ort.env.versions.common}` };
  });
}

// The one float32 tensor that is asked for; offsets count from the end of the header.
function readTensor(file, name) {
  const bytes = readFileSync(file);
  const headerBytes = Number(bytes.readBigUInt64LE(0));
  if (headerBytes > Math.min(MAX_HEADER_BYTES, bytes.length - 8)) {
    throw new Error(`${file}: header of ${headerBytes} bytes`);
  }
  const entry = JSON.parse(bytes.toString("utf8", 8, 8 + headerBytes))[name];
  if (entry?.dtype !== "F32") throw new Error(`${file}: no float32 tensor '${name}'`);
  const [begin, end] = entry.data_offsets.map((offset) => 8 + headerBytes + offset);
  const count = entry.shape.reduce((product, dim) => product * dim, 1);
  if (end > bytes.length || end - begin !== 4 * count) throw new Error(`${file}: truncated`);
  // A copy, because typed arrays want their data aligned.
  const data = new Float32Array(Uint8Array.from(bytes.subarray(begin, end)).buffer);
  return { data, shape: entry.shape };
}

async function prove(modelFile, caseFile) {
  const { ort, name } = await loadRuntime();
  const images = await step("case", () => readTensor(caseFile, "images"));
  const session = await step("model", () =>
    ort.InferenceSession.create(modelFile, {
      executionProviders: ["cpu"],
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      logSeverityLevel: 3,
    }),
  );
  const { logits } = await step("run", () =>
    session.run({ images: new ort.Tensor("float32", images.data, images.shape) }, ["logits"]),
  );
  return { runtime: name, shape: logits.dims, logits: Array.from(logits.data) };
}

let answer;
try {
  answer = await prove(process.argv[2], process.argv[3]);
} catch (error) {
  if (!(error instanceof StepError)) throw error;
  answer = { error: error.message, at: error.at };
}
process.stdout.write(`${JSON.stringify(answer)}\n`);
