import type { DropReason } from '../../domain/reading.js';

const PLAIN = /^[0-9A-Fa-f]*$/;

/**
 * Reads hex digits, with blanks, colons or dashes between, into `into`. Returns the number of bytes, or why the text was
 * refused: 'not-a-number' for anything else between them, 'framing' for half a byte or more than `into` holds.
 */
export function readHex(text: string, into: Uint8Array): number | DropReason {
  const digits = text.replaceAll(/[\s:-]/g, '');
  if (!PLAIN.test(digits)) return 'not-a-number';
  const length = digits.length / 2;
  if (!Number.isInteger(length) || length > into.length) return 'framing';
  for (let i = 0; i < length; i++) into[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  return length;
}

/** Upper-case hex digits of these bytes. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex').toUpperCase();
}
