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

/** More decimals than any sketch prints; beyond them a double would not be exact anyway. */
const MOST_DECIMALS = 6;
const POINT = 0x2e;

/**
 * Reads lines made of fixed labels with numbers behind them (`IR=102345, BPM=72.46`), straight from the bytes, so that a
 * waveform printed this way makes no string per sample.
 */
export class LabelledNumbers {
  /** The numbers of the last line, in the order of the labels. */
  readonly values: Float64Array;
  /** Where the last line's reading stopped. */
  end = 0;
  private readonly labels: readonly Uint8Array[];

  constructor(labels: readonly string[]) {
    this.labels = labels.map((label) => Buffer.from(label, 'latin1'));
    this.values = new Float64Array(labels.length);
  }

  /** Reads `bytes[from..to)` and returns how many labels stood there with a number each, from the first on. */
  read(bytes: Uint8Array, from: number, to: number): number {
    this.end = from;
    for (let i = 0; i < this.labels.length; i++) {
      const label = this.labels[i]!;
      const after = this.end + label.length;
      if (!startsWith(bytes, this.end, to, label)) return i;
      const value = this.number(bytes, after, to);
      if (Number.isNaN(value)) return i;
      this.values[i] = value;
    }
    return this.labels.length;
  }

  /** A decimal number at `from`; moves `end` behind it. NaN, and `end` stays, where there is none. */
  private number(bytes: Uint8Array, from: number, to: number): number {
    let at = from;
    const negative = bytes[at] === MINUS;
    if (negative) at++;
    let value = 0;
    let digits = 0;
    let scale = 0;
    for (; at < to; at++) {
      const byte = bytes[at]!;
      if (byte === POINT && scale === 0 && digits > 0) {
        scale = 1;
        continue;
      }
      const digit = byte - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      digits++;
      if (scale > 0) scale *= 10;
    }
    if (digits === 0 || digits > MOST_DIGITS + MOST_DECIMALS || scale > 10 ** MOST_DECIMALS) return Number.NaN;
    this.end = at;
    const magnitude = scale > 1 ? value / scale : value;
    return negative ? -magnitude : magnitude;
  }
}

/** Whether `text` stands at `from` in `bytes[..to)`. */
export function startsWith(bytes: Uint8Array, from: number, to: number, text: Uint8Array): boolean {
  if (to - from < text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[from + i] !== text[i]) return false;
  return true;
}
