import type { DropReason, ReadingSink } from '../../domain/reading.js';
import { nmeaBody } from './nmea.js';

const HIGHEST_BPM = 400;
const LONGEST_RR_MS = 65_535;
const INTEGER = /^\d{1,10}$/;

/**
 * Reads slothd's own NMEA-like sentence into `sink` (no `frame`): `$HRM,bpm,rr*HH`, or with the device's time in ms and
 * the contact `$HRM,t,bpm,rr,contact*HH`; the talker may have letters ahead (`$PHRM`). An empty field has no value.
 * Returns why it was refused, or null.
 */
export function readHrmSentence(
  line: string,
  sink: ReadingSink,
  withContact: boolean,
  allowMissingChecksum = false,
): DropReason | null {
  const body = nmeaBody(line, allowMissingChecksum);
  if (body === null) return 'checksum';
  const fields = body.split(',');
  if (!/^[A-Z]{0,2}HRM$/.test(fields[0]!)) return 'unknown';
  if (fields.length !== 3 && fields.length !== 5) return 'framing';
  const values = fields.slice(1).map((text) => (text === '' ? Number.NaN : INTEGER.test(text) ? Number(text) : null));
  if (values.includes(null)) return 'not-a-number';
  const long = fields.length === 5;
  const [bpm, rrMs] = (long ? values.slice(1, 3) : values) as [number, number];
  const on = long ? values[3]! : Number.NaN;
  if (bpm > HIGHEST_BPM || rrMs > LONGEST_RR_MS || on > 1) return 'out-of-range';
  if (long && !Number.isNaN(values[0]!)) sink.deviceTime(values[0]!);
  if (withContact && !Number.isNaN(on)) sink.contact(on === 1);
  sink.heartRate(on === 0 ? Number.NaN : bpm);
  if (rrMs > 0 && on !== 0) sink.rr(rrMs);
  return null;
}
