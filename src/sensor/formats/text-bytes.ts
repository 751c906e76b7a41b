const SPACE = 0x20;
const TAB = 0x09;
const PLUS = 0x2b;
const MINUS = 0x2d;
const ZERO = 0x30;
/** No field of any sensor here has more digits; more would also leave the exact range of a 32-bit device counter. */
const MOST_DIGITS = 10;

/**
 * A decimal whole number in `bytes[from..to)`, blanks around it allowed, straight from the bytes so that a waveform sent
 * as text makes no string per sample. NaN for anything else: `12abc`, `1.5`, an empty field, more than ten digits.
 */
export function parseInteger(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  let end = to;
  while (at < end && isBlank(bytes[at]!)) at++;
  while (end > at && isBlank(bytes[end - 1]!)) end--;
  const sign = bytes[at];
  if (at < end && (sign === PLUS || sign === MINUS)) at++;
  if (at === end || end - at > MOST_DIGITS) return Number.NaN;
  let value = 0;
  for (; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return sign === MINUS ? -value : value;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

/** Where `byte` first stands in `bytes[from..to)`, or -1. Unlike `indexOf` it stops at the end of the line. */
export function findByte(bytes: Uint8Array, byte: number, from: number, to: number): number {
  for (let at = from; at < to; at++) if (bytes[at] === byte) return at;
  return -1;
}
