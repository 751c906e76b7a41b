import type { FormatOptions } from '../../../src/domain/reading.js';
import { BOARD_NAMES } from '../../../src/sensor/formats/protocentral-boards.js';

/** What the common tests cannot know from the format itself. A format that is not listed is tested with its defaults. */
export interface Traits {
  /** Option sets to test, each on its own. */
  readonly variants: readonly FormatOptions[];
  /** Option sets with a checksum on every frame: no flipped bit may pass as a reading. */
  readonly checked?: readonly FormatOptions[];
  /** Frames of bytes, not text: decoding a waveform may allocate nothing per sample. */
  readonly binary?: boolean;
}

const TRAITS: Readonly<Record<string, Traits>> = {
  ad8232: { variants: [{}, { adcBits: 12, rateHz: 250 }] },
  'pulsesensor-plotter': { variants: [{}, { adcBits: 12, rrOnChange: true }] },
  'pulsesensor-processing': { variants: [{}, { sensors: 2 }, { sensors: 2, sensor: 1, adcBits: 12 }] },
  protocentral: {
    variants: [
      ...BOARD_NAMES.map((board) => ({ board })),
      { board: 'max30003', rrOnChange: true },
      { board: 'max30001', rrOnChange: true },
    ],
    binary: true,
  },
  'nonin-df2': { variants: [{}], checked: [{}], binary: true },
  'ble-hrm-hex': {
    variants: [{}, { style: 'hex' }, { style: 'json' }, { style: 'hrm' }, { style: 'nmea' }],
    checked: [{ style: 'nmea' }],
  },
  'generic-text': {
    variants: [
      {},
      { style: 'json' },
      { unit: 's', decimalComma: true },
      { waveform: 'ecg', adcBits: 12, style: 'json' },
      { columns: 'signal' },
      { columns: 'bpm,rr,signal', waveform: 'ppg', adcBits: 12 },
      { columns: '=A,sequence,time,ecg,bpm,rr,beat,spo2,contact,battery,-' },
      { columns: 'bpm,rr,spo2', decimalComma: true, unit: 's' },
      { columns: 'bpm,rr,contact', style: 'nmea' },
    ],
    checked: [{ columns: 'bpm,rr,contact', style: 'nmea' }],
  },
};

/** The traits of a format, the defaults where it has none. */
export function traitsOf(id: string): Traits {
  return TRAITS[id] ?? { variants: [{}] };
}
