import type { RhythmRecord } from '../../data/rhythm-records.js';
import { type ExportResult, exportBundle, readVariants, spread } from '../../export/index.js';
import { answers, loadQuantization, type ModelItem } from '../../quantize/index.js';
import { loadTraining } from './bundle.js';
import { cardText } from './card-text.js';
import { loadTestRecords, type RhythmRrDataOptions } from './data.js';
import { type RhythmRrTestFigures, testFiguresOf } from './evaluate.js';
import { LABELS } from './network.js';
import { itemsOf } from './quantize.js';
import { DAEMON_EVERY, type RhythmWindowSet, type ScoredRhythm, windowsOf } from './score.js';
import { shippedSetting } from './train.js';

/** Windows of the golden vectors, spread over the test records. */
const GOLDEN_ITEMS = 12;

export interface ExportRhythmRrOptions extends RhythmRrDataOptions {
  readonly floatFolder: string;
  readonly prunedFolder: string;
  /** Folders that `quantizeRhythmRr` filled from the float and from the pruned training. */
  readonly floatOnnxFolder: string;
  readonly prunedOnnxFolder: string;
  /** The bundle. */
  readonly outDir: string;
  readonly version: string;
  readonly defaultVariant?: string;
  /** Agreement a variant is refused over; see `GATE`. */
  readonly minAgreement?: number;
  /** Text that follows the model's own description in CARD.md: figures measured elsewhere. */
  readonly notes?: string;
}

interface TestWindows {
  readonly record: RhythmRecord;
  readonly windows: RhythmWindowSet;
}

/** Makes the bundle: every variant measured on afdb and mitdb (reference beats), held against the gate, written whole. */
export async function exportRhythmRr(options: ExportRhythmRrOptions): Promise<ExportResult> {
  const { training } = await loadTraining(options.floatFolder);
  const pruned = (await loadTraining(options.prunedFolder)).training;
  const quantization = await loadQuantization(options.floatOnnxFolder);
  const variants = await readVariants(options.floatOnnxFolder, options.prunedOnnxFolder, ['fp16', 'int8']);
  const test = (await loadTestRecords(options)).map(
    (record): TestWindows => ({ record, windows: windowsOf(record, DAEMON_EVERY, training.preprocessing) }),
  );
  const all = test.flatMap(({ windows }) => [...itemsOf(windows)]) satisfies ModelItem[];
  const golden = spread(all, GOLDEN_ITEMS);
  const { on, off, sustainMs, clearMs } = shippedSetting();
  const { defaultVariant = 'int8' } = options;
  if (!variants.some(({ id }) => id === defaultVariant)) throw new Error(`there is no variant ${defaultVariant}`);
  return exportBundle({
    outDir: options.outDir,
    name: 'rhythm-rr',
    task: 'rhythm-rr',
    version: options.version,
    labels: LABELS,
    thresholds: { on, off, sustainMs, clearMs },
    preprocessing: { ...training.preprocessing },
    training: {
      data: 'Long-Term AF (ltafdb) and Normal Sinus Rhythm RR (nsr2db), annotated beats, cleaned as the daemon cleans them',
      trainedOn: training.trainedOn,
      backend: training.backend,
      seed: training.seed,
      recipe: training.recipe,
      validation: training.validation,
      pruned: { sparsity: pruned.sparsity, recipe: pruned.recipe },
    },
    calibration: { ...quantization.calibration },
    variants,
    defaultVariant,
    golden,
    evaluationItems: () => all,
    evaluate: (got) => figures(testOf(test, got)),
    primaryMetric: 'afdb accuracy',
    gate: options.minAgreement ? { minAgreement: options.minAgreement } : {},
    about: cardText({
      calibration: quantization.calibration,
      test: testOf(test, await answers(variants.find(({ id }) => id === defaultVariant)!.model, all)),
      testedVariant: defaultVariant,
      validation: training.validation,
      notes: options.notes ?? '',
    }),
  });
}

/** What an ONNX file's answers, one for each window in turn, make of the test records. */
function testOf(test: readonly TestWindows[], answers: readonly Float32Array[]): RhythmRrTestFigures {
  let at = 0;
  const scored = test.map(({ record, windows }): ScoredRhythm => {
    const scores = new Float32Array(windows.count);
    for (let w = 0; w < windows.count; w++) {
      const [regular, afib] = answers[at++]!;
      scores[w] = 1 / (1 + Math.exp(regular! - afib!));
    }
    return { record, ends: windows.ends, startMs: windows.startMs, scores };
  });
  return testFiguresOf(scored);
}

/** The figures of a variant, for the manifest and the card's table. */
function figures({ afdb, mitdb }: RhythmRrTestFigures): Record<string, number> {
  return {
    'afdb accuracy': afdb.windows.other.accuracy,
    'afdb Se': afdb.windows.other.sensitivity,
    'afdb Sp': afdb.windows.other.specificity,
    'mitdb Se': mitdb.windows.af.sensitivity,
    'mitdb PPV': mitdb.windows.af.positivePredictivity,
    'afdb false alerts/24 h': afdb.alarms.falsePer24h,
    'afdb episodes >= 2 min': afdb.alarms.episodes[1]!.sensitivity,
  };
}
