import type { DropReason } from '../../domain/reading.js';

/** Characters that may stand between the digits. */
const BETWEEN = ' \t\r\n:-';

/**
 * Reads hex digits, with blanks, colons or dashes between, into `into`. Returns the number of bytes, or why the text was
 * refused: 'not-a-number' for anything else between them, 'framing' for half a byte or more than `into` holds. Character
 * by character, as a waveform may come this way and a string per byte would be many.
 */
export function readHex(text: string, into: Uint8Array): number | DropReason {
  let digits = 0;
  let high = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    const digit = digitOf(code);
    if (digit < 0) {
      if (!BETWEEN.includes(text[i]!)) return 'not-a-number';
      continue;
    }
    if (digits % 2 === 0) high = digit << 4;
    else if (digits >> 1 < into.length) into[digits >> 1] = high | digit;
    digits++;
  }
  return digits % 2 === 1 || digits / 2 > into.length ? 'framing' : digits / 2;
}

function digitOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

/** Upper-case hex digits of these bytes. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex').toUpperCase();
}
