import type { Format } from '../../domain/reading.js';
import { FiveByteDecoder, type FiveByteDialect, FiveByteEncoder } from './five-byte-oximeter.js';

/** Byte 0: bit 4 finger out. Byte 2: bit 4 probe error. */
const DIALECT: FiveByteDialect = {
  offBits0: 0x10,
  offBits2: 0x10,
  writeOff0: 0x10,
  writeOff2: 0x10,
  plethMax: 127,
  zeroIsInvalid: false,
};

/** Contec CMS50D+ before firmware 4.6 and old CMS50E: 60 five-byte packets a second, unasked, with odd parity. */
export const contecOld: Format = {
  id: 'contec-old',
  title: 'Contec CMS50D+ before firmware 4.6, old CMS50E (19200 baud, odd parity)',
  serial: { baudRate: 19_200, dataBits: 8, parity: 'odd', stopBits: 1 },
  silenceMs: 5000,
  options: {},
  carries: () => ({
    waveform: {
      kind: 'ppg',
      rateHz: 60,
      unit: 'count',
      nominal: { offset: 64, perUnit: 64 },
      range: { min: 0, max: DIALECT.plethMax },
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
