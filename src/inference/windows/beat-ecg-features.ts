import {
  type Comparison,
  compare,
  newComparison,
  P_WAVE,
  peakToPeak,
  QRS,
  QRS_PEAK,
  qrsWidth,
  slopeSpread,
  T_WAVE,
} from './beat-shape.js';
import { type BeatKind, type BeatTemplates, newWideWindow, TEMPLATE_R, WIDE_R } from './beat-templates.js';
import { P_WAVE_FEATURES, PWave } from './p-wave.js';
import { RhythmContext } from './rhythm-context.js';
import { RHYTHM_FEATURES } from './rhythm-rr-features.js';
import { RrHistory } from './rr-history.js';
import { SinusBeat } from './sinus-beat.js';

/**
 * The features of a beat, in the order in which the model takes them. All are ratios, correlations or shares: none
 * depends on the gain, the offset or the unit of the signal. "rhythm" is the median of the last 10 RR before this beat,
 * "own" the person's dominant kind of beat so far, "kind" the kind this beat belongs to.
 */
export const BEAT_ECG_FEATURES = [
  // Timing: RR before and after against the rhythm on several scales. Logarithms of ratios.
  'rr_prev_mean10',
  'rr_next_mean10',
  'rr_prev_median10',
  'rr_next_median10',
  'rr_prev_long',
  'rr_next_long',
  'rr_prev_prev2',
  'rr_next_prev',
  'rr_prev',
  'rr_mean10',
  'rr_prev_q75_32',
  'rr_change10',
  'rr_nearest8',
  'rr_1_mean10',
  'rr_2_mean10',
  'rr_3_mean10',
  'rr_4_mean10',
  'rr_5_mean10',
  'rr_6_mean10',
  // Shape, against the own template.
  'qrs_correlation',
  'qrs_similarity',
  'qrs_lag',
  'qrs_amplitude',
  'p_correlation',
  'p_residual',
  't_correlation',
  't_residual',
  'qrs_width_ratio',
  'qrs_width',
  'qrs_spread',
  'qrs_spread_ratio',
  // The kind this beat belongs to, as it was before it.
  'kind_share',
  'kind_beats',
  'kind_prematurity',
  'kind_pause',
  'kind_is_own',
  'kind_similarity',
  'prematurity_in_kind',
  'kind_regular',
  // The beat before.
  'last_correlation',
  'last_amplitude',
  'last_similarity',
  'last_prematurity',
  // What rhythm this is: whether early beats mean anything in it.
  'rr_prev_z32',
  'rr_next_z32',
  'rr_rank32',
  'rr_prev_q10_64',
  'rr_prev_q50_64',
  'rr_change_median',
  'rr_iqr',
  'rr_lag2',
  'rr_lag3',
  'early_share',
  'mean_nearest',
  'mean_p_correlation',
  'mean_similarity',
  'p_correlation_excess',
  'p_energy',
  'own_p_energy',
  'rr_prev_own',
  'rr_prev_own_z',
  // Against the longer intervals: in a person whose beats are mostly early these are the sinus ones.
  'rr_next_q75_32',
  'rr_pair_q75_32',
  ...P_WAVE_FEATURES,
  // What the rhythm model asks of the last 60 intervals.
  ...RHYTHM_FEATURES.map((name) => `rhythm_${name}` as const),
  // Against the longest intervals, near and far: where ectopic beats are the most, only these are the sinus node's.
  'rr_prev_q90_64',
  'rr_next_q90_64',
  'rr_last_q90_64',
  'rr_spread_64',
  'rr_short_share64',
  'rr_since_long',
  'rr_prev_high',
  'rr_next_high',
  'rr_last_high',
  'sinus_p_correlation',
  'sinus_p_residual',
  'sinus_p_amplitude',
  'sinus_qrs_correlation',
] as const;

export const BEAT_ECG_FEATURE_COUNT = BEAT_ECG_FEATURES.length;

