import type { InferenceSettings } from '../../config/inference.js';
import { bundleFolder } from '../../daemon/models.js';
import { RUNTIMES } from '../../inference/host/messages.js';
import { InferenceRunner, type InferenceRunnerOptions } from '../../inference/runner.js';
import { bad, type Finding, good, note } from './finding.js';

/**
 * Loads the beat model in a process of its own, as the daemon does, and checks its golden vectors: an illegal
 * instruction kills that child and not the doctor.
 */
export async function checkRuntime(
  { models, startTimeoutMs, runtime }: Pick<InferenceSettings, 'models' | 'startTimeoutMs' | 'runtime'>,
  more: Partial<InferenceRunnerOptions> = {},
  stateDir?: string,
): Promise<Finding[]> {
  if (models.beat === null) return [note('model', 'none is configured: rules alone')];
  const folder = await bundleFolder(models.beat, stateDir);
  const runtimes = RUNTIMES[runtime];
  const runner = new InferenceRunner({ models: { beat: folder }, startTimeoutMs, timingMs: 0, runtimes, ...more });
  runner.start();
  const state = await runner.settled();
  const { reason, note: fallback } = runner;
  const info = runner.info('beat');
  await runner.stop();
  if (state === 'ready' && fallback)
    return [note('model', `${models.beat} computes what it should here, but ${fallback}`, 'slothd model bench')];
  return state === 'ready'
    ? [good('model', `${models.beat} computes what it should here (${info?.runtime}, ${info?.precision})`)]
    : [bad('model', `${models.beat}: ${reason}; rules go on without it`, `slothd model verify ${models.beat}`)];
}
