import type { Carries, Format, FormatOptions } from '../../domain/reading.js';
import { NONIN_SELECT_OPTIONS, noninCommands } from './nonin-commands.js';
import { NoninDecoder, NoninEncoder, type NoninLayout } from './nonin-packets.js';

const DATA_FORMAT = 7;
/** As the devices are delivered: Bluetooth on at power-up, and bit 0. */
const SELECT_FLAGS = 0x21;
/** Without a start byte any byte may look like a status: three frames must be right. */
const LAYOUT: NoninLayout = { start: null, status: 0, pleth: 1, plethBytes: 2, plethMax: 65_535, confirm: 3 };

function carries(options: FormatOptions): Carries {
  noninCommands(options, DATA_FORMAT, SELECT_FLAGS);
  const half = (LAYOUT.plethMax + 1) / 2;
  return {
    waveform: {
      kind: 'ppg',
      rateHz: 75,
      unit: 'count',
      nominal: { offset: half, perUnit: half },
      range: { min: 0, max: LAYOUT.plethMax },
    },
    beatFlags: true,
    rr: false,
    heartRate: true,
    spo2: true,
    contact: true,
    battery: false,
  };
}

/** Nonin data format 7: format 2 with a pleth of 16 bits in place of the start byte. */
export const noninDf7: Format = {
  id: 'nonin-df7',
  title: 'Nonin oximeters, data format 7: as format 2 with a pleth of 16 bits (9560, 3150, OEM III)',
  serial: { baudRate: 9600, dataBits: 8, parity: 'none', stopBits: 1 },
  silenceMs: 5000,
  options: NONIN_SELECT_OPTIONS,
  carries,
  commands: (options) => noninCommands(options, DATA_FORMAT, SELECT_FLAGS),
  createDecoder: (sink) => new NoninDecoder(sink, LAYOUT),
  createEncoder: (write) => new NoninEncoder(write, LAYOUT),
};
