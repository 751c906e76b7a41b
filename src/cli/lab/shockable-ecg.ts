import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ShockableAlarmFigures } from '../../lab/models/shockable-ecg/index.js';
import { announceBackend, type LabModel, labImport, refuseAugmentation, reporter, say, workFolder } from './model.js';
import { exportStep, findData, pruneStep, quantizeStep, refuseTrainingOptions, tableStep } from './steps.js';

const NAME = 'shockable-ecg';
const load = () => labImport(() => import('../../lab/models/shockable-ecg/index.js'));
const trainingData = findData(NAME, 'vfdb');
const testData = findData(NAME, 'mitdb');

/** Fibrillation, flutter and fast tachycardia in 4 s of one lead: trained on vfdb and svdb, tested on mitdb and cinc2017. */
export const shockableEcg: LabModel = {
  async train({ out = workFolder(NAME, 'float'), folds, seed, epochs, backend, ...options }) {
    refuseTrainingOptions(NAME, options);
    refuseAugmentation(NAME, options, 'its recipe adds recorded noise already');
    await announceBackend(backend);
    const { trainShockable, SHOCKABLE_RECIPE } = await load();
    const { bar, onProgress } = reporter();
    const { signal, features } = SHOCKABLE_RECIPE;
    const training = await trainShockable({
      ...(await trainingData(options)),
      ...{ outFolder: out, crossValidates: folds !== 0, seed, backend, onProgress },
      recipe: epochs ? { signal: { ...signal, epochs }, features: { ...features, epochs } } : {},
    });
    bar.end();
    say(`${out}: trained on ${training.trainedOn.length} records with ${training.backend}`);
    say(JSON.stringify(training.validation, null, 1));
  },

  prune: pruneStep(NAME, trainingData, async (step) => (await load()).pruneShockable(step)),

  pruningTable: tableStep(NAME, trainingData, async (step) => (await load()).shockablePruningTable(step)),

  quantize: quantizeStep(NAME, trainingData, async (step) => (await load()).quantizeShockable(step)),

  export: exportStep(NAME, testData, async (step) => (await load()).exportShockable(step)),

  async testSet({ preprocessing }, options) {
    const { shockableTestSet } = await load();
    const { parseShockablePreprocessing } = await import('../../inference/windows/shockable-ecg.js');
    return shockableTestSet(await testData(options), parseShockablePreprocessing({ ...preprocessing }));
  },

  async evaluate(folder = workFolder(NAME, 'float'), options) {
    const { evaluateShockable, replayedFigures } = await load();
    if (options.events !== undefined) {
      const database = options.data ?? (await databaseOf(options.events));
      const replayed = await replayedFigures(options.events, database, workFolder(NAME, 'cache'));
      if (options.json) say(JSON.stringify(replayed, null, 1));
      else show(`replayed, ${basename(database)}`, replayed);
      return;
    }
    const { bar, onReading } = reporter();
    const figures = await evaluateShockable({
      ...(await testData(options)),
      modelFolder: folder,
      onProgress: onReading,
    });
    bar.end();
    if (options.json) {
      say(JSON.stringify(figures, null, 1));
      return;
    }
    for (const [name, { windows, alarms }] of Object.entries(figures)) {
      const { specificity, noisePositive, threshold } = windows;
      const called = Number.isNaN(noisePositive) ? 1 - specificity : noisePositive;
      say(`${name}: ${(called * 100).toFixed(2)} % of the windows are called shockable at ${threshold}`);
      show(name, alarms);
    }
  },
};

/** The database whose records a replay played: vfdb's begin with 4 or 6, svdb's with 8, mitdb's with 1 or 2, cinc2017's with A. */
async function databaseOf(eventsFile: string): Promise<string> {
  const { needDatabase } = await import('../../lab/data/find.js');
  const [first] = (await readFile(eventsFile, 'utf8')).split('\n', 1);
  const { record = '' } = JSON.parse(first || '{}') as { record?: string };
  if (/^[46]\d\d$/.test(record)) return needDatabase('vfdb');
  if (/^8\d\d$/.test(record)) return needDatabase('svdb');
  if (/^[12]\d\d$/.test(record)) return needDatabase('mitdb');
  return needDatabase(record.startsWith('A') ? 'cinc2017' : 'nstdb');
}

function show(name: string, figures: ShockableAlarmFigures): void {
  const { hoursOutside, falseAlerts, falsePerHour, falseInNoise, falseInAsystole, recordsWithFalse } = figures;
  say(
    `${name}: ${falseAlerts} false alerts in ${hoursOutside.toFixed(2)} h (${falsePerHour.toFixed(2)} per hour; ${falseInNoise} in noise, ${falseInAsystole} in asystole; ${recordsWithFalse.join(' ') || 'no record'})`,
  );
  for (const kind of ['vf', 'vt'] as const) {
    const { episodes, found, ownKind, delayMedianS, delayP90S, missed } = figures[kind];
    if (episodes === 0) continue;
    const delays = `delay median ${delayMedianS.toFixed(1)} s, p90 ${delayP90S.toFixed(1)} s`;
    say(
      `  ${kind.toUpperCase()} of 10 s and more: ${found} of ${episodes} found, ${ownKind} by its own kind, ${delays}${missed.length > 0 ? `; missed ${missed.join(' ')}` : ''}`,
    );
  }
}
