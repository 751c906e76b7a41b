import type { Manifest } from './manifest.js';

/** Runs `items` inputs at once: one flat array per model input, items one after the other; returns all outputs flat. */
export type RunItems = (inputs: readonly Float32Array[], items: number) => Promise<Float32Array>;

/**
 * Checks that a loaded variant computes what it computed when the bundle was made: every golden case alone and, where
 * the model takes batches, all cases as one batch (a kernel may differ between the two).
 * @returns null when all is well, else what differs.
 */
export async function checkGolden(
  manifest: Manifest,
  variantId: string,
  run: RunItems,
  takesBatches: boolean,
): Promise<string | null> {
  const { inputs: cases, outputs, tolerance } = manifest.golden;
  const expected = outputs[variantId];
  const allowed = tolerance[variantId];
  if (!expected || allowed === undefined) return `no golden vectors for variant ${variantId}`;

  for (const [at, inputs] of cases.entries()) {
    const got = await run(
      inputs.map((values) => Float32Array.from(values)),
      1,
    );
    const fault = compare(got, expected[at] ?? [], allowed);
    if (fault) return `golden case ${at} of variant ${variantId}: ${fault}`;
  }
  if (!takesBatches || cases.length < 2) return null;

  const together = manifest.inputs.map((_, input) => Float32Array.from(cases.flatMap((values) => values[input] ?? [])));
  const fault = compare(await run(together, cases.length), expected.flat(), allowed);
  return fault ? `golden cases of variant ${variantId} as one batch: ${fault}` : null;
}

function compare(got: Float32Array, expected: readonly number[], allowed: number): string | null {
  if (got.length !== expected.length) return `${got.length} output values where ${expected.length} were expected`;
  let worst = 0;
  for (const [at, value] of expected.entries()) {
    const difference = Math.abs((got[at] ?? Number.NaN) - value);
    if (!(difference <= Number.MAX_VALUE)) return `output ${at} is ${got[at]}, expected ${value}`;
    worst = Math.max(worst, difference);
  }
  return worst > allowed ? `differs by ${worst.toPrecision(3)}, allowed is ${allowed}` : null;
}
