import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach } from 'vitest';
import type { Manifest } from '../../src/inference/bundle/manifest.js';
import { spawnHost } from '../../src/inference/host/spawn.js';
import { InferenceRunner, type InferenceRunnerOptions } from '../../src/inference/runner.js';

export const TINY_BEAT = fileURLToPath(new URL('../fixtures/models/tiny-beat', import.meta.url));

/** The compiled host: a child process cannot run TypeScript. */
export const HOST_ENTRY = fileURLToPath(new URL('../../dist/inference/host/main.js', import.meta.url));

/** One item for the tiny model; `logitsOf` computes by hand what it must answer. */
export const item = (seed: number): [Float32Array, Float32Array] => [
  Float32Array.of(seed, 2, -3, 4),
  Float32Array.of(0.5, -seed / 2),
];

const W = [
  [0.5, -0.25, 0.125],
  [-0.5, 0.75, 0.25],
  [0.25, 0.25, -1],
  [1, -0.5, 0.5],
  [-0.75, 0.5, 0.25],
  [0.125, 1, -0.25],
];
const BIAS = [0.1, -0.2, 0.05];

export function logitsOf(inputs: readonly Float32Array[]): number[] {
  const x = inputs.flatMap((values) => [...values]);
  return BIAS.map((bias, label) => x.reduce((sum, value, row) => sum + value * (W[row]?.[label] ?? 0), bias));
}

type Editable<T> = { -readonly [K in keyof T]: T[K] extends object ? Editable<T[K]> : T[K] };

const cleanUps: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

/** A copy of the tiny bundle that a test may spoil. */
export function tinyBundle(edit: (manifest: Editable<Manifest>, dir: string) => void = () => {}): string {
  const dir = mkdtempSync(join(tmpdir(), 'slothd-bundle-'));
  cleanUps.push(() => rmSync(dir, { recursive: true, force: true }));
  cpSync(TINY_BEAT, dir, { recursive: true });
  const path = join(dir, 'manifest.json');
  const manifest = JSON.parse(readFileSync(path, 'utf8'));
  edit(manifest, dir);
  writeFileSync(path, JSON.stringify(manifest));
  return dir;
}

/** Puts another file in a variant's place, with the right hash and size. */
export function swapFile(manifest: Editable<Manifest>, dir: string, variantId: string, file: string): void {
  const variant = manifest.variants.find((candidate) => candidate.id === variantId);
  if (!variant) throw new Error(`no variant ${variantId}`);
  const bytes = readFileSync(join(dir, file));
  Object.assign(variant, { file, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });
}

/** A runner on the compiled host, ended after the test. */
export function makeRunner(options: Partial<InferenceRunnerOptions> = {}): InferenceRunner {
  if (!existsSync(HOST_ENTRY)) throw new Error(`${HOST_ENTRY} is missing: run npm run build first`);
  const runner = new InferenceRunner({
    models: { beat: TINY_BEAT },
    variant: 'fp32',
    spawn: () => spawnHost(HOST_ENTRY),
    // Two busy cores must not look like a hang where a test is not about hanging.
    deadlineMs: 5000,
    backOff: { firstMs: 1, longestMs: 50 },
    ...options,
  });
  cleanUps.push(() => runner.stop());
  return runner;
}

export async function startedRunner(options: Partial<InferenceRunnerOptions> = {}): Promise<InferenceRunner> {
  const runner = makeRunner(options);
  runner.start();
  const state = await runner.settled();
  if (state !== 'ready') throw new Error(`not ready: ${runner.reason}`);
  return runner;
}

/** Waits until a condition holds. */
export async function until(condition: () => boolean, what: string, timeoutMs = 15_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
