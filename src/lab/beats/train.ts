import { RATIOS, type Ratio } from '../../signal/ecg/features.js';
import type { BeatJudge } from '../../signal/ecg/judge.js';
import { BeatVerifier } from '../../signal/ecg/verifier.js';
import { type Random, seededRandom, seedOf } from '../random.js';
import { collect, Examples } from './examples.js';
import { recordKey } from './folds.js';
import { type Lead, leadsOf } from './leads.js';
import { trainMlp } from './mlp.js';
import type { RecordedNoise } from './noise.js';
import { rapidLeadsOf } from './rapid-leads.js';
import type { RapidRecord } from './rapid-rates.js';
import type { BeatRecord } from './records.js';

export interface BeatTrainingOptions {
  readonly records: readonly BeatRecord[];
  readonly noise: readonly RecordedNoise[];
  /** Records with ventricular tachycardia, for its waves alone. */
  readonly rapid?: readonly RapidRecord[];
  readonly seed?: number;
  /** Rounds in which the verifier's own decisions drive the state. */
  readonly rounds?: number;
  readonly epochs?: number;
  /** The round to begin with, when every task has weights to go on from. */
  readonly firstRound?: number;
  readonly log?: (line: string) => void;
}

/** One verifier of several that are trained side by side, so that each lead is made only once. */
export interface BeatVerifierTask {
  readonly name: string;
  /** Whether it may see a record, by its `recordKey`. */
  sees(key: string): boolean;
  /** Weights to go on from, as an earlier round left them. */
  readonly from?: Float64Array;
  /** Takes its weights after each round. */
  done?(weights: Float64Array, round: number): void | Promise<void>;
}

/** Features that compare outlines: hidden together now and then, so that an odd outline alone does not make a non-beat. */
const OUTLINES: readonly Ratio[] = [
  'likeMain',
  'likeRecent',
  'likeLast',
  'likeBefore',
  'likeOdd',
  'likeMainSlow',
  'likeMainSharp',
  'afterLikeMain',
  'afterLikeRecent',
];

/**
 * Trains the verifier on records, by dataset aggregation (Ross, Gordon and Bagnell 2011): what it sees depends on its own
 * earlier decisions, so it must learn from states that its own mistakes lead to. First the truth decides; then, in each
 * round, the verifier so far; the last two rounds are pooled. Only the given records are ever looked at.
 * @returns `WEIGHT_COUNT` weights
 */
export async function trainBeatVerifier(options: BeatTrainingOptions): Promise<Float64Array> {
  const [weights] = await trainBeatVerifiers([{ name: 'verifier', sees: () => true }], options);
  return weights!;
}

/** The same for several verifiers, each from the records that it may see. @returns weights, in the order of the tasks */
export async function trainBeatVerifiers(
  tasks: readonly BeatVerifierTask[],
  options: BeatTrainingOptions,
): Promise<Float64Array[]> {
  const { seed = 1, rounds = 3, epochs = 3, firstRound = 0, log = () => {} } = options;
  const hiddenTogether = OUTLINES.map((name) => RATIOS.indexOf(name));
  const pupils = tasks.map((task, i) => ({
    task,
    random: seededRandom(seed + i),
    weights: task.from,
    before: null as Examples | null,
    now: new Examples(),
  }));
  for (let round = firstRound; round <= rounds; round++) {
    const started = Date.now();
    for (const pupil of pupils) pupil.now = new Examples();
    for (const [key, lead] of leadsOfRound(options, seed + round, round)) {
      for (const { task, weights, now } of pupils) {
        if (!task.sees(key)) continue;
        const judge = weights ? new BeatVerifier(weights) : null;
        collect(lead, judge && lead.form === 'mixed' ? explorer(judge, seededRandom(seedOf(lead.key))) : judge, now);
      }
    }
    const collected = Date.now();
    for (const pupil of pupils) {
      const pool: Examples[] = pupil.before && round > 1 ? [pupil.before, pupil.now] : [pupil.now];
      pupil.weights = trainMlp(pool, {
        epochs: round === 0 ? 1 : round === rounds ? epochs : 2,
        random: pupil.random,
        from: pupil.weights,
        hiddenTogether,
        togetherDropout: 0.15,
      });
      pupil.before = pupil.now;
      await pupil.task.done?.(pupil.weights, round);
    }
    const count = pupils.reduce((sum, { now }) => sum + now.count, 0);
    log(`round ${round}: ${count} candidates in ${collected - started} ms, fitted in ${Date.now() - collected} ms`);
  }
  return pupils.map(({ weights }) => weights!);
}

/** All leads of a round, each with the key of the record it comes from. The first two rounds need not be thorough. */
function* leadsOfRound(
  { records, noise, rapid = [] }: BeatTrainingOptions,
  seed: number,
  round: number,
): Generator<[key: string, lead: Lead]> {
  for (const record of records) {
    const key = recordKey(record);
    for (const lead of leadsOf(record, noise, seed)) {
      if (lead.form === 'mixed' && (round === 0 || (round === 1 && lead.key.includes('again')))) continue;
      yield [key, lead];
    }
  }
  // With the truth in charge there is nothing to be learnt from waves whose truth is known in parts only.
  if (round === 0) return;
  for (const record of rapid) {
    for (const lead of rapidLeadsOf(record, noise, seed)) yield [`vfdb/${record.name}`, lead];
  }
}

/** Now and then decides against the verifier where it is not sure, so that training also sees the states beyond. */
function explorer(judge: BeatJudge, random: Random): BeatJudge {
  return {
    judge(features, sample) {
      const p = Math.min(1 - 1e-9, Math.max(1e-9, judge.judge(features, sample)));
      const logit = 0.7 * Math.log(p / (1 - p));
      const accept = random() < 1 / (1 + Math.exp(-logit));
      return accept === p > 0.5 ? p : accept ? 0.51 : 0.49;
    },
  };
}
