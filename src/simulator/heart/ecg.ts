import type { HeartBeat } from './beat.js';

/**
 * One lead (II) of surface ECG, mV, as a sum of Gaussian waves per beat: the closed form of the model of McSharry,
 * Clifford, Tarassenko and Smith (ECGSYN, IEEE Trans Biomed Eng 2003, PQRST events as Gaussians on the cycle), written
 * in time instead of phase so that the QRS keeps its width at every rate, as it does in a person, while the PR interval
 * and the T wave follow the rate (T with the square root of RR, as ECGSYN scales its angles and as Bazett's QT does).
 * The T wave has a slower rise than fall (Clifford and Sameni's asymmetric extension).
 *
 * A ventricular beat has no P wave, a QRS of about 150 ms with a notch, and a T wave opposite to its QRS.
 */

/** Waves per beat: P, Q, R, S, T. Each has centre, left width, right width, amplitude. */
const WAVES = 5;
const FIELDS = 4;
/** Beats whose waves can overlap one instant: at 250 bpm (240 ms) a span of 0.2 s before to 0.7 s after holds 4. */
const SLOTS = 6;
/** Farther than this from a wave's centre, in widths, its value is below a thousandth of its peak. */
const REACH = 3.8;

/** How long before its R peak a beat must be known, ms: the P wave's start. */
export const ECG_LEAD_MS = 320;

export class EcgWaveform {
  private readonly waves = new Float64Array(SLOTS * WAVES * FIELDS);
  private slot = 0;

  /** Adds a beat; it replaces the oldest. Its P wave must not have begun yet (see ECG_LEAD_MS). */
  add(beat: HeartBeat): void {
    const base = this.slot * WAVES * FIELDS;
    this.slot = (this.slot + 1) % SLOTS;
    const rootRr = Math.sqrt(Math.min(1.4, Math.max(0.24, beat.pacedRrMs / 1000)));
    if (beat.class === 'V') this.ventricular(base, beat, rootRr);
    else this.supraventricular(base, beat, rootRr);
  }

  /** Lead II at `tMs`, mV. */
  at(tMs: number): number {
    let sum = 0;
    const waves = this.waves;
    for (let i = 0; i < waves.length; i += FIELDS) {
      const amplitude = waves[i + 3]!;
      if (amplitude === 0) continue;
      const distance = tMs - waves[i]!;
      const width = distance < 0 ? waves[i + 1]! : waves[i + 2]!;
      const x = distance / width;
      if (x > REACH || x < -REACH) continue;
      sum += amplitude * Math.exp(-0.5 * x * x);
    }
    return sum;
  }

  private supraventricular(base: number, beat: HeartBeat, rootRr: number): void {
    const { tMs, gain } = beat;
    const pr = Math.min(1.05, 0.55 + 0.5 * rootRr);
    let p = 0;
    let pOffset = -160 * pr;
    if (beat.origin === 'sinus') p = 0.13;
    else if (beat.origin === 'atrial') {
      // From another place in the atrium: nearer to the node, so inverted and with a shorter PR.
      p = -0.1;
      pOffset = -120 * pr;
    }
    this.put(base, 0, tMs + pOffset, 20 * pr, 20 * pr, p);
    this.put(base, 1, tMs - 27, 8, 8, -0.11 * gain);
    this.put(base, 2, tMs, 11, 11, 1.15 * gain);
    this.put(base, 3, tMs + 27, 9, 9, -0.22 * gain);
    this.put(base, 4, tMs + 290 * rootRr, 58 * rootRr, 36 * rootRr, 0.3);
  }

  private ventricular(base: number, beat: HeartBeat, rootRr: number): void {
    const { tMs, gain } = beat;
    this.put(base, 0, 0, 1, 1, 0);
    this.put(base, 1, tMs - 52, 18, 18, 0.35 * gain);
    this.put(base, 2, tMs, 27, 30, 1.55 * gain);
    this.put(base, 3, tMs + 80, 30, 32, -0.45 * gain);
    this.put(base, 4, tMs + 300 * rootRr, 60 * rootRr, 48 * rootRr, -0.5 * gain);
  }

  private put(
    base: number,
    wave: number,
    centreMs: number,
    leftMs: number,
    rightMs: number,
    amplitudeMv: number,
  ): void {
    const i = base + wave * FIELDS;
    this.waves[i] = centreMs;
    this.waves[i + 1] = leftMs;
    this.waves[i + 2] = rightMs;
    this.waves[i + 3] = amplitudeMv;
  }
}
