import type { WaveformKind } from '../../domain/reading.js';

/** A little-endian number in a payload. */
export interface Field {
  readonly at: number;
  readonly bytes: 1 | 2 | 4;
}

/** One packet type of a board. */
export interface BoardFrame {
  readonly type: number;
  /** Payload lengths in use; the longest carries every field and is what the encoder writes. */
  readonly lengths: readonly number[];
  readonly samples?: Field & { readonly count: number };
  readonly heartRate?: Field;
  readonly spo2?: Field;
  /** R-R interval, ms. */
  readonly rr?: Field;
  /** Status byte whose bits 0 to 4 mean an electrode is off. */
  readonly leadsOff?: Field;
  /** Packet counter, and the two parts of the device's time. */
  readonly sequence?: Field;
  readonly seconds?: Field;
  readonly microseconds?: Field;
  /** Bytes with a fixed value, as the board sends them. */
  readonly constants?: readonly (Field & { readonly value: number })[];
}

export interface Board {
  readonly title: string;
  readonly baudRate: number;
  readonly kind: WaveformKind;
  /** Null where the maker only says "about" or "up to": it must be measured or configured. */
  readonly rateHz: number | null;
  /** Counts per millivolt (ECG) or per full swing (PPG), as far as the maker's registers and data sheets tell. */
  readonly perUnit: number;
  readonly min: number;
  readonly max: number;
  readonly frames: readonly BoardFrame[];
}

const INT16 = { min: -(2 ** 15), max: 2 ** 15 - 1 };
const INT18 = { min: -(2 ** 17), max: 2 ** 17 - 1 };
const INT22 = { min: -(2 ** 21), max: 2 ** 21 - 1 };
const INT24 = { min: -(2 ** 23), max: 2 ** 23 - 1 };
const INT32 = { min: -(2 ** 31), max: 2 ** 31 - 1 };

/** ADS1292R: 2.42 V reference, gain 12 on channel 2 (CH2SET = 60 hex in the sketch), lowest 8 of 24 bits left out. */
const ADS1292R_PER_MV = (12 * 2 ** 15) / 2420;
/** MAX30003: 18 bits, 1 V reference, gain 20 (data sheet). */
const MAX30003_PER_MV = (20 * 2 ** 17) / 1000;
/** The MAX30003 sketch puts the 16 high bits of the 18-bit code into the 16 high bits of a 32-bit number. */
const MAX30003_SKETCH_PER_MV = MAX30003_PER_MV * 2 ** 14;
/** ADS1293: 2 x 2.4 V / 3.5 span over the code range B964F0 hex (data sheet, "ECG channel output"). */
const ADS1293_PER_MV = 0xb964f0 / ((2 * 2400) / 3.5);
/** MAX86150: 12.247 uV per code of 18 bits over a gain of 8 x 9.5 (data sheet), two bits left out of 16: an assumption. */
const MAX86150_PER_MV = (8 * 9.5) / 0.012247 / 4;

function field(at: number, bytes: 1 | 2 | 4): Field {
  return { at, bytes };
}

function samples(at: number, bytes: 2 | 4, count = 1): Field & { readonly count: number } {
  return { at, bytes, count };
}

/**
 * Payloads of every ProtoCentral board, from the makers' sketches and OpenView. (type, length) does not tell boards apart
 * (MAX30003, MAX30001 and ADS1293 are all 2 and 12), so the board is configured and the length only cross-checked.
 */
