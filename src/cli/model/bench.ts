import { readFile } from 'node:fs/promises';
import { loadBundle } from '../../inference/bundle/load.js';
import type { Manifest } from '../../inference/bundle/manifest.js';
import { RUNTIMES, type Runtime } from '../../inference/host/messages.js';
import { InferenceRunner } from '../../inference/runner.js';

export interface BenchOptions {
  readonly runtimes: readonly Runtime[];
  /** How long each variant is asked on each runtime, ms. */
  readonly timeMs: number;
}

/** One variant on one runtime, measured in a model host of its own. */
export interface BenchRow {
  readonly model: string;
  readonly variant: string;
  readonly runtime: Runtime;
  /** Why it must not be used here; the figures are null then. */
  readonly refused: string | null;
  /** Start of the host to its first possible answer, ms. */
  readonly startMs: number | null;
  /** Inside the model, one item, us. */
  readonly modelP50Us: number | null;
  readonly modelP99Us: number | null;
  /** Question to answer as the daemon sees it, us. */
  readonly answerP50Us: number | null;
  readonly answerP99Us: number | null;
  /** Proportional set size of the host, MiB. */
  readonly hostPssMiB: number | null;
}

/** A host that was never asked runs its first kernels cold: those answers are not counted. */
const WARM_UP = 30;

/** Measures every variant of a bundle on every runtime, one after the other. */
export async function benchModel(
  dir: string,
  options: BenchOptions,
  onRow: (row: BenchRow) => void = () => {},
): Promise<BenchRow[]> {
  const { manifest } = await loadBundle(dir);
  const rows: BenchRow[] = [];
  for (const runtime of options.runtimes) {
    for (const { id } of manifest.variants) {
      const row = await benchVariant(dir, manifest, id, runtime, options.timeMs);
      rows.push(row);
      onRow(row);
    }
  }
  return rows;
}

async function benchVariant(
  dir: string,
  manifest: Manifest,
  variant: string,
  runtime: Runtime,
  timeMs: number,
): Promise<BenchRow> {
  const runner = new InferenceRunner({ models: { model: dir }, variant, runtimes: RUNTIMES[runtime], timingMs: 0 });
  const from = performance.now();
  runner.start();
  const state = await runner.settled();
  const startMs = performance.now() - from;
  const base = { model: manifest.name, variant, runtime };
  if (state !== 'ready') {
    const refused = runner.reason;
    await runner.stop();
    const none = { startMs: null, modelP50Us: null, modelP99Us: null, answerP50Us: null, answerP99Us: null };
    return { ...base, refused, ...none, hostPssMiB: null };
  }
  const inputs = (manifest.golden.inputs[0] as number[][]).map((values) => Float32Array.from(values));
  for (let round = 0; round < WARM_UP; round++) await runner.infer('model', inputs);
  runner.forgetLatencies();
  const end = performance.now() + timeMs;
  do await runner.infer('model', inputs);
  while (performance.now() < end);
  const stats = runner.stats();
  const hostPssMiB = stats.hostPid === null ? null : await pssMiB(stats.hostPid);
  await runner.stop();
  return {
    ...base,
    refused: null,
    startMs: Math.round(startMs),
    modelP50Us: Math.round(stats.modelP50Ms * 1000),
    modelP99Us: Math.round(stats.modelP99Ms * 1000),
    answerP50Us: Math.round(stats.p50Ms * 1000),
    answerP99Us: Math.round(stats.p99Ms * 1000),
    hostPssMiB: hostPssMiB === null ? null : Math.round(hostPssMiB * 10) / 10,
  };
}

/** Memory that would be free without the process: its own pages and its share of common ones. Linux. */
async function pssMiB(pid: number): Promise<number | null> {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '');
  const kib = /^Pss:\s+(\d+) kB/m.exec(text)?.[1];
  return kib === undefined ? null : Number(kib) / 1024;
}

const COLUMNS = ['model', 'variant', 'runtime', 'start ms', 'p50 us', 'p99 us', 'answer p50', 'p99 us', 'PSS MiB'];
const WIDTHS = [18, 15, 8, 10, 9, 9, 12, 9, 9];

export function benchHeader(): string {
  return line(COLUMNS);
}

export function benchLine(row: BenchRow): string {
  const { model, variant, runtime, refused } = row;
  if (refused) return `${line([model, variant, runtime])} refused: ${refused}`;
  const figures = [row.startMs, row.modelP50Us, row.modelP99Us, row.answerP50Us, row.answerP99Us, row.hostPssMiB];
  return line([model, variant, runtime, ...figures.map((figure) => (figure === null ? '-' : String(figure)))]);
}

function line(cells: readonly string[]): string {
  return cells
    .map((cell, at) => (at < 3 ? cell.padEnd(WIDTHS[at] ?? 0) : cell.padStart(WIDTHS[at] ?? 0)))
    .join('')
    .trimEnd();
}
