import type { StreamMs } from './clock.js';

/** AAMI EC57 beat classes: normal, supraventricular ectopic, ventricular ectopic, fusion, unclassifiable. */
export type BeatClass = 'N' | 'S' | 'V' | 'F' | 'Q';

export type BeatSource = 'ecg' | 'ppg' | 'rr';

/** What the waveform shows at a beat, for rules that must tell a heart from noise; no model and no detector had a say in it. */
export interface BeatShape {
  /** Correlation of the waveform around this beat with that around each of the beats before it, the last one first. */
  readonly alike: readonly number[];
  /** How far the last four seconds are from a sine wave: VF filter leakage (Kuo and Dillman 1978), 0 for one, 1 for none. */
  readonly leak: number;
}

/** How many earlier beats a `BeatShape` compares a beat with. */
export const SHAPES_COMPARED = 4;

/** One heart beat. */
export interface Beat {
  /** Stream time of the R peak (or of the pulse's foot, or of the beat the device reported). */
  readonly tMs: StreamMs;
  /** R peak as a count of samples from the stream's start, at the stream's rate; -1 where there is no waveform. */
  readonly sample: number;
  /** RR interval that ends at this beat; null for a first beat and after a gap. */
  readonly rrMs: number | null;
  /** Stream time up to which the detector had read when it decided. `decidedAtMs - tMs` is the detector's delay. */
  readonly decidedAtMs: StreamMs;
  /** 0 to 1: how far the signal around the beat can be trusted. */
  readonly quality: number;
  readonly source: BeatSource;
  /** Where an ECG of ours shows it. */
  readonly shape?: BeatShape | undefined;
}

/** What the beat model says of a beat: probabilities that sum to 1 and the class they make, offsets included. */
export interface BeatScores {
  readonly class: BeatClass;
  readonly scores: Readonly<Record<'N' | 'S' | 'V', number>>;
}
