import { type Comparison, compare, newComparison, P_WAVE, peakToPeak, QRS } from './beat-shape.js';
import { newWideWindow, WIDE_R } from './beat-templates.js';

/** Weight of the newest beat in the mean. */
const FOLLOW = 1 / 16;
/** Logarithm of RR by the person's usual interval at its longest: above it a beat is taken for the sinus node's. */
const LONG = -0.15;

/**
 * The mean of the beats that end a person's longest intervals: the sinus node's own, even where most beats are ectopic and the
 * usual beat is an ectopic one. Allocates nothing per beat.
 */
export class SinusBeat {
  private readonly mean = newWideWindow();
  private readonly trial: Comparison = newComparison();
  private beats = 0;

  /** Likeness of a beat's P wave (correlation, residual, size) and QRS to the mean's; neutral where there is none yet. */
  write(wide: Float64Array, zero: number, put: (value: number) => void): void {
    const { mean, trial } = this;
    if (this.beats === 0) {
      for (const value of [0, 1, 0, 0]) put(value);
      return;
    }
    compare(wide, zero, mean, WIDE_R, P_WAVE, trial);
    put(trial.correlation);
    put(trial.residual);
    put(Math.log((peakToPeak(wide, zero, P_WAVE) + 0.02) / (peakToPeak(mean, WIDE_R, P_WAVE) + 0.02)));
    compare(wide, zero, mean, WIDE_R, QRS, trial);
    put(trial.correlation);
  }

  /** @param timing log(RR before / the usual interval at its longest) */
  learn(wide: Float64Array, zero: number, timing: number): void {
    if (timing <= LONG) return;
    const weight = Math.max(1 / (this.beats + 1), FOLLOW);
    const shift = zero - WIDE_R;
    const { mean } = this;
    for (let i = 4; i < mean.length - 4; i++) mean[i]! += weight * (wide[i + shift]! - mean[i]!);
    this.beats++;
  }
}