/** Places of the features that need no ECG: they are of the intervals alone. */
export const INTERVAL_FEATURES: readonly number[] = BEAT_ECG_FEATURES.flatMap((name, i) =>
  /^(rr_|rhythm_|early_share|mean_nearest)/.test(name) && !name.startsWith('rr_prev_own') ? [i] : [],
);

/** RR after a beat counts as at most this: a longer wait says no more. */
export const RR_NEXT_CAP_MS = 2500;
const LOG_RATIO_LIMIT = 1.5;
const FEATURE_LIMIT = 8;
const EARLY = -0.1;
/** Shares of the long intervals: shorter than the first is short, longer than the second is long. */
const SHORT = 0.87;
const LONG = 0.93;
const HELD = 1 - 1 / 3000;
/** Weight of the newest beat in running means. */
const FOLLOW = 1 / 32;
/** Deviations smaller than this (ms) are not told apart: it is the resolution of R marks. */
const RR_FLOOR_MS = 10;

/** Turns beat after beat into features, remembering the person's rhythm and kinds of beat. Nothing allocated per beat. */
export class BeatEcgFeatures {
  private readonly history = new RrHistory();
  private readonly context = new RhythmContext();
  private readonly pWave = new PWave();
  private readonly sinus = new SinusBeat();
  private readonly putBound = (value: number) => this.put(value);
  private readonly trial: Comparison = newComparison();
  private readonly lastWide = newWideWindow();
  private hasLast = false;
  private lastAmplitude = 0;
  private lastSimilarity = 1;
  private lastPrematurity = 0;
  private earlyShare = 0;
  private meanNearest = 0;
  private meanPCorrelation = 0;
  private meanSimilarity = 1;
  private beats = 0;
  private beatsSinceLong = 0;
  /** The usual interval at its longest, in ms, forgotten by half in some 2000 beats. */
  private heldMs = 0;
  private out: Float32Array = new Float32Array(0);
  private next = 0;

  constructor(private readonly templates: BeatTemplates) {}

  /**
   * Writes the features of a beat and learns from it.
   * @param wide the beat's wide window, scaled; `templates.look(wide)` must have been called
   * @param rrPrevMs RR that ends here, null where unknown
   * @param rrNextMs RR that begins here, null where unknown
   */
  write(wide: Float64Array, rrPrevMs: number | null, rrNextMs: number | null, out: Float32Array): void {
    this.out = out;
    this.next = 0;
    const { history, templates } = this;
    const own = templates.dominant;

    // Where an interval is unknown the rhythm's own stands in: every ratio is then neutral.
    const median10 = history.quantile(0.5, 10, rrPrevMs ?? rrNextMs ?? 800);
    const prev = rrPrevMs ?? median10;
    const after = Math.min(rrNextMs ?? median10, RR_NEXT_CAP_MS);
    const prematurity = logRatio(prev, median10);
    const nearest = history.nearest(prev, 8);

    this.timing(prev, after, median10, nearest);
    const pCorrelation = this.shape(wide, own);
    this.kind(prematurity);
    this.lastBeat(wide);
    this.rhythm(wide, prev, after, pCorrelation, own);
    const long = history.quantile(0.75, 32, prev);
    this.put(logRatio(after, long));
    this.put(logRatio((prev + after) / 2, long));
    const zero = WIDE_R + templates.dominantLag;
    this.pWave.write(wide, zero, own ? own.template : null, this.putBound);
    for (const value of this.context.features) this.put(value);
    this.longest(prev, after);
    // A tachycardia that lasts becomes what is usual; what was usual before it is not forgotten.
    this.heldMs = Math.max(long, this.heldMs * HELD);
    this.sinus.write(wide, zero, this.putBound);

    if (own === null || templates.kind === own) this.pWave.learn(wide, zero, logRatio(prev, long));
    this.sinus.learn(wide, zero, logRatio(prev, this.heldMs));
    templates.learn(wide, prematurity, logRatio(after, median10), rrPrevMs);
    const weight = Math.max(1 / (this.beats + 1), FOLLOW);
    this.meanNearest += weight * (nearest - this.meanNearest);
    this.meanPCorrelation += weight * (pCorrelation - this.meanPCorrelation);
    this.meanSimilarity += weight * (templates.dominantSimilarity - this.meanSimilarity);
    this.earlyShare += Math.max(1 / (this.beats + 1), 1 / 64) * ((prematurity < EARLY ? 1 : 0) - this.earlyShare);
    this.lastAmplitude = peakToPeak(wide, WIDE_R, QRS_PEAK);
    this.lastSimilarity = templates.dominantSimilarity;
    this.lastPrematurity = prematurity;
    this.lastWide.set(wide);
    this.hasLast = true;
    this.beats++;
    if (rrPrevMs !== null) {
      history.push(rrPrevMs);
      this.context.push(rrPrevMs);
    }
  }

