import { resolve } from 'node:path';
import type { InferenceSettings } from '../../config/inference.js';
import { bundleFolder, isInstalled, SHIPPED_MODELS } from '../../daemon/bundle-choice.js';
import { MODEL_SLOTS, type ModelSlot } from '../../domain/inference.js';
import { RUNTIMES } from '../../inference/host/messages.js';
import { InferenceRunner, type InferenceRunnerOptions } from '../../inference/runner.js';
import { bad, type Finding, good, note, quoted } from './finding.js';

/**
 * Loads the models in a process of its own, as the daemon does, and checks their golden vectors: an illegal instruction
 * kills that child and not the doctor.
 */
export async function checkRuntime(
  { models, startTimeoutMs, runtime }: Pick<InferenceSettings, 'models' | 'startTimeoutMs' | 'runtime'>,
  more: Partial<InferenceRunnerOptions> = {},
  stateDir?: string,
): Promise<Finding[]> {
  const wanted = MODEL_SLOTS.flatMap((slot): [ModelSlot, string][] => (models[slot] ? [[slot, models[slot]]] : []));
  if (wanted.length === 0) return [note('model', 'none is configured: rules alone')];
  const folders = new Map<ModelSlot, string>();
  for (const [slot, name] of wanted) folders.set(slot, await bundleFolder(name, stateDir));
  const runtimes = RUNTIMES[runtime];
  const runner = new InferenceRunner({
    models: Object.fromEntries(folders),
    startTimeoutMs,
    timingMs: 0,
    runtimes,
    ...more,
  });
  runner.start();
  const state = await runner.settled();
  const { reason, note: fallback, refusals } = runner;
  const infos = wanted.flatMap(([slot]) => runner.info(slot) ?? []);
  await runner.stop();

  if (state !== 'ready' && refusals.size === 0) {
    const [slot, name] = wanted[0]!;
    return [
      bad(
        'model',
        `${wanted.map(nameOf).join(', ')}: ${reason}; rules go on without`,
        fixOf(name, folders.get(slot)!, stateDir),
      ),
    ];
  }
  const findings = wanted.flatMap(([slot, name]): Finding[] => {
    const refused = refusals.get(slot);
    return refused
      ? [bad('model', `${name}: ${refused}; rules go on without it`, fixOf(name, folders.get(slot)!, stateDir))]
      : [];
  });
  const fit = wanted
    .filter(([slot]) => !refusals.has(slot))
    .map(nameOf)
    .join(', ');
  if (fit && fallback)
    findings.push(note('model', `${fit}: they compute what they should here, but ${fallback}`, 'slothd model bench'));
  else if (fit) findings.push(good('model', `${fit}: they compute what they should here (${infos[0]?.runtime})`));
  return findings;
}

const nameOf = ([, name]: [ModelSlot, string]) => name;

/** An installed bundle can be left for the one before it; one that came with slothd is whole in the package. */
function fixOf(name: string, folder: string, stateDir: string | undefined): string {
  if (isInstalled(folder, stateDir)) return `sudo slothd model rollback ${quoted(name)}`;
  const verify = `slothd model verify ${quoted(name)}`;
  if (!resolve(folder).startsWith(SHIPPED_MODELS)) return verify;
  return `${verify}   # says which file; then install slothd anew: sudo apt install --reinstall ./slothd_*.deb`;
}
