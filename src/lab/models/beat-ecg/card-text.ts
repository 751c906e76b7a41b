import { FEATURE_COUNT } from '../../data/beat-records.js';
import type { BeatClassReport } from '../../evaluation/beat-classes.js';
import type { Quantization } from '../../quantize/index.js';
import type { BeatEcgTraining, SeedFigures } from './bundle.js';

export interface BeatCardOptions {
  readonly quantization: Quantization;
  readonly float: BeatEcgTraining;
  readonly pruned: BeatEcgTraining;
  /** By cross-validation it loses more than the gate allows: it is not in the bundle. */
  readonly prunedIsWorse: boolean;
  /** Markdown: figures measured elsewhere. */
  readonly notes: string;
}

/** What `validationOf` leaves in a training, as far as the card tells it. */
interface Validation {
  readonly method: string;
  readonly mitdb: {
    readonly pooled: BeatClassReport;
    readonly insideAf: BeatClassReport;
    readonly outsideAf: BeatClassReport;
  };
  readonly svdb: { readonly pooled: BeatClassReport };
  readonly seeds?: readonly SeedFigures[];
}

/** Cross-validated accuracy over both databases, each counting the same; NaN where none was made. */
export function crossValidated(validation: unknown): number {
  const known = validation as Validation | null;
  return known ? (known.mitdb.pooled.accuracy + known.svdb.pooled.accuracy) / 2 : Number.NaN;
}

/** The author's part of the card. */
export function cardText({
  quantization: { calibration },
  float,
  pruned,
  prunedIsWorse,
  notes,
}: BeatCardOptions): string {
  const [n, s, v] = float.logitOffsets;
  return `Says of every heart beat in one ECG lead whether it is normal (N), supraventricular ectopic (S) or ventricular
ectopic (V), in the classes of ANSI/AAMI EC57. Causal, at most one beat late. It looks at the beat (0.45 s before to 0.55 s
after R), at its difference from the person's own running template, and at ${FEATURE_COUNT} features of rhythm, shape and P wave.

A branch of its own sees the RR intervals alone, with what the rhythm model asks of the last 60. It is trained first, on
${float.intervalsOf?.length ?? 0} day-long recordings without a signal (ltafdb and nsr2db: hours of fibrillation, tens of thousands of ectopic beats),
and tells the rest whether an early beat means anything in this rhythm: an AF gate in the same network. The rest is trained on both
leads of each person and judged on the first alone.

**Where it fails.** An S beat differs from N by its timing and its P wave; in fibrillation timing says nothing and S is hardly
found. Three quarters of DS2's S beats are one person's (record 232), most of whose beats are S: pooled S is mostly about him.
Fusion (F) and unclassifiable beats (Q) are no outputs: by EC57 calling them V is not held against V, nor Q called S against
S; F is counted as wrong in nothing else. Paced beats are not judged well.

## Cross-validation

${(float.validation as Validation | null)?.method ?? 'none'}. Logit offsets (N, S, V): float ${n}, ${s}, ${v}; pruned ${pruned.logitOffsets.join(', ')}; they stand in the last
layer's bias. They are chosen for S F1 and the lesser of V Se and V PPV, each on the database where it is worse,
among the settings with an N Se of 98 % on both.

${table(float.validation as Validation | null, pruned.validation as Validation | null)}
${seedTable(float)}

${prunedIsWorse ? `**Not in this bundle: the pruned model** (${(pruned.sparsity * 100).toFixed(0)} % of the kernels pruned): by cross-validation its accuracy is more than half a point below the float model's.\n` : ''}
${notes.trim()}

## Test

MIT-BIH DS2, 22 people never trained, calibrated, chosen or gated on; reference beats, first lead, no beat left out. Calibrated
with ${calibration.method} on ${calibration.items} beats: ${calibration.from}. Made wholly by \`slothd lab\`: docs/models.md has the commands
and what was tried. Recordings: PhysioNet (Goldberger 2000), Moody & Mark 2001, Greenwald 1990, Petrutiu 2007.`;
}

/** Mean and range over the seeds that were tried; empty where it was one. */
function seedTable({ seed, validation }: BeatEcgTraining): string {
  const seeds = (validation as Validation | null)?.seeds ?? [];
  if (seeds.length < 2) return '';
  const rows = Object.keys(seeds[0]!.figures).map((name) => {
    const values = seeds.map(({ figures }) => figures[name]!);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return `| ${name} | ${[mean, Math.min(...values), Math.max(...values)].map((value) => value.toFixed(3)).join(' | ')} |`;
  });
  return `
Float, ${seeds.length} seeds (${seeds.map((one) => one.seed).join(', ')}), each with its own folds' networks and offsets; ${seed} is the one
that ships. It was not chosen among them.

| cross-validated | mean | least | most |
| --- | --- | --- | --- |
${rows.join('\n')}
`;
}

function table(float: Validation | null, pruned: Validation | null): string {
  const rows: string[] = [];
  const row = (model: string, where: string, { accuracy, N, S, V }: BeatClassReport) => {
    const three = ({ sensitivity, positivePredictivity, f1 }: BeatClassReport['S']) =>
      [sensitivity, positivePredictivity, f1].map((value) => value.toFixed(3)).join(' / ');
    rows.push(
      `| ${model} | ${where} | ${accuracy.toFixed(4)} | ${N.sensitivity.toFixed(4)} | ${three(S)} | ${three(V)} |`,
    );
  };
  for (const [model, figures] of [
    ['float', float],
    ['pruned', pruned],
  ] as const) {
    if (!figures) continue;
    row(model, 'DS1', figures.mitdb.pooled);
    row(model, 'DS1 outside AF', figures.mitdb.outsideAf);
    row(model, 'DS1 inside AF', figures.mitdb.insideAf);
    row(model, 'svdb', figures.svdb.pooled);
  }
  return [
    '| model | patients | accuracy | N Se | S Se / PPV / F1 | V Se / PPV / F1 |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}
