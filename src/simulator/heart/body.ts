import type { Random } from './random.js';

const LF_TONES = 8;
const VLF_TONES = 6;
const TWO_PI = 2 * Math.PI;

/**
 * Breathing and the slow rhythms of the autonomic nervous system, as closed functions of time: nothing to step, the
 * same at any sample rate.
 *
 * The tachogram's spectrum follows McSharry, Clifford, Tarassenko and Smith, "A dynamical model for generating
 * synthetic electrocardiogram signals", IEEE Trans Biomed Eng 2003 (ECGSYN): a low-frequency peak around 0.1 Hz
 * (Mayer waves) and a respiratory one around 0.25 Hz, to which a very-low-frequency part is added that falls with
 * frequency. Its total size follows the Task Force's normal values (Circulation 1996: LF 1170 ms2, HF 975 ms2, that is
 * a deviation near 45 ms at rest). Made of tones with random phases (Rice 1944) instead of an inverse FFT, so that it
 * can go on for ever.
 */
export class Body {
  private readonly breathHz: number;
  private readonly breathPhase: number;
  private readonly wanderHz: number;
  private readonly wanderPhase: number;
  private readonly hz: Float64Array;
  private readonly phase: Float64Array;
  private readonly amplitude: Float64Array;

  constructor(random: Random) {
    this.breathHz = random.between(0.22, 0.28);
    this.breathPhase = random.between(0, TWO_PI);
    this.wanderHz = random.between(0.015, 0.03);
    this.wanderPhase = random.between(0, TWO_PI);
    const tones = LF_TONES + VLF_TONES;
    this.hz = new Float64Array(tones);
    this.phase = new Float64Array(tones);
    this.amplitude = new Float64Array(tones);
    for (let i = 0; i < LF_TONES; i++) {
      this.hz[i] = 0.1 + 0.012 * random.normal();
      this.phase[i] = random.between(0, TWO_PI);
      // Variance share 0.40 of the whole; a tone of amplitude A has variance A^2 / 2.
      this.amplitude[i] = Math.sqrt((2 * 0.4) / LF_TONES);
    }
    let power = 0;
    for (let i = LF_TONES; i < tones; i++) {
      this.hz[i] = 0.004 * 10 ** ((i - LF_TONES) / (VLF_TONES - 1));
      this.phase[i] = random.between(0, TWO_PI);
      power += 1 / this.hz[i]!;
    }
    for (let i = LF_TONES; i < tones; i++) this.amplitude[i] = Math.sqrt((2 * 0.25) / (this.hz[i]! * power));
  }

  /** Breathing, -1 (breathed out) to 1 (breathed in). Its rate wanders by some percent, as a person's does. */
  breath(tMs: number): number {
    const s = tMs / 1000;
    return Math.sin(
      TWO_PI * this.breathHz * s + 0.8 * Math.sin(TWO_PI * this.wanderHz * s + this.wanderPhase) + this.breathPhase,
    );
  }

  /** Departure of the RR interval from its mean, in units of its standard deviation (variance 1, mean 0). */
  variability(tMs: number): number {
    const s = tMs / 1000;
    // Breathing in shortens RR: respiratory sinus arrhythmia, 0.35 of the variance.
    let sum = -Math.sqrt(2 * 0.35) * this.breath(tMs);
    for (let i = 0; i < this.hz.length; i++) {
      sum += this.amplitude[i]! * Math.sin(TWO_PI * this.hz[i]! * s + this.phase[i]!);
    }
    return sum;
  }

  /** Standard deviation of RR at a mean RR, ms: about 45 ms at 70 bpm, falling steeply as the rate rises. */
  static deviationMs(rrMs: number): number {
    return Math.min(70, 45 * (rrMs / 857) ** 2);
  }
}
