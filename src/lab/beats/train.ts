import { RATIOS, type Ratio } from '../../signal/ecg/features.js';
import type { BeatJudge } from '../../signal/ecg/judge.js';
import { BeatVerifier } from '../../signal/ecg/verifier.js';
import { type Random, seededRandom, seedOf } from '../random.js';
import { collect, Examples } from './examples.js';
import { leadsOf } from './leads.js';
import { trainMlp } from './mlp.js';
import type { RecordedNoise } from './noise.js';
import type { BeatRecord } from './records.js';

export interface BeatTrainingOptions {
  readonly records: readonly BeatRecord[];
  readonly noise: readonly RecordedNoise[];
  readonly seed?: number;
  /** Rounds in which the verifier's own decisions drive the state. */
  readonly rounds?: number;
  readonly epochs?: number;
  readonly log?: (line: string) => void;
}

/** Features that compare outlines: hidden together now and then, so that an odd outline alone does not make a non-beat. */
const OUTLINES: readonly Ratio[] = [
  'likeMain',
  'likeRecent',
  'likeOdd',
  'likeMainSlow',
  'afterLikeMain',
  'afterLikeRecent',
];

/**
 * Trains the verifier on records, by dataset aggregation (Ross, Gordon and Bagnell 2011): what it sees depends on its own
 * earlier decisions, so it must learn from states that its own mistakes lead to. First the truth decides; then, in each
 * round, the verifier so far; the last two rounds are pooled. Only the given records are ever looked at.
 * @returns `WEIGHT_COUNT` weights
 */
export function trainBeatVerifier(options: BeatTrainingOptions): Float64Array {
  const { records, noise, seed = 1, rounds = 3, epochs = 3, log = () => {} } = options;
  const random = seededRandom(seed);
  const hiddenTogether = OUTLINES.map((name) => RATIOS.indexOf(name));
  const fitTo = (sets: Examples[], times: number, from?: Float64Array) =>
    trainMlp(sets, { epochs: times, random, from, hiddenTogether, togetherDropout: 0.15 });

  let weights: Float64Array | undefined;
  let before: Examples | null = null;
  for (let round = 0; round <= rounds; round++) {
    const examples = new Examples();
    const judge = weights ? new BeatVerifier(weights) : null;
    const started = Date.now();
    for (const record of records) {
      for (const lead of leadsOf(record, noise, seed + round)) {
        if (round === 0 && lead.form === 'mixed') continue;
        const exploring = judge && lead.form === 'mixed' ? explorer(judge, seededRandom(seedOf(lead.key))) : judge;
        collect(lead, exploring, examples);
      }
    }
    const collected = Date.now();
    const pool: Examples[] = before && round > 1 ? [before, examples] : [examples];
    weights = fitTo(pool, round === 0 ? 1 : round === rounds ? epochs : 2, weights);
    before = examples;
    log(
      `round ${round}: ${examples.count} candidates in ${collected - started} ms, fitted in ${Date.now() - collected} ms`,
    );
  }
  return weights!;
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