  private timing(prev: number, after: number, median10: number, nearest: number): void {
    const { history } = this;
    const mean10 = history.mean(10, prev);
    const long = history.longMeanMs || prev;
    this.put(logRatio(prev, mean10));
    this.put(logRatio(after, mean10));
    this.put(logRatio(prev, median10));
    this.put(logRatio(after, median10));
    this.put(logRatio(prev, long));
    this.put(logRatio(after, long));
    this.put(logRatio(prev, history.ago(0, prev)));
    this.put(logRatio(after, prev));
    this.put(logRatio(prev, 1000));
    this.put(logRatio(mean10, 1000));
    this.put(logRatio(prev, history.quantile(0.75, 32, prev)));
    this.put(Math.log((history.meanChange(1, 10) + RR_FLOOR_MS) / mean10));
    this.put(Math.log(nearest + 0.005));
    for (let back = 0; back < 6; back++) this.put(logRatio(history.ago(back, mean10), mean10));
  }

  /** Intervals against the long ones of the last 64 beats, and of the last few hundred. */
  private longest(prev: number, after: number): void {
    const { history } = this;
    const last = history.ago(0, prev);
    const near = history.quantile(0.9, 64, prev);
    this.put(logRatio(prev, near));
    this.put(logRatio(after, near));
    this.put(logRatio(last, near));
    this.put(logRatio(near, history.quantile(0.1, 64, prev)));
    this.put(history.rank(SHORT * near, 64));
    this.beatsSinceLong = prev > LONG * near ? 0 : this.beatsSinceLong + 1;
    this.put(Math.log1p(this.beatsSinceLong) / 4);
    const far = history.highMs || prev;
    this.put(logRatio(prev, far));
    this.put(logRatio(after, far));
    this.put(logRatio(last, far));
  }

  /** @returns the P wave's correlation with the own one */
  private shape(wide: Float64Array, own: BeatKind | null): number {
    const { templates, trial } = this;
    const spread = slopeSpread(wide, WIDE_R);
    const width = qrsWidth(wide, WIDE_R);
    if (own === null) {
      // The very first beat: it is its own template.
      for (const value of [1, 1, 0, 0, 1, 0, 1, 0, 0, width / 16, spread / 4, 0]) this.put(value);
      return 1;
    }
    const { template } = own;
    const zero = WIDE_R + templates.dominantLag;
    compare(wide, zero, template, TEMPLATE_R, QRS, trial);
    this.put(trial.correlation);
    this.put(templates.dominantSimilarity);
    this.put(templates.dominantLag / 4);
    this.put(logRatio(peakToPeak(wide, WIDE_R, QRS_PEAK), peakToPeak(template, TEMPLATE_R, QRS_PEAK)));
    compare(wide, zero, template, TEMPLATE_R, P_WAVE, trial);
    const pCorrelation = trial.correlation;
    this.put(pCorrelation);
    this.put(trial.residual);
    compare(wide, zero, template, TEMPLATE_R, T_WAVE, trial);
    this.put(trial.correlation);
    this.put(trial.residual);
    this.put(logRatio(width, qrsWidth(template, TEMPLATE_R)));
    this.put(width / 16);
    this.put(spread / 4);
    this.put(logRatio(spread, slopeSpread(template, TEMPLATE_R)));
    return pCorrelation;
  }

