import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseManifest } from '../../../inference/bundle/manifest.js';
import { parseRhythmPreprocessing } from '../../../inference/windows/rhythm-rr.js';
import { LabError } from '../../error.js';
import { type ExportResult, type ExportVariant, exportBundle, spread } from '../../export/index.js';
import { readModelFile } from '../../onnx/index.js';
import { answers, type ModelItem, type Quantization } from '../../quantize/index.js';
import { type ExportOptions, readWork, toldOf } from '../work.js';
import { type RhythmRrTraining, readTraining } from './bundle.js';
import { cardText } from './card-text.js';
import { loadTrainingRecords, type RhythmRrDataOptions } from './data.js';
import { windowFigures } from './figures.js';
import { LABELS } from './network.js';
import { itemsOf } from './quantize.js';
import { windowsOf } from './score.js';
import { rhythmRrTestSet, scoredOf, type TestWindows } from './test-set.js';
import { shippedSetting } from './train.js';

/** Windows of the golden vectors, spread over the test records. */
const GOLDEN_ITEMS = 12;

export interface ExportRhythmRrOptions extends RhythmRrDataOptions, ExportOptions {
  /** Agreement a variant is refused over; see `GATE`. */
  readonly minAgreement?: number;
  /**
   * A bundle of the same model that is measured and told anew, its files as they are: after a change of the alarm's
   * setting or of the notes. The folders above are not read then.
   */
  readonly again?: string;
}

/** What a bundle is made of, beside its figures. */
interface Source {
  readonly training: Readonly<Record<string, unknown>> & Pick<RhythmRrTraining, 'preprocessing' | 'validation'>;
  readonly calibration: Quantization['calibration'];
  readonly variants: ExportVariant[];
}

async function fromWork(options: ExportRhythmRrOptions): Promise<Source> {
  const { training, pruned, quantization, variants } = await readWork(options, readTraining);
  const { preprocessing, validation } = training;
  return {
    training: { data: DATA, ...toldOf(training, pruned), preprocessing, validation },
    calibration: quantization.calibration,
    variants,
  };
}

async function shipped(folder: string): Promise<Source> {
  const { training, calibration, preprocessing, variants } = parseManifest(
    JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')),
  );
  const models = await Promise.all(variants.map(({ file }) => readModelFile(join(folder, file))));
  const pruned = models[variants.findIndex(({ id }) => id === 'pruned')];
  return {
    training: {
      ...training,
      validation: training.validation,
      preprocessing: parseRhythmPreprocessing(preprocessing),
    },
    calibration: calibration as unknown as Quantization['calibration'],
    variants: variants.map(({ id, precision }, i) => ({
      ...{ id, precision, model: models[i]! },
      ...(id.startsWith('pruned') && pruned && { float: pruned }),
    })),
  };
}

const DATA =
  'Long-Term AF (ltafdb) and Normal Sinus Rhythm RR (nsr2db), annotated beats, cleaned as the daemon cleans them';

/** Makes the bundle: every variant measured on afdb and mitdb (reference beats), held against the gate, written whole. */
export async function exportRhythmRr(options: ExportRhythmRrOptions): Promise<ExportResult> {
  const { training, calibration, variants } = options.again ? await shipped(options.again) : await fromWork(options);
  const testSet = await rhythmRrTestSet(options, training.preprocessing);
  const golden = spread(testSet.items, GOLDEN_ITEMS);
  const { on, off, sustainMs, clearMs } = shippedSetting();
  const { defaultVariant = 'int8' } = options;
  if (!variants.some(({ id }) => id === defaultVariant)) throw new LabError(`there is no variant ${defaultVariant}`);
  return exportBundle({
    outDir: options.outDir,
    name: 'rhythm-rr',
    task: 'rhythm-rr',
    version: options.version,
    labels: LABELS,
    thresholds: { on, off, sustainMs, clearMs },
    preprocessing: { ...training.preprocessing },
    training: Object.fromEntries(Object.entries(training).filter(([key]) => key !== 'preprocessing')),
    calibration: { ...calibration },
    variants,
    defaultVariant,
    golden,
    evaluationItems: () => testSet.items,
    evaluate: testSet.figures,
    primaryMetric: 'accuracy',
    judgedOn: await judgedWindows(options, training.preprocessing),
    gate: options.minAgreement ? { minAgreement: options.minAgreement } : {},
    about: cardText({
      calibration,
      test: testSet.test(await answers(variants.find(({ id }) => id === defaultVariant)!.model, testSet.items)),
      testedVariant: defaultVariant,
      validation: training.validation,
      notes: options.notes ?? '',
    }),
  });
}

/** Windows of each training record that the gate compares files on: the test's figures are told and decide nothing. */
const JUDGED_WINDOWS = 60;

async function judgedWindows(options: ExportRhythmRrOptions, preprocessing: object) {
  const { dataFolder, cacheFolder } = options;
  const sets = (await loadTrainingRecords({ dataFolder, cacheFolder })).map((record): TestWindows => {
    const everyBeats = Math.max(1, Math.floor(record.count / JUDGED_WINDOWS));
    return { record, windows: windowsOf(record, everyBeats, preprocessing) };
  });
  const items = sets.flatMap(({ windows }) => [...itemsOf(windows)]) satisfies ModelItem[];
  return {
    items: () => items,
    metric: (got: readonly Float32Array[]) => windowFigures(scoredOf(sets, got), 'other').accuracy,
  };
}
