import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ShockableAlarmFigures } from '../../lab/models/shockable-ecg/index.js';
import { UsageError } from '../usage-error.js';
import {
  announceBackend,
  type DataOptions,
  type LabModel,
  labImport,
  refuseAugmentation,
  reporter,
  say,
  sayExported,
  stepFolders,
  workFolder,
} from './model.js';

const NAME = 'shockable-ecg';
const load = () => labImport(() => import('../../lab/models/shockable-ecg/index.js'));

async function dataOptions({ data }: DataOptions, database: string) {
  const { needDatabase } = await import('../../lab/data/find.js');
  return { dataFolder: data ?? dirname(needDatabase(database)), cacheFolder: workFolder(NAME, 'cache') };
}

/** Fibrillation, flutter and fast tachycardia in 4 s of one lead: trained on vfdb and svdb, tested on mitdb and cinc2017. */
export const shockableEcg: LabModel = {
  async train({ out = workFolder(NAME, 'float'), folds, seed, epochs, backend, ...options }) {
    if (options.resume || options.patience !== undefined || options.classWeights) {
      throw new UsageError('shockable-ecg takes no --resume, --patience or --class-weights: its recipe says it all');
    }
    refuseAugmentation(NAME, options, 'its recipe adds recorded noise already');
    await announceBackend(backend);
    const { trainShockable, SHOCKABLE_RECIPE } = await load();
    const { bar, onProgress } = reporter();
    const { signal, features } = SHOCKABLE_RECIPE;
    const training = await trainShockable({
      ...(await dataOptions(options, 'vfdb')),
      ...{ outFolder: out, crossValidates: folds !== 0, seed, backend, onProgress },
      recipe: epochs ? { signal: { ...signal, epochs }, features: { ...features, epochs } } : {},
    });
    bar.end();
    say(`${out}: trained on ${training.trainedOn.length} records with ${training.backend}`);
    say(JSON.stringify(training.validation, null, 1));
  },

  async prune({ from, out = workFolder(NAME, 'pruned'), backend, layer, sparsity, schedule, ...options }) {
    if (options.channels !== undefined || options.channelsOf !== undefined || options.resume) {
      throw new UsageError('shockable-ecg is pruned by magnitude alone, and in one go: it takes a minute');
    }
    await announceBackend(backend);
    const { pruneShockable } = await load();
    const { bar, onProgress } = reporter();
    const training = await pruneShockable({
      ...(await dataOptions(options, 'vfdb')),
      ...{ modelFolder: from ?? workFolder(NAME, 'float'), outFolder: out, backend, onProgress },
      ...{ sparsity, schedule, layers: layer },
    });
    bar.end();
    say(`${out}: ${(training.sparsity * 100).toFixed(1)} % of the kernels' weights are zero`);
  },

  async quantize({ from = workFolder(NAME, 'float'), out, method, percentile, ...options }) {
    const { quantizeShockable } = await load();
    const { bar, onProgress } = reporter();
    const outFolder = out ?? join(from, 'onnx');
    const { calibration } = await quantizeShockable({
      ...(await dataOptions(options, 'vfdb')),
      ...{ modelFolder: from, outFolder, method, percentile, onProgress },
    });
    bar.end();
    say(`${outFolder}: fp32, fp16, int8, int8-weights; calibrated on ${calibration.items} windows (${method})`);
  },

  async export({ work = workFolder(NAME), out = join('models', NAME), version, ...options }) {
    const { exportShockable } = await load();
    const { bar, onReading } = reporter();
    mkdirSync(dirname(out), { recursive: true });
    const { default: wanted = 'int8' } = options;
    const { manifest, fellBack } = await exportShockable({
      ...(await dataOptions(options, 'mitdb')),
      ...stepFolders(work),
      outDir: out,
      version,
      defaultVariant: wanted,
      notes: options.notes === undefined ? '' : await readFile(options.notes, 'utf8'),
      onProgress: onReading,
    });
    bar.end();
    sayExported(out, manifest, wanted, fellBack);
  },

  async testSet({ preprocessing }, options) {
    const { shockableTestSet } = await load();
    const { parseShockablePreprocessing } = await import('../../inference/windows/shockable-ecg.js');
    return shockableTestSet(await dataOptions(options, 'mitdb'), parseShockablePreprocessing({ ...preprocessing }));
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
      ...(await dataOptions(options, 'mitdb')),
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
