import type { WaveformKind } from '../domain/reading.js';

/**
 * Samples per second the stations after the decoder work at. ECG: the detector's own limits (an R peak of 80 ms has four
 * samples at 50 Hz). Pulse: a wave of 10 Hz bandwidth, up to what any oximeter sends.
 */
const USABLE_HZ: Readonly<Record<WaveformKind, { readonly least: number; readonly most: number }>> = {
  ecg: { least: 50, most: 8000 },
  ppg: { least: 20, most: 1000 },
};

/** Why a waveform of this rate cannot be used, for a person; null where it can. */
export function rateProblem(kind: WaveformKind, rateHz: number): string | null {
  const { least, most } = USABLE_HZ[kind];
  if (rateHz >= least && rateHz <= most) return null;
  const what = kind === 'ecg' ? 'an ECG' : 'a pulse wave';
  return `${what} needs a rate of ${least} to ${most} Hz, not ${Math.round(rateHz * 10) / 10}`;
}
