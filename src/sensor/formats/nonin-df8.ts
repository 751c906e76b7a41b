import type { Format } from '../../domain/reading.js';
import { NONIN_SELECT_OPTIONS, noninCommands } from './nonin-commands.js';
import { NoninSlowDecoder, NoninSlowEncoder, noninSlowCarries } from './nonin-slow.js';

const DATA_FORMAT = 8;
const SELECT_FLAGS = 0x20;
const PACKET_BYTES = 4;

/** Nonin data format 8: four bytes a second with rate, SpO2 and alarms; no checksum. */
export const noninDf8: Format = {
  id: 'nonin-df8',
  title: 'Nonin oximeters, data format 8: rate and SpO2 once a second (9560, 3150)',
  serial: { baudRate: 9600, dataBits: 8, parity: 'none', stopBits: 1 },
  silenceMs: 15_000,
  options: NONIN_SELECT_OPTIONS,
  carries: (options) => {
    noninCommands(options, DATA_FORMAT, SELECT_FLAGS);
    return noninSlowCarries();
  },
  commands: (options) => noninCommands(options, DATA_FORMAT, SELECT_FLAGS),
  createDecoder: (sink) => new NoninSlowDecoder(sink, PACKET_BYTES),
  createEncoder: (write) => new NoninSlowEncoder(write, PACKET_BYTES),
};
