import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { RhythmTestFigures } from '../../lab/models/rhythm-rr/index.js';
import { announceBackend, type LabModel, labImport, refuseAugmentation, reporter, say, workFolder } from './model.js';
import { exportStep, findData, quantizeStep, tableStep } from './steps.js';

const NAME = 'rhythm-rr';
const load = () => labImport(() => import('../../lab/models/rhythm-rr/index.js'));
const trainingData = findData(NAME, 'ltafdb');
const testData = findData(NAME, 'afdb');

/** Atrial fibrillation from 60 RR intervals: trained on ltafdb and nsr2db, tested on afdb and mitdb. */
export const rhythmRr: LabModel = {
  async train({ out = workFolder(NAME, 'float'), folds = 3, seed, epochs, backend, ...options }) {
    refuseAugmentation(NAME, options, 'it sees RR intervals, no signal');
    await announceBackend(backend);
    const { trainRhythmRr, RHYTHM_RR_RECIPE } = await load();
    const { bar, onProgress } = reporter();
    const { sequence, features } = RHYTHM_RR_RECIPE;
    const training = await trainRhythmRr({
      ...(await trainingData(options)),
      ...{ outFolder: out, folds, seed, backend, onProgress, resume: options.resume },
      recipe: epochs ? { sequence: { ...sequence, epochs }, features: { ...features, epochs } } : {},
    });
    bar.end();
    say(`${out}: trained on ${training.trainedOn.length} records with ${training.backend}`);
    say(JSON.stringify(training.validation, null, 1));
  },

  async prune({ from, out = workFolder(NAME, 'pruned'), backend, layer, channels, channelsOf, ...options }) {
    await announceBackend(backend);
    const { sparsity, schedule, resume } = options;
    const { pruneRhythmRr } = await load();
    const { bar, onProgress } = reporter();
    const training = await pruneRhythmRr({
      ...(await trainingData(options)),
      ...{ modelFolder: from ?? workFolder(NAME, 'float'), outFolder: out, backend, onProgress },
      ...{ sparsity, schedule, layers: layer, channels: channels ?? channelsOf, resume },
    });
    bar.end();
    say(`${out}: ${(training.sparsity * 100).toFixed(1)} % of the kernels' weights are zero`);
  },

  pruningTable: tableStep(NAME, trainingData, async (step) => (await load()).rhythmRrPruningTable(step)),

  quantize: quantizeStep(NAME, trainingData, async (step) => (await load()).quantizeRhythmRr(step)),

  export: exportStep(NAME, testData, async (step) => (await load()).exportRhythmRr(step)),

  async testSet({ preprocessing }, options) {
    const { rhythmRrTestSet } = await load();
    const { parseRhythmPreprocessing } = await import('../../inference/windows/rhythm-rr.js');
    return rhythmRrTestSet(await testData(options), parseRhythmPreprocessing({ ...preprocessing }));
  },

  async evaluate(folder = workFolder(NAME, 'float'), options) {
    const { evaluateRhythmRr, replayedFigures } = await load();
    if (options.events !== undefined) {
      const folder = options.data ?? (await databaseOf(options.events));
      const replayed = await replayedFigures(options.events, folder);
      if (options.json) say(JSON.stringify(replayed, null, 1));
      else show(`replayed, ${basename(folder)}`, replayed);
      return;
    }
    const { bar, onReading } = reporter();
    const figures = await evaluateRhythmRr({
      ...(await testData(options)),
      modelFolder: folder,
      onProgress: onReading,
    });
    bar.end();
    if (options.json) {
      say(JSON.stringify(figures, null, 1));
      return;
    }
    show('afdb', figures.afdb);
    show('mitdb', figures.mitdb);
  },
};

/** The database whose records a replay played: afdb has five digits, mitdb three. */
async function databaseOf(eventsFile: string): Promise<string> {
  const { needDatabase } = await import('../../lab/data/find.js');
  const [first] = (await readFile(eventsFile, 'utf8')).split('\n', 1);
  const { record = '' } = JSON.parse(first || '{}') as { record?: string };
  return needDatabase(/^\d{5}/.test(record) ? 'afdb' : 'mitdb');
}

const percent = (value: number) => `${(value * 100).toFixed(2)}`.padStart(7);

function show(database: string, { windows, alarms, falsePositivesByEctopy }: RhythmTestFigures): void {
  say(`${database}: windows            Se      Sp     PPV     acc`);
  for (const [flutter, one] of Object.entries(windows)) {
    const cells = [one.sensitivity, one.specificity, one.positivePredictivity, one.accuracy];
    say(`  flutter as ${flutter.padEnd(10)} ${cells.map(percent).join(' ')}`);
  }
  if (falsePositivesByEctopy.length > 0) {
    const bands = falsePositivesByEctopy.map(
      ({ ectopy, falsePositiveRate }) => `${ectopy}: ${percent(falsePositiveRate)}`,
    );
    say(`  called fibrillation, by ectopic beats  ${bands.join('  ')}`);
  }
  const { falseAlerts, hoursOutside, falsePer24h, recordsWithFalse, episodes } = alarms;
  say(
    `  alerts: ${falseAlerts} false in ${hoursOutside.toFixed(1)} h (${falsePer24h.toFixed(2)} per 24 h; ${recordsWithFalse.join(' ') || 'no record'})`,
  );
  for (const e of episodes) {
    const delays = [e.delayMedianS, e.delayP90S, e.freshDelayMedianS, e.freshDelayP90S].map((s) => s.toFixed(0));
    say(
      `  episodes of ${e.leastMinutes} min and more: ${e.found} of ${e.episodes}, delay median ${delays[0]} s, p90 ${delays[1]} s; where no alert was open yet (${e.fresh}) ${delays[2]} and ${delays[3]} s`,
    );
  }
}
