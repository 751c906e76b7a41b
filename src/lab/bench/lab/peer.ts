import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { compactModel } from '../../export/index.js';
import { loadTraining } from '../../models/beat-ecg/bundle.js';
import { LABELS } from '../../models/beat-ecg/network.js';
import { encodeModel } from '../../onnx/index.js';
import { answers, calibrate, type ModelItem, quantizeDynamic, quantizeStatic } from '../../quantize/index.js';
import { calibrationItems, type Split, validationItems } from './split.js';
import { onnxOf, reportFrom } from './variants.js';

const ROOT = resolve(fileURLToPath(import.meta.url), '../../../../..');
const PYTHON = join(ROOT, 'bench/peers/env/venv/bin/python');
const SCRIPT = join(ROOT, 'bench/peers/quantize.py');

export interface PeerFigures {
  readonly by: string;
  readonly kind: string;
  readonly bytes: number;
  readonly gzipBytes: number;
  readonly accuracy: number;
  readonly f1: Readonly<Record<(typeof LABELS)[number], number>>;
}

/**
 * Our quantization and Python's onnxruntime.quantization of one float model, with the same calibration and the same items.
 * @param folder of the float training
 * @param workFolder where the files for Python go
 * @returns null, with a reason, where Python or its packages are absent
 */
export async function comparePeer(
  folder: string,
  workFolder: string,
  split: Split,
): Promise<{ readonly version: string; readonly rows: PeerFigures[] } | { readonly skipped: string }> {
  if (!existsSync(PYTHON)) return { skipped: 'no Python environment: node bench/peers/setup.mjs makes it' };
  const { training } = await loadTraining(folder);
  const calibration = [...calibrationItems(split.train, training.preprocessing)];
  const items = validationItems(split.validation, training.preprocessing);
  const float = await onnxOf(folder);
  const ranges = await calibrate(float, calibration);
  mkdirSync(workFolder, { recursive: true });
  writeFileSync(join(workFolder, 'float.onnx'), encodeModel(compactModel(float)));
  writeItems(join(workFolder, 'calibration'), calibration);
  writeItems(join(workFolder, 'items'), items);

  const figures = (by: string, kind: string, bytes: Uint8Array, got: readonly Float32Array[]): PeerFigures => {
    const { accuracy, N, S, V } = reportFrom(got, split);
    const gzipBytes = gzipSync(bytes, { level: 9 }).length;
    return { by, kind, bytes: bytes.length, gzipBytes, accuracy, f1: { N: N.f1, S: S.f1, V: V.f1 } };
  };
  const rows: PeerFigures[] = [];
  for (const [kind, model] of [
    ['float32', float],
    ['dynamic int8', quantizeDynamic(float)],
    ['static int8 MinMax', quantizeStatic(float, ranges.ranges({ method: 'MinMax' }))],
    ['static int8 Percentile', quantizeStatic(float, ranges.ranges({ method: 'Percentile', percentile: 99.999 }))],
    ['static int8 Entropy', quantizeStatic(float, ranges.ranges({ method: 'Entropy' }))],
  ] as const) {
    rows.push(figures('slothd', kind, encodeModel(compactModel(model)), await answers(model, items)));
  }
  const { status, stdout, stderr } = spawnSync(PYTHON, [SCRIPT, workFolder], { encoding: 'utf8' });
  if (status !== 0) return { skipped: `${SCRIPT} failed: ${stderr.trim().split('\n').at(-1)}` };
  const { onnxruntime, made } = JSON.parse(stdout.trim().split('\n').at(-1)!) as {
    onnxruntime: string;
    made: string[];
  };
  for (const name of ['float', ...made]) {
    const kind = name === 'float' ? 'float32' : name === 'dynamic' ? 'dynamic int8' : `static int8 ${name}`;
    const bytes = readFileSync(join(workFolder, `${name}.onnx`));
    rows.push(figures('onnxruntime.quantization', kind, bytes, readLogits(join(workFolder, `${name}.logits`))));
  }
  return { version: onnxruntime, rows };
}

/** One file for each input, the items one after the other. */
function writeItems(path: string, items: readonly ModelItem[]): void {
  for (const input of items[0]!.keys()) {
    const parts = items.map((item) => {
      const { buffer, byteOffset, byteLength } = item[input]!;
      return new Uint8Array(buffer, byteOffset, byteLength);
    });
    writeFileSync(`${path}-${input}.f32`, Buffer.concat(parts));
  }
}

function readLogits(file: string): Float32Array[] {
  const values = new Float32Array(new Uint8Array(readFileSync(file)).buffer);
  const count = values.length / LABELS.length;
  return Array.from({ length: count }, (_, i) => values.subarray(i * LABELS.length, (i + 1) * LABELS.length));
}
