import type { HeartBeat } from './beat.js';

/** From the R peak to the foot of the pulse at the finger (pre-ejection period and travel), ms. */
export const PULSE_DELAY_MS = 200;
/** From the foot to the systolic peak, ms. */
const RISE_MS = 130;
/** How far the foot lies below the middle. */
const FOOT = 0.35;
const SLOTS = 6;
const FIELDS = 4;

/** When a device at the finger notices a beat: at the systolic peak. */
export const PULSE_PEAK_MS = PULSE_DELAY_MS + RISE_MS;

/**
 * Finger photoplethysmogram: two Gaussians per beat, the systolic wave and the reflected one behind the dicrotic notch
 * (Martin-Martinez 2013 and Tang 2020 fit measured pulses so). A resting pulse is about 1 from foot to peak, with 0 a
 * little above the foot, where an AC-coupled device has its middle.
 * Breathing modulates size and baseline; an early beat drives a weak pulse or none.
 */
export class PpgWaveform {
  private readonly pulses = new Float64Array(SLOTS * FIELDS);
  private slot = 0;

  add(beat: HeartBeat): void {
    const i = this.slot * FIELDS;
    this.slot = (this.slot + 1) % SLOTS;
    const rootRr = Math.sqrt(Math.min(1.2, Math.max(0.3, beat.pacedRrMs / 1000)));
    this.pulses[i] = beat.tMs + PULSE_PEAK_MS;
    this.pulses[i + 1] = beat.pulse;
    this.pulses[i + 2] = rootRr;
    this.pulses[i + 3] = 1;
  }

  /** Pleth at `tMs`; `breath` in -1..1. */
  at(tMs: number, breath: number): number {
    let sum = 0;
    const pulses = this.pulses;
    for (let i = 0; i < pulses.length; i += FIELDS) {
      if (pulses[i + 3] === 0) continue;
      const distance = tMs - pulses[i]!;
      const rootRr = pulses[i + 2]!;
      if (distance < -250 || distance > 1000 * rootRr) continue;
      const x = distance / (distance < 0 ? 48 : 105 * rootRr);
      const y = (distance - 260 * rootRr) / (95 * rootRr);
      sum += pulses[i + 1]! * (Math.exp(-0.5 * x * x) + 0.38 * Math.exp(-0.5 * y * y));
    }
    return (sum - FOOT) * (1 + 0.06 * breath) + 0.04 * breath;
  }
}
