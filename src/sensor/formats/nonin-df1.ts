import type { Format } from '../../domain/reading.js';
import { NoninSlowDecoder, NoninSlowEncoder, noninSlowCarries } from './nonin-slow.js';

const PACKET_BYTES = 3;

/**
 * Nonin data format 1: three bytes a second, chosen by a resistor or the device's memory. The maker's bit table was not at
 * hand: the layout is format 8 without its last byte, as the notes of users say.
 */
export const noninDf1: Format = {
  id: 'nonin-df1',
  title: 'Nonin oximeters, data format 1: rate and SpO2 once a second in three bytes (OEM III)',
  serial: { baudRate: 9600, dataBits: 8, parity: 'none', stopBits: 1 },
  silenceMs: 15_000,
  options: {},
  carries: noninSlowCarries,
  createDecoder: (sink) => new NoninSlowDecoder(sink, PACKET_BYTES),
  createEncoder: (write) => new NoninSlowEncoder(write, PACKET_BYTES),
};
