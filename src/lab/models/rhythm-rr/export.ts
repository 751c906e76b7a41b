import { join } from 'node:path';
import type { RhythmRecord } from '../../data/rhythm-records.js';
import { type ExportResult, type ExportVariant, exportBundle } from '../../export/index.js';
import { readModelFile } from '../../onnx/index.js';
import type { ModelItem } from '../../quantize/index.js';
import { loadTraining } from './bundle.js';
import { loadTestRecords, type RhythmRrDataOptions } from './data.js';
import { DAEMON_EVERY, testFiguresOf } from './evaluate.js';
import { LABELS } from './network.js';
import { itemsOf, loadQuantization, type RhythmRrQuantization } from './quantize.js';
import { type RhythmWindowSet, type ScoredRhythm, windowsOf } from './score.js';
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
  const variants = await readVariants(options);
  const test = (await loadTestRecords(options)).map(
    (record): TestWindows => ({ record, windows: windowsOf(record, DAEMON_EVERY, training.preprocessing) }),
  );
  const all = test.flatMap(({ windows }) => [...itemsOf(windows)]) satisfies ModelItem[];
  const golden = Array.from(
    { length: GOLDEN_ITEMS },
    (_, i) => all[Math.floor(((i + 0.5) * all.length) / GOLDEN_ITEMS)]!,
  );
  const { on, off, sustainMs, clearMs } = shippedSetting();
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
    defaultVariant: options.defaultVariant ?? 'int8',
    golden,
    evaluationItems: () => all,
    evaluate: (answers) => figures(test, answers),
    primaryMetric: 'afdb accuracy',
    gate: options.minAgreement ? { minAgreement: options.minAgreement } : {},
    about: about(quantization, options.notes ?? ''),
  });
}

async function readVariants({ floatOnnxFolder, prunedOnnxFolder }: ExportRhythmRrOptions): Promise<ExportVariant[]> {
  const read = (folder: string, id: string) => readModelFile(join(folder, `${id}.onnx`));
  const fp32 = await read(floatOnnxFolder, 'fp32');
  const prunedFp32 = await read(prunedOnnxFolder, 'fp32');
  return [
    { id: 'fp32', precision: 'float32', model: fp32 },
    { id: 'fp16', precision: 'float16', model: await read(floatOnnxFolder, 'fp16') },
    { id: 'int8', precision: 'int8', model: await read(floatOnnxFolder, 'int8') },
    { id: 'pruned', precision: 'float32', model: prunedFp32, float: prunedFp32 },
    { id: 'pruned-int8', precision: 'int8', model: await read(prunedOnnxFolder, 'int8'), float: prunedFp32 },
  ];
}

/** The figures of a variant, for the manifest and the card's table. */
function figures(test: readonly TestWindows[], answers: readonly Float32Array[]): Record<string, number> {
  let at = 0;
  const scored = test.map(({ record, windows }): ScoredRhythm => {
    const scores = new Float32Array(windows.count);
    for (let w = 0; w < windows.count; w++) {
      const [regular, afib] = answers[at++]!;
      scores[w] = 1 / (1 + Math.exp(regular! - afib!));
    }
    return { record, ends: windows.ends, startMs: windows.startMs, scores };
  });
  const { afdb, mitdb } = testFiguresOf(scored);
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

function about({ calibration }: RhythmRrQuantization, notes: string): string {
  return `Says whether the last 60 RR intervals are atrial fibrillation. It needs no ECG, so it serves chest straps and
oximeters too. Two halves whose logits are averaged in one network: convolutions over the row of intervals, and a small
dense network over 32 features of irregularity (CoSEn, Zhou's word entropy, Petrenas's median-filtered pairs, ...).

The variants' figures are of MIT-BIH AF (afdb, 25 records) and MIT-BIH Arrhythmia (mitdb, 48 records), reference beats, a
window every ${DAEMON_EVERY} beats, the label of the majority of a window's beats, decided at a score of 0.5; nobody in them was
trained, calibrated or tuned on. Flutter counts as no fibrillation on afdb's windows and as fibrillation on mitdb's and
for alerts. Alerts are those of the daemon's own rule at its shipped setting.

**Where it fails.** Very frequent ectopy in a regular rhythm still looks like fibrillation now and then (mitdb was chosen
for it); flutter with regular conduction is not seen, by design of its input; fibrillation shorter than a window is
mostly missed; irregular sinus rhythm by night raised false alerts in single people of nsr2db. It does not judge pauses,
rate, or any rhythm other than these two.
${notes ? `\n${notes.trim()}\n` : ''}
Calibrated with ${calibration.method} on ${calibration.items} windows: ${calibration.from}. Made wholly by \`slothd lab\`
(\`--model rhythm-rr\`). Recordings: PhysioNet (Goldberger 2000), Petrutiu 2007, Moody & Mark 1983 and 2001.`;
}
