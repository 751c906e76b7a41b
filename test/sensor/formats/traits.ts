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
  /** Where a frame holds many samples: their number, so that a test ends with a whole frame. */
  readonly samplesPerPacket?: number;
}

/** Of the document; not a real network key. */
export const DUMMY_ANT_KEY = '0908070605040302';

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
  'nonin-df2': { variants: [{}, { select: 'simple' }], checked: [{}], binary: true },
  'nonin-df7': { variants: [{}], checked: [{}], binary: true },
  'nonin-df13': { variants: [{}], checked: [{}] },
  'contec-old': { variants: [{}], binary: true },
  'contec-new': { variants: [{}], binary: true },
  'zephyr-hxm': { variants: [{}], checked: [{}] },
  'zephyr-bioharness': { variants: [{}], checked: [{}], binary: true, samplesPerPacket: 63 },
  'ant-hrm': {
    variants: [{ networkKey: DUMMY_ANT_KEY }, { mode: 'listen', channel: 1 }],
    checked: [{ mode: 'listen' }],
  },
  'openbci-cyton': {
    variants: [{}, { channel: 8, link: 'direct' }, { daisy: true, channel: 1 }, { daisy: true, channel: 16 }],
    binary: true,
  },
  bitalino: {
    variants: [
      {},
      ...['A1,A2', 'A1,A2,A3', 'A1,A2,A3,A4', 'A1,A2,A3,A4,A5', 'A1,A2,A3,A4,A5,A6'].map((inputs) => ({
        inputs,
        signal: inputs.slice(-2),
      })),
    ],
    checked: [{}],
    binary: true,
  },
  shimmer3: {
    variants: [{}, { channels: '00,01,02,12', signal: '12', rateHz: 128 }, { channels: '1D,23,24', signal: '24' }],
    binary: true,
  },
  bci: { variants: [{}, { board: 'berry' }], binary: true },
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
  'pulsesensor-psws': { variants: [{}, { version: 2, adcBits: 10 }] },
  max3010x: {
    variants: [
      {},
      { sketch: 'spo2' },
      { sketch: 'plotter' },
      { sketch: 'basic' },
      { sketch: 'rate', rateHz: 25 },
      { sketch: 'presence' },
    ],
  },
  max32664: { variants: [{}, { sketch: 'extended' }, { sketch: 'fast' }] },
  'polar-ecg-hex': {
    variants: [{}, { style: 'hex' }, { style: 'json' }, { style: 'pmd' }],
    samplesPerPacket: 73,
  },
};

/** The traits of a format, the defaults where it has none. */
export function traitsOf(id: string): Traits {
  return TRAITS[id] ?? { variants: [{}] };
}
