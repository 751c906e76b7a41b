import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { dataFolders, findDatabase, needDatabase } from '../../lab/data/find.js';
import { type Split, splitFrom } from '../../lab/data/split-file.js';
import { UsageError } from '../usage-error.js';
import {
  announceBackend,
  type DataOptions,
  type LabModel,
  labImport,
  reporter,
  say,
  sayExported,
  stepFolders,
  workFolder,
} from './model.js';

const NAME = 'beat-ecg';
const load = () => labImport(() => import('../../lab/models/beat-ecg/index.js'));

/** @param split somebody's own, whose databases lie together in one folder as slothd's do */
async function dataOptions({ data }: DataOptions, split?: Split) {
  const database = Object.values(split?.parts ?? {})
    .flat()[0]
    ?.split('/')[0];
  const dataFolder = data ?? dirname(database === undefined ? needDatabase('mitdb') : needOwn(database));
  return { dataFolder, cacheFolder: workFolder(NAME, 'cache') };
}

/** Recordings of somebody's own cannot be downloaded. */
function needOwn(database: string): string {
  const found = findDatabase(database);
  if (found) return found;
  throw new UsageError(
    `there is no folder ${database} in ${dataFolders().join(' or ')}: --data says where recordings are`,
  );
}

/** Where the recordings of a training that was made before are. */
async function dataOfTraining(options: DataOptions, folder: string) {
  const { readTraining } = await load();
  return dataOptions(options, (await readTraining(folder)).split);
}

/** A split's file, checked with the recordings it names; undefined for slothd's own. */
async function ownSplit(file: string | undefined, options: DataOptions): Promise<Split | undefined> {
  if (file === undefined || file === NAME) return undefined;
  const { checkedSplit, readOwnSplit } = await load();
  const split = readOwnSplit(file);
  return checkedSplit(file, split, (await dataOptions(options, split)).dataFolder);
}

