import { type ExportResult, exportBundle, readVariants, spread } from '../../export/index.js';
import { answers, loadQuantization, type ModelItem } from '../../quantize/index.js';
import { loadTraining } from './bundle.js';
import { cardText } from './card-text.js';
import { loadTestRecords, type ShockableDataOptions } from './data.js';
import { type ShockableTestFigures, testFiguresOf } from './evaluate.js';
import { LABELS } from './network.js';
import { itemsOf } from './quantize.js';
import { type ScoredRecord, softmax } from './score.js';
import { shippedSetting } from './train.js';

/** Windows of the golden vectors, spread over the test records. */
const GOLDEN_ITEMS = 12;

export interface ExportShockableOptions extends ShockableDataOptions {
  readonly floatFolder: string;
  readonly prunedFolder: string;
  /** Folders that `quantizeShockable` filled from the float and from the pruned training. */
  readonly floatOnnxFolder: string;
  readonly prunedOnnxFolder: string;
  /** The bundle. */
  readonly outDir: string;
  readonly version: string;
  readonly defaultVariant?: string;
  /** Text that follows the model's own description in CARD.md: figures measured elsewhere. */
  readonly notes?: string;
}

/** Makes the bundle: every variant measured on mitdb and cinc2017's noise, held against the gate, written whole. */
export async function exportShockable(options: ExportShockableOptions): Promise<ExportResult> {
  const { training } = await loadTraining(options.floatFolder);
  const pruned = (await loadTraining(options.prunedFolder)).training;
  const quantization = await loadQuantization(options.floatOnnxFolder);
  const variants = await readVariants(options.floatOnnxFolder, options.prunedOnnxFolder, ['fp16', 'int8']);
  const test = await loadTestRecords(options);
  const all: ModelItem[] = test.flatMap((record) => [...itemsOf(record, training.preprocessing)]);
  const { on, off, verdicts, clearMs } = shippedSetting();
  const { defaultVariant = 'int8' } = options;
  if (!variants.some(({ id }) => id === defaultVariant)) throw new Error(`there is no variant ${defaultVariant}`);
  const testOf = (got: readonly Float32Array[]): ShockableTestFigures => {
    let at = 0;
    return testFiguresOf(
      test.map((record): ScoredRecord => {
        const logits = new Float32Array(record.ends.length * LABELS.length);
        for (let w = 0; w < record.ends.length; w++) logits.set(got[at++]!, w * LABELS.length);
        return { record, scores: softmax(logits) };
      }),
    );
  };
  return exportBundle({
    outDir: options.outDir,
    name: 'shockable-ecg',
    task: 'shockable-ecg',
    version: options.version,
    labels: LABELS,
    thresholds: { on, off, verdicts, clearMs },
    preprocessing: { ...training.preprocessing },
    training: {
      data: 'MIT-BIH Malignant Ventricular Ectopy (vfdb) and Supraventricular (svdb), first lead; noise of nstdb (bw, ma) added',
      trainedOn: training.trainedOn,
      backend: training.backend,
      seed: training.seed,
      recipe: training.recipe,
      validation: 'in the card above',
      pruned: { sparsity: pruned.sparsity, recipe: pruned.recipe },
    },
    calibration: { ...quantization.calibration },
    variants,
    defaultVariant,
    golden: spread(all, GOLDEN_ITEMS),
    evaluationItems: () => all,
    evaluate: (got) => figures(testOf(got)),
    primaryMetric: 'mitdb specificity',
    about: cardText({
      calibration: quantization.calibration,
      test: testOf(await answers(variants.find(({ id }) => id === defaultVariant)!.model, all)),
      testedVariant: defaultVariant,
      validation: training.validation,
      notes: options.notes ?? '',
    }),
  });
}

/** The figures of a variant, for the manifest and the card's table. */
function figures({ mitdb, noise }: ShockableTestFigures): Record<string, number> {
  return {
    'mitdb specificity': mitdb.windows.specificity,
    'mitdb false alerts': mitdb.alarms.falseAlerts,
    'noise specificity': 1 - noise.windows.noisePositive,
    'noise false alerts/h': noise.alarms.falsePerHour,
  };
}
