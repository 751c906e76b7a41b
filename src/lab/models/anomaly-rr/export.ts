import { ANOMALY_FEATURES } from '../../../inference/windows/anomaly-rr.js';
import { type ExportResult, exportBundle, readVariants, spread } from '../../export/index.js';
import { loadQuantization } from '../../quantize/index.js';
import { loadTraining } from './bundle.js';
import { cardText } from './card-text.js';
import type { AnomalyDataOptions } from './data.js';
import { testFiguresOf } from './evaluate.js';
import { rebuildOf } from './score.js';
import { anomalyTestSet } from './test-set.js';
import { shippedSetting } from './train.js';

/** Windows of the golden vectors, spread over the test records. */
const GOLDEN_ITEMS = 12;
/**
 * The gate's agreement is that of the largest output, which means nothing here: of two figures rebuilt alike, either may be
 * the larger. What counts is the primary metric.
 */
const LEAST_AGREEMENT = 0.8;

export interface ExportAnomalyOptions extends AnomalyDataOptions {
  readonly floatFolder: string;
  readonly prunedFolder: string;
  readonly floatOnnxFolder: string;
  readonly prunedOnnxFolder: string;
  /** The bundle. */
  readonly outDir: string;
  readonly version: string;
  readonly defaultVariant?: string;
  /** Text that follows the model's own description in CARD.md: figures measured elsewhere. */
  readonly notes?: string;
}

/** Makes the bundle: every variant held against the float one on mitdb's people, written whole. */
export async function exportAnomaly(options: ExportAnomalyOptions): Promise<ExportResult> {
  const { fitted, training } = await loadTraining(options.floatFolder);
  const pruned = (await loadTraining(options.prunedFolder)).training;
  const quantization = await loadQuantization(options.floatOnnxFolder);
  const variants = await readVariants(options.floatOnnxFolder, options.prunedOnnxFolder, ['fp16', 'int8']);
  const testSet = await anomalyTestSet(options, training.preprocessing);
  const all = testSet.items;
  const rebuild = rebuildOf(fitted.model);
  fitted.model.dispose();
  const { on, off, sustainMs, clearMs } = shippedSetting();
  const { defaultVariant = 'int8' } = options;
  return exportBundle({
    outDir: options.outDir,
    name: 'anomaly-rr',
    task: 'anomaly-rr',
    version: options.version,
    labels: ANOMALY_FEATURES,
    thresholds: { on, off, sustainMs, clearMs },
    preprocessing: { ...training.preprocessing },
    training: {
      data: 'Normal Sinus Rhythm RR (nsr2db), annotated beats, cleaned as the daemon cleans them',
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
    primaryMetric: 'mitdb AUC',
    gate: { minAgreement: LEAST_AGREEMENT },
    about: cardText({
      calibration: quantization.calibration,
      test: await testFiguresOf(options, training.preprocessing, rebuild),
      validation: training.validation,
      notes: options.notes ?? '',
    }),
  });
}