export const PROTOCENTRAL_BOARDS = {
  ads1292r: {
    title: 'ADS1292R breakout',
    baudRate: 57_600,
    kind: 'ecg',
    rateHz: 125,
    perUnit: ADS1292R_PER_MV,
    ...INT16,
    frames: [{ type: 2, lengths: [9], samples: samples(0, 2), heartRate: field(6, 2) }],
  },
  'healthypi-v4': {
    title: 'HealthyPi v4',
    baudRate: 115_200,
    kind: 'ecg',
    rateHz: 125,
    perUnit: ADS1292R_PER_MV,
    ...INT16,
    frames: [
      {
        type: 2,
        lengths: [20],
        samples: samples(0, 2),
        spo2: field(15, 1),
        heartRate: field(16, 1),
        leadsOff: field(19, 1),
        constants: [
          { at: 17, bytes: 1, value: 80 },
          { at: 18, bytes: 1, value: 120 },
        ],
      },
    ],
  },
  'healthypi-5-old': {
    title: 'HealthyPi 5, firmware before 1.0',
    baudRate: 115_200,
    kind: 'ecg',
    rateHz: 125,
    perUnit: MAX30003_PER_MV,
    ...INT32,
    frames: [{ type: 2, lengths: [22], samples: samples(0, 4), spo2: field(19, 1), heartRate: field(20, 1) }],
  },
  'healthypi-5': {
    title: 'HealthyPi 5, firmware 1.0 and later',
    baudRate: 115_200,
    kind: 'ecg',
    rateHz: 125,
    perUnit: MAX30003_PER_MV,
    ...INT32,
    frames: [
      { type: 3, lengths: [50], samples: samples(0, 4, 8), heartRate: field(48, 1) },
      { type: 4, lengths: [19], spo2: field(18, 1) },
    ],
  },
  max30003: {
    title: 'MAX30003 breakout',
    baudRate: 115_200,
    kind: 'ecg',
    rateHz: 128,
    perUnit: MAX30003_SKETCH_PER_MV,
    ...INT32,
    frames: [{ type: 2, lengths: [12], samples: samples(0, 4), rr: field(4, 4), heartRate: field(8, 4) }],
  },
  max30001: {
    title: 'MAX30001 breakout',
    baudRate: 115_200,
    kind: 'ecg',
    rateHz: 128,
    perUnit: MAX30003_PER_MV,
    ...INT18,
    frames: [{ type: 2, lengths: [12], samples: samples(0, 4), heartRate: field(8, 2), rr: field(10, 2) }],
  },
  afe4490: {
    title: 'AFE4490 pulse oximeter (infrared pleth)',
    baudRate: 57_600,
    kind: 'ppg',
    rateHz: null,
    perUnit: INT22.max,
    ...INT22,
    frames: [{ type: 2, lengths: [10], samples: samples(4, 4), heartRate: field(8, 1), spo2: field(9, 1) }],
  },
  max86150: {
    title: 'MAX86150 breakout (its ECG)',
    baudRate: 115_200,
    kind: 'ecg',
    rateHz: null,
    perUnit: MAX86150_PER_MV,
    ...INT16,
    frames: [{ type: 2, lengths: [6], samples: samples(0, 2) }],
  },
  ads1293: {
    title: 'ADS1293 breakout (lead II)',
    baudRate: 115_200,
    kind: 'ecg',
    rateHz: 128,
    perUnit: ADS1293_PER_MV,
    ...INT24,
    frames: [{ type: 2, lengths: [12, 14], samples: samples(4, 4), heartRate: field(12, 2) }],
  },
  'pulse-express': {
    title: 'Pulse Express, MAX32664 (infrared pleth)',
    baudRate: 57_600,
    kind: 'ppg',
    rateHz: null,
    perUnit: INT16.max,
    ...INT16,
    frames: [{ type: 2, lengths: [4, 6, 8, 9], samples: samples(0, 2), heartRate: field(4, 2), spo2: field(6, 2) }],
  },
  'sensything-ox': {
    title: 'Sensything OX (infrared pleth)',
    baudRate: 115_200,
    kind: 'ppg',
    rateHz: null,
    perUnit: INT16.max,
    ...INT16,
    frames: [{ type: 2, lengths: [8], samples: samples(0, 2), spo2: field(4, 2), heartRate: field(6, 2) }],
  },
  heartypatch: {
    title: 'HeartyPatch',
    baudRate: 115_200,
    kind: 'ecg',
    rateHz: 128,
    perUnit: MAX30003_SKETCH_PER_MV,
    ...INT32,
    frames: [
      {
        type: 3,
        lengths: [48],
        sequence: field(0, 4),
        seconds: field(4, 4),
        microseconds: field(8, 4),
        rr: field(12, 4),
        samples: samples(16, 4, 8),
      },
    ],
  },
} as const satisfies Record<string, Board>;

export type BoardName = keyof typeof PROTOCENTRAL_BOARDS;
export const BOARD_NAMES = Object.keys(PROTOCENTRAL_BOARDS) as BoardName[];
