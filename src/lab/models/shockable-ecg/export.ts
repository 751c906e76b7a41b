import { LabError } from '../../error.js';
import { type ExportResult, exportBundle, spread } from '../../export/index.js';
import { answers } from '../../quantize/index.js';
import { type ExportOptions, readWork, toldOf } from '../work.js';
import { readTraining } from './bundle.js';
import { cardText } from './card-text.js';
import type { ShockableDataOptions } from './data.js';
import { LABELS } from './network.js';
import { shockableTestSet } from './test-set.js';
import { shippedSetting } from './train.js';

/** Windows of the golden vectors, spread over the test records. */
const GOLDEN_ITEMS = 12;

export interface ExportShockableOptions extends ShockableDataOptions, ExportOptions {}

/** Makes the bundle: every variant measured on mitdb and cinc2017's noise, held against the gate, written whole. */
export async function exportShockable(options: ExportShockableOptions): Promise<ExportResult> {
  const { training, pruned, quantization, variants } = await readWork(options, readTraining);
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
      ...toldOf(training, pruned),
      validation: 'in the card above',
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
