import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
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

async function dataOptions({ data }: DataOptions) {
  const { needDatabase } = await import('../../lab/data/find.js');
  return { dataFolder: data ?? dirname(needDatabase('mitdb')), cacheFolder: workFolder(NAME, 'cache') };
}

/** N, S or V of every beat of an ECG lead: trained on DS1 and svdb, tested on DS2. */
export const beatEcg: LabModel = {
  async train({ out = workFolder(NAME, 'float'), folds = 5, seed, seeds, epochs, backend, classWeights, ...options }) {
    await announceBackend(backend);
    const { BEAT_ECG_RECIPE, trainBeatEcg } = await load();
    const { mains, muscle, baseline } = options;
    const added = Object.entries({ mains, muscle, baseline }).filter(([, level]) => level !== undefined);
    const augmentation = added.length > 0 && { ...BEAT_ECG_RECIPE.augmentation, ...Object.fromEntries(added) };
    const { bar, onProgress } = reporter();
    const training = await trainBeatEcg({
      ...(await dataOptions(options)),
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
    const training = await pruneBeatEcg({
      ...(await dataOptions(options)),
      ...{ modelFolder: from ?? workFolder(NAME, 'float'), outFolder: out, backend, onProgress },
      ...{ sparsity, schedule, levels, layers: layer, channels: channels ?? channelsOf, folds, resume },
    });
    bar.end();
    say(`${out}: ${(training.sparsity * 100).toFixed(1)} % of the kernels' weights are zero`);
  },

  async pruningTable({ from, backend, shares, channelShares, ...options }) {
    await announceBackend(backend);
    const { beatEcgPruningTable } = await load();
    const { bar, onProgress } = reporter();
    const rows = await beatEcgPruningTable({
      ...(await dataOptions(options)),
      ...{ modelFolder: from ?? workFolder(NAME, 'float'), backend, onProgress },
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
      ...(await dataOptions(options)),
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
      ...(await dataOptions(options)),
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

  async testSet({ preprocessing }, options) {
    const { beatEcgTestSet } = await load();
    const { parsePreprocessing } = await import('../../inference/windows/beat-ecg.js');
    return beatEcgTestSet(await dataOptions(options), parsePreprocessing({ ...preprocessing }));
  },

  async evaluate(folder = workFolder(NAME, 'float'), options) {
    const { evaluateBeatEcg } = await load();
    const { bar, onReading } = reporter();
    const figures = await evaluateBeatEcg({
      ...(await dataOptions(options)),
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
    for (const [name, { accuracy, N, S, V }] of Object.entries({
      'DS2 pooled': figures.pooled,
      'without 232': figures.without232,
      'outside AF': figures.outsideAf,
      'inside AF': figures.insideAf,
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
