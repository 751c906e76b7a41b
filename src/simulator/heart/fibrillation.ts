import type { Random } from './random.js';

const TWO_PI = 2 * Math.PI;

/**
 * Atrial f waves, mV: a sawtooth of three harmonics whose rate and size wander (Stridh and Sornmo, "Spatiotemporal QRST
 * cancellation techniques for analysis of atrial fibrillation", IEEE Trans Biomed Eng 2001, section on simulation:
 * 6 Hz +/- some tenths, harmonics falling as 1/m).
 */
export class FWaves {
  private readonly baseHz: number;
  private readonly driftPhase: number;
  private readonly swellPhase: number;

  constructor(random: Random) {
    this.baseHz = random.between(5.2, 7);
    this.driftPhase = random.between(0, TWO_PI);
    this.swellPhase = random.between(0, TWO_PI);
  }

  at(tMs: number): number {
    const s = tMs / 1000;
    // Rate swings by 0.25 Hz about the base at 0.15 Hz.
    const phase = TWO_PI * this.baseHz * s + (0.25 / 0.15) * Math.sin(TWO_PI * 0.15 * s + this.driftPhase);
    const size = 0.06 * (1 + 0.35 * Math.sin(TWO_PI * 0.11 * s + this.swellPhase));
    return size * (Math.sin(phase) + Math.sin(2 * phase) / 2 + Math.sin(3 * phase) / 3);
  }
}

/**
 * Ventricular fibrillation, mV: no QRS, an oscillation whose rate wanders between 3 and 7 Hz and whose size swells and
 * fades (Clayton, Murray and Campbell 1993 measured dominant frequencies of 3 to 7 Hz in the surface ECG). Two detuned
 * oscillators with random-walk rates keep it from being periodic.
 */
export class VentricularFibrillation {
  private phaseA: number;
  private phaseB: number;
  private hzA = 4.8;
  private hzB = 5.6;
  private sizeA = 0.45;
  private sizeB = 0.3;
  private readonly stepS: number;

  constructor(
    rateHz: number,
    private readonly random: Random,
  ) {
    this.stepS = 1 / rateHz;
    this.phaseA = random.between(0, TWO_PI);
    this.phaseB = random.between(0, TWO_PI);
  }

  next(): number {
    const step = this.stepS;
    const root = Math.sqrt(step);
    // Ornstein-Uhlenbeck walks: pulled back within a second, spread 0.5 Hz and 0.1 mV.
    this.hzA = clamp(this.hzA + (4.8 - this.hzA) * step + 0.7 * root * this.random.normal(), 3, 7);
    this.hzB = clamp(this.hzB + (5.6 - this.hzB) * step + 0.7 * root * this.random.normal(), 3, 7);
    this.sizeA = clamp(this.sizeA + (0.45 - this.sizeA) * step + 0.15 * root * this.random.normal(), 0.15, 0.8);
    this.sizeB = clamp(this.sizeB + (0.3 - this.sizeB) * step + 0.15 * root * this.random.normal(), 0.1, 0.5);
    this.phaseA = (this.phaseA + TWO_PI * this.hzA * step) % TWO_PI;
    this.phaseB = (this.phaseB + TWO_PI * this.hzB * step) % TWO_PI;
    return this.sizeA * Math.sin(this.phaseA) + this.sizeB * Math.sin(this.phaseB);
  }
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
