import { FEATURE_COUNT } from '../../data/beat-records.js';
import { MOST_BEATS } from '../../data/kept-beats.js';
import type { BeatClassReport } from '../../evaluation/beat-classes.js';
import type { Quantization } from '../../quantize/index.js';
import type { BeatEcgTraining } from './bundle.js';
import { type BeatSplit, peopleIn } from './split.js';

export interface BeatCardOptions {
  readonly split: BeatSplit;
  readonly quantization: Quantization;
  readonly float: BeatEcgTraining;
  readonly pruned: BeatEcgTraining;
  /** By cross-validation it loses more than the gate allows: it is not in the bundle. */
  readonly prunedIsWorse: boolean;
  /** Markdown: figures measured elsewhere. */
  readonly notes: string;
}

/** The author's part of the card. */
export function cardText({
  split,
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

${intervalBranch(float)} on both
leads of each person and judged on the first alone.

**Where it fails.** An S beat differs from N by its timing and its P wave; in fibrillation timing says nothing and S is hardly
found.${split.own ? '' : OF_DS2}
Fusion (F) and unclassifiable beats (Q) are no outputs: by EC57 calling them V is not held against V, nor Q called S against
S; F is counted as wrong in nothing else. Paced beats are not judged well.
${split.own ? ownPeople(split) : ''}
## Cross-validation

${float.validation?.method ?? 'none'}. Logit offsets (N, S, V): float ${n}, ${s}, ${v}; pruned ${pruned.logitOffsets.join(', ')}; they stand in the last
layer's bias. They are chosen for S F1 and the lesser of V Se and V PPV, each on the database where it is worse,
among the settings with an N Se of 98 % on each.

${table(float, pruned, split)}
${seedTable(float)}

${prunedIsWorse ? `**Not in this bundle: the pruned model** (${(pruned.sparsity * 100).toFixed(0)} % of the kernels pruned): by cross-validation its accuracy is more than half a point below the float model's.\n` : ''}
${notes.trim()}

## Test

${testPeople(split)} Calibrated
with ${calibration.method} on ${calibration.items} beats: ${calibration.from}. Made wholly by \`slothd lab\`: ${split.own ? ofOwn(split.own.cite) : OF_SHIPPED}`;
}

const OF_SHIPPED = `docs/models.md has the commands
and what was tried. Recordings: PhysioNet (Goldberger 2000), Moody & Mark 2001, Greenwald 1990, Petrutiu 2007.`;

function ofOwn(cite: string): string {
  return `docs/lab.md has the commands.${cite && `\nRecordings and split: ${cite}`}`;
}

function testPeople(split: BeatSplit): string {
  const unseen = 'never trained, calibrated, chosen or gated on; reference beats, first lead';
  if (!split.own) return `MIT-BIH DS2, 22 people ${unseen}, no beat left out.`;
  return `${split.testTitle}, ${peopleIn(split, split.test)} people ${unseen}. A recording of more than ${MOST_BEATS} beats is
judged on a part of them that stands for all.`;
}

/** What the branch of the intervals was trained on, as far as anything beside the rest. */
function intervalBranch({ intervalsOf = [] }: BeatEcgTraining): string {
  const what = 'A branch of its own sees the RR intervals alone, with what the rhythm model asks of the last 60.';
  if (intervalsOf.length === 0) return `${what} It is trained as the rest is:`;
  return `${what} It is trained first, on
${intervalsOf.length} day-long recordings without a signal (ltafdb and nsr2db: hours of fibrillation, tens of thousands of ectopic beats),
and tells the rest whether an early beat means anything in this rhythm: an AF gate in the same network. The rest is trained`;
}

const OF_DS2 =
  " Three quarters of DS2's S beats are one person's (record 232), most of whose beats are S: pooled S is mostly about him.";

/** Whose recordings a split of somebody's own is about. */
function ownPeople(split: BeatSplit): string {
  const { train, test, own } = split;
  const count = (records: readonly string[]) => `${records.length} recordings of ${peopleIn(split, records)} people`;
  return `
**Whose recordings.** Not those of slothd's own model: ${own!.title || `split '${own!.name}'`}. Trained on ${count(train)}, tested on
${count(test)} who are in no other part. Nothing is known of anybody else; a model made of few people fits those few.
`;
}

/** Mean and range over the seeds that were tried; empty where it was one. */
function seedTable({ seed, validation }: BeatEcgTraining): string {
  const seeds = validation?.seeds ?? [];
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

function table(float: BeatEcgTraining, pruned: BeatEcgTraining, split: BeatSplit): string {
  const rows: string[] = [];
  const row = (model: string, where: string, { accuracy, N, S, V }: BeatClassReport) => {
    const three = ({ sensitivity, positivePredictivity, f1 }: BeatClassReport['S']) =>
      [sensitivity, positivePredictivity, f1].map((value) => value.toFixed(3)).join(' / ');
    rows.push(
      `| ${model} | ${where} | ${accuracy.toFixed(4)} | ${N.sensitivity.toFixed(4)} | ${three(S)} | ${three(V)} |`,
    );
  };
  for (const [model, { validation }] of Object.entries({ float, pruned })) {
    for (const [database, { pooled, insideAf, outsideAf }] of Object.entries(validation?.databases ?? {})) {
      const title = split.titleOf(database);
      row(model, title, pooled);
      if (outsideAf) row(model, `${title} outside AF`, outsideAf);
      if (insideAf) row(model, `${title} inside AF`, insideAf);
    }
  }
  return [
    '| model | patients | accuracy | N Se | S Se / PPV / F1 | V Se / PPV / F1 |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}
