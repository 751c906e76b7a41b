import type { Format, FormatOptions } from '../../domain/reading.js';
import { FiveByteDecoder, type FiveByteDialect, FiveByteEncoder } from './five-byte-oximeter.js';
import { choiceOption } from './options.js';

/** "BCI Protocol V1.2". Byte 0: bit 4 no signal, bit 5 probe unplugged. Byte 2: bit 4 no finger. */
const DIALECT: FiveByteDialect = {
  offBits0: 0x20,
  offBits2: 0x10,
  writeOff0: 0,
  writeOff2: 0x10,
  plethMax: 100,
  zeroIsInvalid: true,
};

const BOARDS = {
  /** OEM boards: 300 bytes a second fill most of 4800 baud. */
  oem: { rateHz: 60, baudRate: 4800 },
  /** Berry's paper states no baud rate, and Bluetooth ignores it; 500 bytes a second need 9600 at the least. */
  berry: { rateHz: 100, baudRate: 115_200 },
} as const;
const BOARD_NAMES = ['oem', 'berry'] as const;

function board(options: FormatOptions) {
  return BOARDS[choiceOption(options, 'board', 'oem', BOARD_NAMES)];
}

/** Oximeters with the "BCI" packets: OEM boards at 60, Berry's Bluetooth and USB models at 100 packets a second. */
export const bci: Format = {
  id: 'bci',
  title: 'BCI-type oximeters: OEM boards (4800 baud) and Berry Bluetooth/USB models',
  serial: { baudRate: BOARDS.oem.baudRate, dataBits: 8, parity: 'none', stopBits: 1 },
  serialFor: (options) => ({ baudRate: board(options).baudRate, dataBits: 8, parity: 'none', stopBits: 1 }),
  silenceMs: 5000,
  options: {
    board: 'oem (60 packets/s at 4800 baud; some boards have even parity), berry (100 packets/s) (oem)',
  },
  carries: (options) => ({
    waveform: {
      kind: 'ppg',
      rateHz: board(options).rateHz,
      unit: 'count',
      nominal: { offset: 50, perUnit: 50 },
      range: { min: 1, max: DIALECT.plethMax },
    },
    beatFlags: true,
    rr: false,
    heartRate: true,
    spo2: true,
    contact: true,
    battery: false,
  }),
  createDecoder: (sink) => new FiveByteDecoder(sink, DIALECT),
  createEncoder: (write) => new FiveByteEncoder(write, DIALECT),
};
