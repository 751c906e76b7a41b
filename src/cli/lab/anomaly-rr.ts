import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
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

const NAME = 'anomaly-rr';
const load = () => labImport(() => import('../../lab/models/anomaly-rr/index.js'));

async function dataOptions({ data }: DataOptions, database: string) {
  const { needDatabase } = await import('../../lab/data/find.js');
  return { dataFolder: data ?? dirname(needDatabase(database)), cacheFolder: workFolder(NAME, 'cache') };
}

/** Departure from a person's own usual rhythm: trained on nsr2db, its setting chosen on half of ltafdb and mmash, tested on the rest and mitdb. */
export const anomalyRr: LabModel = {
  async train({ out = workFolder(NAME, 'float'), folds, seed, epochs, backend, ...options }) {
    if (options.resume || options.patience !== undefined || options.classWeights) {
      throw new UsageError('anomaly-rr takes no --resume, --patience or --class-weights: its recipe says it all');
    }
    refuseAugmentation(NAME, options, 'it sees RR intervals, no signal');
    await announceBackend(backend);
    const { trainAnomaly } = await load();
    const { bar, onProgress } = reporter();
    const training = await trainAnomaly({
      ...(await dataOptions(options, 'nsr2db')),
      ...{ outFolder: out, crossValidates: folds !== 0, seed, backend, onProgress },
      recipe: epochs ? { epochs } : {},
    });
    bar.end();
    say(`${out}: trained on ${training.trainedOn.length} records with ${training.backend}`);
    say(JSON.stringify(training.validation, null, 1));
  },

  async prune({ from, out = workFolder(NAME, 'pruned'), backend, layer, sparsity, schedule, ...options }) {
    if (options.channels !== undefined || options.channelsOf !== undefined || options.resume) {
      throw new UsageError('anomaly-rr is pruned by magnitude alone, and in one go: it takes a minute');
    }
    await announceBackend(backend);
    const { pruneAnomaly } = await load();
    const { bar, onProgress } = reporter();
    const training = await pruneAnomaly({
      ...(await dataOptions(options, 'nsr2db')),
      ...{ modelFolder: from ?? workFolder(NAME, 'float'), outFolder: out, backend, onProgress },
      ...{ sparsity, schedule, layers: layer },
    });
    bar.end();
    say(`${out}: ${(training.sparsity * 100).toFixed(1)} % of the kernels' weights are zero`);
  },

  async quantize({ from = workFolder(NAME, 'float'), out, method, percentile, ...options }) {
    const { quantizeAnomaly } = await load();
    const { bar, onProgress } = reporter();
    const outFolder = out ?? join(from, 'onnx');
    const { calibration } = await quantizeAnomaly({
      ...(await dataOptions(options, 'nsr2db')),
      ...{ modelFolder: from, outFolder, method, percentile, onProgress },
    });
    bar.end();
    say(`${outFolder}: fp32, fp16, int8, int8-weights; calibrated on ${calibration.items} windows (${method})`);
  },

  async export({ work = workFolder(NAME), out = join('models', NAME), version, ...options }) {
    const { exportAnomaly } = await load();
    const { bar, onReading } = reporter();
    mkdirSync(dirname(out), { recursive: true });
    const { default: wanted = 'int8' } = options;
    const { manifest, fellBack } = await exportAnomaly({
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
    const { anomalyTestSet } = await load();
    const { parseAnomalyPreprocessing } = await import('../../inference/windows/anomaly-rr.js');
    return anomalyTestSet(await dataOptions(options, 'mitdb'), parseAnomalyPreprocessing({ ...preprocessing }));
  },

  async evaluate(folder = workFolder(NAME, 'float'), options) {
    if (options.events !== undefined) throw new UsageError('anomaly-rr is judged on whole records: no --events');
    const { evaluateAnomaly } = await load();
    const { bar, onReading } = reporter();
    const curve = await evaluateAnomaly({
      ...(await dataOptions(options, 'ltafdb')),
      modelFolder: folder,
      onProgress: onReading,
    });
    bar.end();
    if (options.json) {
      say(JSON.stringify(curve, null, 1));
      return;
    }
    say('episodes of 2 min and more found; alerts on healthy people; the shipped setting first');
    for (const { setting, normal, ltafdb, mitdb, straps } of curve) {
      const found = [ltafdb, mitdb].map(
        (one) => `${one.found} of ${one.episodes} (${(100 * one.sensitivity).toFixed(1)} %)`,
      );
      say(
        `above ${setting.on} for ${setting.sustainMs / 1000} s: ltafdb ${found[0]}, mitdb ${found[1]}, nsr2db ${normal.per24h.toFixed(2)} and mmash ${straps.per24h.toFixed(2)} alerts per 24 h`,
      );
    }
    for (const [name, { kinds }] of Object.entries({ ltafdb: curve[0]!.ltafdb, mitdb: curve[0]!.mitdb })) {
      const parts = Object.entries(kinds).map(([kind, { found, episodes }]) => `${kind} ${found} of ${episodes}`);
      say(`${name}, shipped setting: ${parts.join(', ')}`);
    }
  },
};
