import type { BeatEcgPreprocessing } from '../../../inference/windows/beat-ecg.js';
import { openBackend } from '../../backend.js';
import { LabError } from '../../error.js';
import { type ExportResult, exportBundle, GATE, spread } from '../../export/index.js';
import type { ModelItem } from '../../quantize/index.js';
import { type ExportOptions, readWork, toldOf } from '../work.js';
import { readTraining } from './bundle.js';
import { cardText } from './card-text.js';
import { type BeatEcgDataOptions, loadTrainingRecords, standardised } from './data.js';
import { LABELS } from './network.js';
import { itemsOf } from './quantize.js';
import { beatSplit } from './split.js';
import { beatEcgTestSet } from './test-set.js';
import { crossValidated } from './validation.js';

/** Beats of the golden vectors, spread over the test records. */
const GOLDEN_ITEMS = 12;

export interface ExportBeatEcgOptions extends Omit<BeatEcgDataOptions, 'split'>, ExportOptions {
  /** Agreement and metric loss a variant is refused over; see `GATE`. */
  readonly minAgreement?: number;
}

/**
 * Every so many beats of the training patients: the gate compares files with one another there. Of few recordings every beat, for
 * one in a hundred to be a beat and not a fraction of one.
 */
const JUDGED_EVERY = 11;
const LEAST_JUDGED = 5_000;

/**
 * Makes the bundle. The gate looks at training patients alone: pruning is held against the float model by the
 * cross-validated figures of both, the files of one model against its float file on beats of the training patients. Figures of
 * the people tested on (reference beats; DS2, unless the split is somebody's own) are told for every variant and decide nothing.
 */
export async function exportBeatEcg(options: ExportBeatEcgOptions): Promise<ExportResult> {
  await openBackend('auto');
  const kinds = ['fp16', 'int8-weights', 'int8'] as const;
  const { training, pruned, quantization, variants } = await readWork(options, readTraining, kinds);
  if (JSON.stringify(pruned.split) !== JSON.stringify(training.split)) {
    throw new LabError(
      `${options.floatFolder} and ${options.prunedFolder} were made with different splits: prune the float model anew`,
    );
  }
  const split = beatSplit(training.split);
  const lost = crossValidated(training.validation) - crossValidated(pruned.validation);
  // Pruning that costs patients who were not trained on too much is left out, and the card says so.
  const prunedIsWorse = lost > GATE.maxMetricLoss;
  const kept = prunedIsWorse ? variants.filter(({ id }) => !id.startsWith('pruned')) : variants;
  const wanted = options.defaultVariant ?? 'pruned-int8';
  const defaultVariant = prunedIsWorse && wanted.startsWith('pruned') ? 'int8' : wanted;
  const withSplit = { ...options, split };
  const judged = await judgedBeats(withSplit, training.preprocessing);
  const testSet = await beatEcgTestSet(withSplit, training.preprocessing);
  const golden = spread(testSet.items, GOLDEN_ITEMS);
  const told = toldOf(training, pruned);
  return exportBundle({
    outDir: options.outDir,
    name: 'beat-ecg',
    task: 'beat-ecg',
    version: options.version,
    labels: LABELS,
    preprocessing: { ...training.preprocessing },
    training: {
      data: split.own
        ? `${split.trainTitle}${split.own.title && `: ${split.own.title}`}; people of ${split.testTitle} left out`
        : 'MIT-BIH Arrhythmia DS1 (de Chazal 2004) and MIT-BIH Supraventricular, patients of DS2 left out',
      ...(split.own && { split: split.own }),
      ...told,
      intervalsOf: training.intervalsOf ?? [],
      validation: training.validation,
      pruned: { ...told.pruned, validation: pruned.validation },
      logitOffsets: {
        float: training.logitOffsets,
        pruned: pruned.logitOffsets,
        note: "already in the last layer's bias",
      },
    },
    calibration: { ...quantization.calibration },
    variants: kept,
    defaultVariant,
    golden,
    evaluationItems: () => testSet.items,
    evaluate: testSet.figures,
    primaryMetric: 'accuracy',
    judgedOn: { items: () => judged.items, metric: (got) => shareRight(got, judged.truth), againstOwnFloat: true },
    gate: options.minAgreement ? { minAgreement: options.minAgreement } : {},
    about: cardText({ split, quantization, float: training, pruned, prunedIsWorse, notes: options.notes ?? '' }),
  });
}

/** Beats of the training patients, evenly spread, with their class; fusion and unclassifiable beats are left out. */
async function judgedBeats(options: BeatEcgDataOptions, preprocessing: BeatEcgPreprocessing) {
  const records = await loadTrainingRecords({ ...options, onProgress: undefined });
  const beats = records.reduce((sum, { count }) => sum + count, 0);
  const every = Math.max(1, Math.min(JUDGED_EVERY, Math.floor(beats / LEAST_JUDGED)));
  const items: ModelItem[] = [];
  const truth: number[] = [];
  for (const record of standardised(records, preprocessing)) {
    for (const [at, item] of [...itemsOf([record], () => every)].entries()) {
      const label = record.classes[at * every]!;
      if (label >= LABELS.length) continue;
      items.push(item);
      truth.push(label);
    }
  }
  return { items, truth };
}

function shareRight(answers: readonly Float32Array[], truth: readonly number[]): number {
  const right = answers.filter((logits, i) => logits.indexOf(Math.max(...logits)) === truth[i]);
  return right.length / answers.length;
}
