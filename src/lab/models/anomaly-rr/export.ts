import { type ExportResult, exportBundle, spread } from '../../export/index.js';
import { type ExportOptions, readWork, toldOf } from '../work.js';
import { loadTraining, readTraining } from './bundle.js';
import { cardText } from './card-text.js';
import type { AnomalyDataOptions } from './data.js';
import { testFiguresOf } from './evaluate.js';
import { LABELS } from './network.js';
import { answerOf } from './score.js';
import { anomalyTestSet } from './test-set.js';
import { shippedSetting } from './train.js';

/** Windows of the golden vectors, spread over the validation people. */
const GOLDEN_ITEMS = 12;
/**
 * The class at one half decides nothing here, the departure's size does: what a quantized variant must keep is the area under
 * the curve (the gate's usual half a point), and the class nearly.
 */
const LEAST_AGREEMENT = 0.98;

export interface ExportAnomalyOptions extends AnomalyDataOptions, ExportOptions {}

/** Makes the bundle: every variant held against the float one on the validation people of ltafdb, written whole. */
export async function exportAnomaly(options: ExportAnomalyOptions): Promise<ExportResult> {
  const { training, pruned, quantization, variants } = await readWork(options, readTraining);
  const { fitted } = await loadTraining(options.floatFolder);
  const testSet = await anomalyTestSet(options, training.preprocessing);
  const all = testSet.items;
  const answer = answerOf(fitted.model);
  fitted.model.dispose();
  const { on, off, sustainMs, clearMs } = shippedSetting();
  const { defaultVariant = 'int8' } = options;
  return exportBundle({
    outDir: options.outDir,
    name: 'anomaly-rr',
    task: 'anomaly-rr',
    version: options.version,
    labels: LABELS,
    thresholds: { on, off, sustainMs, clearMs },
    preprocessing: { ...training.preprocessing },
    training: {
      data: 'Normal Sinus Rhythm RR (nsr2db, 41 of 54 people), annotated beats, cleaned as the daemon cleans them, and made-up rhythms',
      ...toldOf(training, pruned),
      validation: 'in the card above',
    },
    calibration: { ...quantization.calibration },
    variants,
    defaultVariant,
    golden: spread(all, GOLDEN_ITEMS),
    evaluationItems: () => all,
    evaluate: testSet.figures,
    primaryMetric: 'window AUC',
    gate: { minAgreement: LEAST_AGREEMENT },
    about: cardText({
      calibration: quantization.calibration,
      test: await testFiguresOf(options, training.preprocessing, answer),
      validation: training.validation,
      notes: options.notes ?? '',
    }),
  });
}
