import type { FormatOptions, WaveformInfo } from '../../domain/reading.js';
import { integerOption, rateOption } from './options.js';

/** The library samples at 500 Hz and prints every tenth sample. */
const PULSESENSOR_RATE_HZ = 50;
/** What the library prints as interval while it has no pulse, together with BPM 0. */
export const NO_PULSE_IBI_MS = 600;

/** Options that both PulseSensor modes share. */
export const PULSESENSOR_OPTIONS = {
  adcBits: 'resolution of the board: 10 (Uno and other AVR boards), 12 (ESP32 and others) (10)',
  rateHz: 'samples per second where the sketch was changed (50)',
} as const;

/** The pleth of a PulseSensor rests at half scale and swings at most to both ends. */
export function pulseSensorWaveform(options: FormatOptions): WaveformInfo {
  const max = 2 ** integerOption(options, 'adcBits', 10, 8, 24) - 1;
  const half = (max + 1) / 2;
  return {
    kind: 'ppg',
    rateHz: rateOption(options, PULSESENSOR_RATE_HZ),
    unit: 'count',
    nominal: { offset: half, perUnit: half },
    range: { min: 0, max },
  };
}
