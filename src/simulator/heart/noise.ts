import type { Conditions } from '../scenario.js';
import type { Random } from './random.js';

const TWO_PI = 2 * Math.PI;

/**
 * What reaches the electrodes besides the heart, in the waveform's unit (mV for ECG). Each part is scaled so that its
 * condition's value is its size: mains and baseline by amplitude, muscle by RMS, motion by the typical size of a burst.
 */
export class NoiseSource {
  private readonly stepS: number;
  private readonly mainsPhase: number;
  private readonly wanderPhases: readonly [number, number, number];
  private muscle = 0;
  private previousWhite = 0;
  private motionLevel = 0;
  private motionFast = 0;
  private burstLeftS = 0;
  private burstInS: number;

  constructor(
    rateHz: number,
    private readonly random: Random,
  ) {
    this.stepS = 1 / rateHz;
    this.mainsPhase = random.between(0, TWO_PI);
    this.wanderPhases = [random.between(0, TWO_PI), random.between(0, TWO_PI), random.between(0, TWO_PI)];
    this.burstInS = random.between(0, 1);
  }

  /** One sample; called once per sample, in order. */
  next(tMs: number, conditions: Conditions): number {
    const s = tMs / 1000;
    let sum = 0;
    if (conditions.mainsMv > 0) {
      // The third harmonic of transformers and dimmers; the level swings slowly as the person moves.
      const phase = TWO_PI * conditions.mainsHz * s + this.mainsPhase;
      sum +=
        conditions.mainsMv * (1 + 0.1 * Math.sin(TWO_PI * 0.2 * s)) * (Math.sin(phase) + 0.1 * Math.sin(3 * phase));
    }
    if (conditions.baselineMv > 0) {
      const [a, b, c] = this.wanderPhases;
      sum +=
        conditions.baselineMv *
        (0.6 * Math.sin(TWO_PI * 0.07 * s + a) +
          0.3 * Math.sin(TWO_PI * 0.19 * s + b) +
          0.2 * Math.sin(TWO_PI * 0.37 * s + c));
    }
    if (conditions.muscleMv > 0) sum += conditions.muscleMv * this.nextMuscle(s);
    if (conditions.motionMv > 0) sum += conditions.motionMv * this.nextMotion();
    return sum;
  }

  /** Muscle: white noise with the slow part taken out (surface EMG lies above 20 Hz), waxing and waning. */
  private nextMuscle(s: number): number {
    const white = this.random.normal();
    const keep = Math.exp(-TWO_PI * 20 * this.stepS);
    this.muscle = keep * (this.muscle + white - this.previousWhite);
    this.previousWhite = white;
    // RMS of this one-pole high-pass on unit white noise is keep * sqrt(2 / (1 + keep)).
    return (this.muscle / (keep * Math.sqrt(2 / (1 + keep)))) * (1 + 0.4 * Math.sin(TWO_PI * 0.31 * s));
  }

  /** Motion: electrode steps that decay over half a second, with a 1 to 10 Hz tremble, in bursts of 0.5 to 3 s. */
  private nextMotion(): number {
    const step = this.stepS;
    if (this.burstLeftS > 0) {
      this.burstLeftS -= step;
      if (this.random.next() < 3 * step) this.motionLevel += 0.8 * this.random.normal();
      const pull = TWO_PI * 6 * step;
      this.motionFast += -pull * this.motionFast + 0.7 * Math.sqrt(2 * pull) * this.random.normal();
    } else {
      this.burstInS -= step;
      this.motionFast *= 1 - Math.min(1, 20 * step);
      if (this.burstInS <= 0) {
        this.burstLeftS = this.random.between(0.5, 3);
        this.burstInS = this.random.between(0.3, 2);
        this.motionLevel += this.random.normal();
      }
    }
    this.motionLevel *= 1 - Math.min(1, 2 * step);
    return this.motionLevel + this.motionFast;
  }
}
