import { LabError } from '../../error.js';
import { type ExportResult, exportBundle, readVariants, spread } from '../../export/index.js';
import { answers, loadQuantization } from '../../quantize/index.js';
import { loadTraining } from './bundle.js';
import { cardText } from './card-text.js';
import type { ShockableDataOptions } from './data.js';
import { LABELS } from './network.js';
import { shockableTestSet } from './test-set.js';
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
  const testSet = await shockableTestSet(options, training.preprocessing);
  const all = testSet.items;
  const { on, off, verdicts, clearMs } = shippedSetting();
  const { defaultVariant = 'int8' } = options;
  if (!variants.some(({ id }) => id === defaultVariant)) throw new LabError(`there is no variant ${defaultVariant}`);
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
    evaluate: testSet.figures,
    primaryMetric: 'mitdb specificity',
    about: cardText({
      calibration: quantization.calibration,
      test: testSet.test(await answers(variants.find(({ id }) => id === defaultVariant)!.model, all)),
      testedVariant: defaultVariant,
      validation: training.validation,
      notes: options.notes ?? '',
    }),
  });
}
