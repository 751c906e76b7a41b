import type { Carries, Format, FormatOptions } from '../../domain/reading.js';
import { NONIN_SELECT_OPTIONS, noninCommands } from './nonin-commands.js';
import { NoninDecoder, NoninEncoder, type NoninLayout } from './nonin-packets.js';

const DATA_FORMAT = 2;
/** As the devices are delivered: Bluetooth on at power-up, and bit 0. */
const SELECT_FLAGS = 0x21;
const LAYOUT: NoninLayout = { start: 0x01, status: 1, pleth: 2, plethBytes: 1, plethMax: 255, confirm: 2 };

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

/** Nonin data format 2 (OEM III, Xpod, 9560, 3150): 75 checked frames a second with pleth, pulse mark, rate and SpO2. */
export const noninDf2: Format = {
  id: 'nonin-df2',
  title: 'Nonin oximeters, data format 2 (OEM III, Xpod 3011/3012LP, 9560, 3150)',
  serial: { baudRate: 9600, dataBits: 8, parity: 'none', stopBits: 1 },
  silenceMs: 5000,
  options: NONIN_SELECT_OPTIONS,
  carries,
  commands: (options) => noninCommands(options, DATA_FORMAT, SELECT_FLAGS),
  createDecoder: (sink) => new NoninDecoder(sink, LAYOUT),
  createEncoder: (write) => new NoninEncoder(write, LAYOUT),
};
