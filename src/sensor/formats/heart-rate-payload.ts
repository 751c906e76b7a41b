import type { DropReason, ReadingSink } from '../../domain/reading.js';

/* Bluetooth Heart Rate Service 1.0, characteristic 2A37 "Heart Rate Measurement". */
const RATE_IS_16_BIT = 0x01;
const CONTACT_SUPPORTED = 0x04;
const CONTACT_ON = 0x02;
const ENERGY_PRESENT = 0x08;
const RR_PRESENT = 0x10;
const RR_TICKS_PER_MS = 1.024;
const HIGHEST_BPM = 400;
/** As many as fit beside an 8-bit rate into the 20 bytes of the smallest notification. */
export const MOST_RR_PER_PAYLOAD = 9;

/**
 * Reads one 2A37 payload, `bytes[0..length)`, into `sink` (contact, rate, RR oldest first; no `frame`). Returns why it was
 * refused, or null. With the contact off the rate is passed as NaN and no RR is passed: the numbers are not of a heart.
 */
export function readHeartRatePayload(bytes: Uint8Array, length: number, sink: ReadingSink): DropReason | null {
  if (length < 2) return 'framing';
  const flags = bytes[0]!;
  const wide = (flags & RATE_IS_16_BIT) !== 0;
  const rateEnd = wide ? 3 : 2;
  const rrStart = rateEnd + (flags & ENERGY_PRESENT ? 2 : 0);
  const hasRr = (flags & RR_PRESENT) !== 0;
  if (length < rrStart || (length - rrStart) % 2 !== 0 || (!hasRr && length > rrStart)) return 'framing';
  const hrBpm = bytes[1]! | (wide ? bytes[2]! << 8 : 0);
  if (hrBpm > HIGHEST_BPM) return 'out-of-range';
  const on = (flags & CONTACT_SUPPORTED) === 0 || (flags & CONTACT_ON) !== 0;
  if (flags & CONTACT_SUPPORTED) sink.contact(on);
  sink.heartRate(on ? hrBpm : Number.NaN);
  for (let at = rrStart; on && at < length; at += 2) {
    const ticks = bytes[at]! | (bytes[at + 1]! << 8);
    // 0 is what some straps put where they have no interval.
    if (ticks > 0) sink.rr(ticks / RR_TICKS_PER_MS);
  }
  return null;
}

/** Builds a 2A37 payload; `contact` null where the strap does not tell. NaN as rate becomes 0. */
export function writeHeartRatePayload(hrBpm: number, rrMs: readonly number[], contact: boolean | null): Uint8Array {
  const rate = Number.isNaN(hrBpm) ? 0 : Math.min(HIGHEST_BPM, Math.max(0, Math.round(hrBpm)));
  let flags = 0;
  if (rate > 255) flags |= RATE_IS_16_BIT;
  if (contact !== null) flags |= CONTACT_SUPPORTED | (contact ? CONTACT_ON : 0);
  if (rrMs.length > 0) flags |= RR_PRESENT;
  const bytes = [flags, rate & 0xff];
  if (rate > 255) bytes.push(rate >> 8);
  for (const rr of rrMs) {
    const ticks = Math.min(0xffff, Math.max(0, Math.round(rr * RR_TICKS_PER_MS)));
    bytes.push(ticks & 0xff, ticks >> 8);
  }
  return Uint8Array.from(bytes);
}
