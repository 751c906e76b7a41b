import { type Comparison, compare, newComparison, P_WAVE } from './beat-shape.js';
import { newWideWindow, TEMPLATE_R, WIDE_R } from './beat-templates.js';

/**
 * What the stretch before the QRS tells of the atria, apart from the person's usual beat: in a person whose beats are
 * mostly ectopic the usual P wave is the ectopic one. "late" and "early" are the mean P waves of narrow beats that come
 * on the person's longer intervals, and of those that come well before them.
 */
export const P_WAVE_FEATURES = [
  'p_amplitude',
  'p_time',
  'p_noise',
  'own_p_amplitude',
  'own_p_time',
  'own_p_coherence',
  'late_p_correlation',
  'late_p_residual',
  'early_p_correlation',
  'early_p_residual',
  'late_p_excess',
] as const;

/** Ends of the line that is taken off before the P wave is measured, samples from R (means of four around them). */
const LINE_FROM = P_WAVE[0] - 4;
const LINE_TO = P_WAVE[1] + 2;
/** Newest beat's weight in the two mean P waves, and in the mean of the beats' own P energy. */
const FOLLOW = 1 / 16;
/** Logarithm of RR by the person's long intervals (upper quartile of 32): above it late, below it early. */
const LATE = -0.06;
const EARLY = -0.12;

/** Features of the P wave of one person's beats, in the order of `P_WAVE_FEATURES`. Allocates nothing per beat. */
export class PWave {
  private readonly late = newWideWindow();
  private readonly early = newWideWindow();
  private lateBeats = 0;
  private earlyBeats = 0;
  private meanEnergy = 0;
  private beats = 0;
  private peak = 0;
  private peakAt = 0;
  private readonly trial: Comparison = newComparison();

  /**
   * Gives a beat's features one by one to `put`.
   * @param zero index of R in `wide`, aligned to the own template
   * @param template the own template; null for a first beat
   */
  write(wide: Float64Array, zero: number, template: Float64Array | null, put: (value: number) => void): void {
    const { trial } = this;
    this.find(wide, zero);
    put(3 * this.peak);
    put(this.peakAt);
    put(Math.log(roughness(wide, zero) + 0.002));
    if (template) this.find(template, TEMPLATE_R);
    put(3 * this.peak);
    put(this.peakAt);
    compare(wide, zero, template ?? wide, template ? TEMPLATE_R : zero, P_WAVE, trial);
    put(this.beats > 0 ? Math.log(trial.rmsB + 0.01) - this.meanEnergy : 0);
    const late = this.against(wide, zero, this.late, this.lateBeats, put);
    const early = this.against(wide, zero, this.early, this.earlyBeats, put);
    put(this.lateBeats > 0 && this.earlyBeats > 0 ? late - early : 0);
  }

  /**
   * Learns from a beat whose QRS is of the person's usual shape.
   * @param timing log(RR before / upper quartile of the last 32)
   */
  learn(wide: Float64Array, zero: number, timing: number): void {
    compare(wide, zero, wide, zero, P_WAVE, this.trial);
    this.meanEnergy += Math.max(1 / (this.beats + 1), FOLLOW) * (Math.log(this.trial.rmsA + 0.01) - this.meanEnergy);
    this.beats++;
    if (timing > LATE) follow(this.late, wide, zero, this.lateBeats++);
    else if (timing < EARLY) follow(this.early, wide, zero, this.earlyBeats++);
  }

  /** @returns the correlation, 0 where there is nothing to compare with */
  private against(
    wide: Float64Array,
    zero: number,
    mean: Float64Array,
    beats: number,
    put: (value: number) => void,
  ): number {
    if (beats === 0) {
      put(0);
      put(1);
      return 0;
    }
    compare(wide, zero, mean, WIDE_R, P_WAVE, this.trial);
    put(this.trial.correlation);
    put(this.trial.residual);
    return this.trial.correlation;
  }

  /** Largest deflection from the line under the P wave (signed) and its place (0 at the far end, 1 near the QRS). */
  private find(beat: Float64Array, zero: number): void {
    const from = meanOfFour(beat, zero + LINE_FROM);
    const slope = (meanOfFour(beat, zero + LINE_TO - 3) - from) / (LINE_TO - 3 - LINE_FROM);
    this.peak = 0;
    this.peakAt = 0;
    for (let i = P_WAVE[0]; i <= P_WAVE[1]; i++) {
      const value = beat[zero + i]! - from - slope * (i - LINE_FROM);
      if (Math.abs(value) <= Math.abs(this.peak)) continue;
      this.peak = value;
      this.peakAt = (i - P_WAVE[0]) / (P_WAVE[1] - P_WAVE[0]);
    }
  }
}

function meanOfFour(values: Float64Array, from: number): number {
  return (values[from]! + values[from + 1]! + values[from + 2]! + values[from + 3]!) / 4;
}

/** Root mean square of the second difference before the QRS: noise, as P and T waves are smooth. */
function roughness(beat: Float64Array, zero: number): number {
  let sum = 0;
  for (let i = zero + LINE_FROM; i <= zero + P_WAVE[1]; i++) sum += (beat[i - 1]! - 2 * beat[i]! + beat[i + 1]!) ** 2;
  return Math.sqrt(sum / (P_WAVE[1] - LINE_FROM + 1));
}

function follow(mean: Float64Array, wide: Float64Array, zero: number, beats: number): void {
  const weight = Math.max(1 / (beats + 1), FOLLOW);
  for (let i = P_WAVE[0]; i <= P_WAVE[1]; i++) {
    mean[WIDE_R + i]! += weight * (wide[zero + i]! - mean[WIDE_R + i]!);
  }
}