  private kind(prematurity: number): void {
    const { kind, dominant, similarity } = this.templates;
    this.put(kind ? this.templates.shareOf(kind) : 0);
    this.put(kind ? Math.log1p(kind.beats) / 4 : 0);
    this.put(kind ? kind.prematurity : 0);
    this.put(kind ? kind.pause : 0);
    this.put(kind !== null && kind === dominant ? 1 : 0);
    this.put(similarity);
    this.put(kind ? prematurity - kind.prematurity : prematurity);
    this.put(kind && kind.count > 0 ? kind.regular / kind.count : 0);
  }

  private lastBeat(wide: Float64Array): void {
    if (this.hasLast) compare(wide, WIDE_R, this.lastWide, WIDE_R, QRS, this.trial);
    this.put(this.hasLast ? this.trial.correlation : 1);
    this.put(this.hasLast ? logRatio(this.lastAmplitude, peakToPeak(wide, WIDE_R, QRS_PEAK)) : 0);
    this.put(this.lastSimilarity);
    this.put(this.lastPrematurity);
  }

  private rhythm(wide: Float64Array, prev: number, after: number, pCorrelation: number, own: BeatKind | null): void {
    const { history, trial } = this;
    const mean32 = history.mean(32, prev);
    const deviation = history.deviation(32) + 2 * RR_FLOOR_MS;
    const median = history.quantile(0.5, 64, prev);
    this.put((prev - mean32) / deviation);
    this.put((after - history.mean(32, after)) / deviation);
    this.put(history.rank(prev, 32));
    this.put(logRatio(prev, history.quantile(0.1, 64, prev)));
    this.put(logRatio(prev, median));
    this.put(Math.log((history.medianChange(32) + RR_FLOOR_MS) / median));
    this.put(Math.log((history.quantile(0.75, 64, prev) - history.quantile(0.25, 64, prev) + RR_FLOOR_MS) / median));
    // Bigeminy repeats every second beat, trigeminy every third.
    const change1 = history.meanChange(1, 14) + RR_FLOOR_MS;
    this.put(logRatio(history.meanChange(2, 14) + RR_FLOOR_MS, change1));
    this.put(logRatio(history.meanChange(3, 14) + RR_FLOOR_MS, change1));
    this.put(this.earlyShare);
    this.put(Math.log(this.meanNearest + 0.005));
    this.put(this.meanPCorrelation);
    this.put(this.meanSimilarity);
    this.put(pCorrelation - this.meanPCorrelation);
    compare(wide, WIDE_R, own ? own.template : wide, own ? TEMPLATE_R : WIDE_R, P_WAVE, trial);
    this.put(Math.log(trial.rmsA + 0.01));
    this.put(Math.log(trial.rmsB + 0.01));
    const ownRr = own && own.rrMs > 0 ? own.rrMs : prev;
    this.put(logRatio(prev, ownRr));
    this.put((prev - ownRr) / ((own ? own.rrDeviationMs : 0) + 2 * RR_FLOOR_MS));
  }

  private put(value: number): void {
    const limited = Math.max(-FEATURE_LIMIT, Math.min(FEATURE_LIMIT, value));
    this.out[this.next++] = Number.isFinite(value) ? limited : 0;
  }
}

function logRatio(a: number, b: number): number {
  if (!(a > 0) || !(b > 0)) return a > 0 ? LOG_RATIO_LIMIT : b > 0 ? -LOG_RATIO_LIMIT : 0;
  return Math.max(-LOG_RATIO_LIMIT, Math.min(LOG_RATIO_LIMIT, Math.log(a / b)));
}