/** N, S or V of every beat of an ECG lead: trained on DS1 and svdb and tested on DS2, or on people of one's own. */
export const beatEcg: LabModel = {
  async train({ out = workFolder(NAME, 'float'), folds, seed, seeds, epochs, backend, classWeights, ...options }) {
    const split = await ownSplit(options.split, options);
    await announceBackend(backend);
    const { BEAT_ECG_RECIPE, trainBeatEcg } = await load();
    const { mains, muscle, baseline } = options;
    const added = Object.entries({ mains, muscle, baseline }).filter(([, level]) => level !== undefined);
    const augmentation = added.length > 0 && { ...BEAT_ECG_RECIPE.augmentation, ...Object.fromEntries(added) };
    const { bar, onProgress } = reporter();
    const training = await trainBeatEcg({
      ...(await dataOptions(options, split)),
      ...(split && { split }),
      ...{
        outFolder: out,
        folds,
        seed,
        seeds,
        backend,
        onProgress,
        resume: options.resume,
        patience: options.patience,
      },
      recipe: {
        ...(epochs && { epochs }),
        ...(classWeights && { classWeights }),
        ...(augmentation && { augmentation }),
      },
    });
    bar.end();
    say(`${out}: trained on ${training.trainedOn.length} records with ${training.backend}`);
    if (training.validation) say(JSON.stringify(training.validation, null, 1));
  },

  async prune({ from, out = workFolder(NAME, 'pruned'), backend, layer, channels, channelsOf, ...options }) {
    await announceBackend(backend);
    const { sparsity, schedule, levels, folds, resume } = options;
    const { pruneBeatEcg } = await load();
    const { bar, onProgress } = reporter();
    const modelFolder = from ?? workFolder(NAME, 'float');
    const training = await pruneBeatEcg({
      ...(await dataOfTraining(options, modelFolder)),
      ...{ modelFolder, outFolder: out, backend, onProgress },
      ...{ sparsity, schedule, levels, layers: layer, channels: channels ?? channelsOf, folds, resume },
    });
    bar.end();
    say(`${out}: ${(training.sparsity * 100).toFixed(1)} % of the kernels' weights are zero`);
  },

  async pruningTable({ from, backend, shares, channelShares, ...options }) {
    await announceBackend(backend);
    const { beatEcgPruningTable } = await load();
    const { bar, onProgress } = reporter();
    const modelFolder = from ?? workFolder(NAME, 'float');
    const rows = await beatEcgPruningTable({
      ...(await dataOfTraining(options, modelFolder)),
      ...{ modelFolder, backend, onProgress },
      ...{ magnitude: shares, channels: channelShares },
    });
    bar.end();
    return rows;
  },

  async quantize({ from = workFolder(NAME, 'float'), out, method, percentile, ...options }) {
    const { quantizeBeatEcg } = await load();
    const { bar, onProgress } = reporter();
    const outFolder = out ?? join(from, 'onnx');
    const { calibration, accuracyAware } = await quantizeBeatEcg({
      ...(await dataOfTraining(options, from)),
      ...{ modelFolder: from, outFolder, method, percentile, onProgress, awareEpochs: options.aware },
      maxLoss: options.maxLoss === undefined ? undefined : options.maxLoss / 100,
    });
    bar.end();
    if (accuracyAware) {
      const { floatNodes, floatMetric, int8Metric, on } = accuracyAware;
      const points = (share: number) => (share * 100).toFixed(2);
      say(`int8 ${points(int8Metric)} against ${points(floatMetric)} %: ${on}`);
      say(floatNodes.length > 0 ? `left in float: ${floatNodes.join(', ')}` : 'no layer had to stay in float');
    }
    say(`${outFolder}: fp32, fp16, int8, int8-weights; calibrated on ${calibration.items} beats (${method})`);
  },

  async export({ notes, work = workFolder(NAME), out = join('models', NAME), version, ...options }) {
    const { exportBeatEcg } = await load();
    const { bar, onReading } = reporter();
    mkdirSync(dirname(out), { recursive: true });
    const { default: wanted = 'pruned-int8' } = options;
    const { manifest, fellBack } = await exportBeatEcg({
      ...(await dataOfTraining(options, stepFolders(work).floatFolder)),
      ...stepFolders(work),
      outDir: out,
      version,
      defaultVariant: wanted,
      ...(notes && { notes: readFileSync(notes, 'utf8') }),
      onProgress: onReading,
    });
    bar.end();
    sayExported(out, manifest, wanted, fellBack);
  },

  async testSet({ preprocessing, training }, options) {
    const { beatEcgTestSet, beatSplit } = await load();
    const { parsePreprocessing } = await import('../../inference/windows/beat-ecg.js');
    const own = training.split === undefined ? undefined : splitFrom("the bundle's split", training.split);
    const data = { ...(await dataOptions(options, own)), split: beatSplit(own) };
    return beatEcgTestSet(data, parsePreprocessing({ ...preprocessing }));
  },

  async evaluate(folder = workFolder(NAME, 'float'), options) {
    const { evaluateBeatEcg } = await load();
    const { bar, onReading } = reporter();
    const figures = await evaluateBeatEcg({
      ...(await dataOfTraining(options, folder)),
      modelFolder: folder,
      onProgress: onReading,
    });
    bar.end();
    if (options.json) {
      say(JSON.stringify(figures, null, 1));
      return;
    }
    const percent = (value: number) => `${(value * 100).toFixed(2)}`.padStart(7);
    say(`${''.padEnd(14)} accuracy    N Se    S Se   S PPV    S F1    V Se   V PPV    V F1`);
    const { pooled, without232, outsideAf, insideAf } = figures;
    for (const [name, { accuracy, N, S, V }] of Object.entries({
      ...(without232 ? { 'DS2 pooled': pooled, 'without 232': without232 } : { 'test pooled': pooled }),
      ...(insideAf.beats > 0 && { 'outside AF': outsideAf, 'inside AF': insideAf }),
    })) {
      const cells = [
        N.sensitivity,
        S.sensitivity,
        S.positivePredictivity,
        S.f1,
        V.sensitivity,
        V.positivePredictivity,
        V.f1,
      ];
      say(`${name.padEnd(14)}  ${percent(accuracy)} ${cells.map(percent).join(' ')}`);
    }
  },
};
