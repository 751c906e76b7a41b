import * as ort from 'onnxruntime-node';
import { type Bundle, loadBundle } from '../../inference/bundle/load.js';
import type { Manifest } from '../../inference/bundle/manifest.js';
import { decodeModel } from '../onnx/index.js';
import { answers, type ModelItem } from '../quantize/runtime.js';
import type { Evaluation } from '../report/page.js';
import { measureLatency } from './measure.js';

/** What a model is tested on, and the figures of its answers (logits, one array per item). */
export interface TestSet {
  readonly items: readonly ModelItem[];
  figures(answers: readonly Float32Array[]): Readonly<Record<string, number>>;
  /** The class that an answer to the item at a place stands for; that of the largest value unless told. */
  choice?(answer: Float32Array, at: number): number;
  /** What a report draws its plots from. */
  evaluation(answers: readonly Float32Array[]): Evaluation;
}

export interface ReevaluatedVariant {
  readonly id: string;
  readonly bytes: number;
  readonly gzipBytes: number;
  /** Share of the test items with the class of the variant's float model. */
  readonly agreement: number;
  readonly figures: Readonly<Record<string, number>>;
  readonly p50Us: number;
  readonly p99Us: number;
  /** Time by that of fp32. */
  readonly byFp32: number;
  /** Figures that differ from what the manifest says, by name: manifest's and now. */
  readonly differs: Readonly<Record<string, readonly [manifest: number, now: number]>>;
}

export interface Reevaluated {
  readonly manifest: Manifest;
  readonly variants: readonly ReevaluatedVariant[];
  /** Answers of the default variant, for a report. */
  readonly defaultAnswers: readonly Float32Array[];
}

/** Float kernels differ in the last bits between processors, which now and then turns one item of ten thousand. */
const SAME = 5e-4;

/**
 * Runs every variant of a bundle over its test set, in the runtime the daemon uses: the figures of its card, again.
 * @throws BundleError where the bundle is damaged
 */
export async function reevaluate(
  bundleDir: string,
  testSetOf: (manifest: Manifest) => Promise<TestSet>,
  onStage?: (done: number, of: number, what: string) => void,
): Promise<Reevaluated> {
  const bundle = await loadBundle(bundleDir);
  const { manifest } = bundle;
  const testSet = await testSetOf(manifest);
  const got = new Map<string, Float32Array[]>();
  for (const { id } of manifest.variants) {
    onStage?.(got.size, manifest.variants.length, `testing ${id}`);
    got.set(id, await answers(decodeModel(bundle.files.get(id)!), testSet.items));
  }
  const times = await timesOf(bundle, testSet.items[0]!);
  const variants = manifest.variants.map((variant): ReevaluatedVariant => {
    const { id, bytes, gzipBytes, metrics } = variant;
    const reference = got.get(floatOf(id, manifest))!;
    const own = got.get(id)!;
    const offsets = manifest.output.logitOffsets;
    const decide = testSet.choice ?? ((logits: Float32Array) => choice(logits, offsets));
    const same = own.filter((answer, i) => decide(answer, i) === decide(reference[i]!, i)).length;
    const agreement = same / own.length;
    const figures = testSet.figures(own);
    // The manifest's agreement is over the items its gate judged by, which need not be the test set: it is not compared.
    const before = (metrics.accuracy ?? {}) as Record<string, number>;
    const differs = Object.fromEntries(
      Object.entries(figures)
        .filter(([name, value]) => !(Math.abs(before[name]! - value) <= SAME))
        .map(([name, value]) => [name, [before[name] ?? Number.NaN, value] as const]),
    );
    const { p50Us, p99Us, byFirst } = times.get(id)!;
    return { id, bytes, gzipBytes, agreement, figures, p50Us, p99Us, byFp32: byFirst, differs };
  });
  return { manifest, variants, defaultAnswers: got.get(manifest.defaultVariant)! };
}

/** The float variant that another was made from: `pruned-int8` from `pruned`, `int8` from `fp32`. */
function floatOf(id: string, { variants }: Manifest): string {
  const parent = variants.filter((other) => id.startsWith(`${other.id}-`)).sort((a, b) => b.id.length - a.id.length)[0];
  if (variants.find((variant) => variant.id === id)!.precision === 'float32') return id;
  return parent?.precision === 'float32' ? parent.id : 'fp32';
}

async function timesOf({ manifest, files }: Bundle, item: ModelItem) {
  const ids = ['fp32', ...manifest.variants.map(({ id }) => id).filter((id) => id !== 'fp32')];
  const feeds = Object.fromEntries(
    manifest.inputs.map(({ name, shape }, i) => [name, new ort.Tensor('float32', item[i]!, [1, ...shape])]),
  );
  return measureLatency(new Map(ids.map((id) => [id, files.get(id)!])), feeds);
}

function choice(logits: Float32Array, offsets: readonly number[] | undefined): number {
  let best = 0;
  const score = (i: number) => logits[i]! + (offsets?.[i] ?? 0);
  for (let i = 1; i < logits.length; i++) if (score(i) > score(best)) best = i;
  return best;
}

/** Row-major softmax of logits, one array per item: what an `Evaluation` holds. */
export function probabilitiesOf(answers: readonly Float32Array[]): Float32Array {
  const labels = answers[0]?.length ?? 0;
  const out = new Float32Array(answers.length * labels);
  answers.forEach((logits, i) => {
    const most = Math.max(...logits);
    const powers = logits.map((value) => Math.exp(value - most));
    const sum = powers.reduce((total, value) => total + value, 0);
    out.set(
      powers.map((value) => value / sum),
      i * labels,
    );
  });
  return out;
}
