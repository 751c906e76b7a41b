import { setTimeout as sleep } from 'node:timers/promises';
import type { InferenceState } from '../../domain/inference.js';
import type { InferenceRunner } from '../../inference/runner.js';

/** A second runtime needs no longer than this on any machine it was tried on. */
const SECOND_RUNTIME_MS = 15_000;
const LOOK_MS = 50;

/**
 * How a runner ends up. A library that kills its process (an illegal instruction) makes it `down` for a moment, until the
 * next runtime has its turn; the daemon would go on with that one.
 */
export async function settledAtLast(runner: InferenceRunner): Promise<InferenceState> {
  let state = await runner.settled();
  const end = performance.now() + SECOND_RUNTIME_MS;
  while (state !== 'ready' && runner.note !== '' && runner.refusals.size === 0 && performance.now() < end) {
    await sleep(LOOK_MS);
    state = runner.state();
  }
  return state;
}
