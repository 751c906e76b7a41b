import type { BeatClass } from '../../domain/beat.js';

/**
 * Annotation codes of the MIT format and the symbols people read (WFDB Applications Guide, `ecgcodes.h`). Codes without
 * a symbol of their own (15, 17 and the user's 42 to 49) are written `[code]`, as the WFDB tools print them.
 */
const SYMBOL_BY_CODE: Readonly<Record<number, string>> = {
  1: 'N',
  2: 'L',
  3: 'R',
  4: 'a',
  5: 'V',
  6: 'F',
  7: 'J',
  8: 'A',
  9: 'S',
  10: 'E',
  11: 'j',
  12: '/',
  13: 'Q',
  14: '~',
  16: '|',
  18: 's',
  19: 'T',
  20: '*',
  21: 'D',
  22: '"',
  23: '=',
  24: 'p',
  25: 'B',
  26: '^',
  27: 't',
  28: '+',
  29: 'u',
  30: '?',
  31: '!',
  32: '[',
  33: ']',
  34: 'e',
  35: 'n',
  36: '@',
  37: 'x',
  38: 'f',
  39: '(',
  40: ')',
  41: 'r',
};

/** The largest code an annotation may carry (`ACMAX`); 59 to 63 are the format's own words, the rest is unassigned. */
export const MAX_CODE = 49;

const CODE_BY_SYMBOL = new Map(Object.entries(SYMBOL_BY_CODE).map(([code, symbol]) => [symbol, Number(code)]));

/** The symbol of an annotation code (1 to 49). */
export function symbolOf(code: number): string {
  return SYMBOL_BY_CODE[code] ?? `[${code}]`;
}

/** The code of a symbol; null where there is none. */
export function codeOf(symbol: string): number | null {
  const known = CODE_BY_SYMBOL.get(symbol);
  if (known !== undefined) return known;
  const numbered = /^\[(\d{1,2})\]$/.exec(symbol);
  const code = numbered ? Number(numbered[1]) : 0;
  return code >= 1 && code <= MAX_CODE ? code : null;
}

/**
 * AAMI EC57 classes of the beat symbols, as de Chazal et al. (IEEE TBME 51:1196, 2004, table 1) read the standard: escape
 * beats count as N, because they come late, not early. `n` (supraventricular escape), which MITDB lacks, follows them.
 */
const AAMI: Readonly<Record<string, BeatClass>> = {
  N: 'N',
  L: 'N',
  R: 'N',
  B: 'N',
  e: 'N',
  j: 'N',
  n: 'N',
  A: 'S',
  a: 'S',
  J: 'S',
  S: 'S',
  V: 'V',
  E: 'V',
  r: 'V',
  F: 'F',
  '/': 'Q',
  f: 'Q',
  Q: 'Q',
  '?': 'Q',
};

/** Whether an annotation marks a QRS complex. Ventricular flutter waves (`!`) are not counted as beats (EC57). */
export function isBeatSymbol(symbol: string): boolean {
  return Object.hasOwn(AAMI, symbol);
}

/** The AAMI EC57 class of a beat symbol; null where the annotation is not a beat. */
export function aamiClass(symbol: string): BeatClass | null {
  return Object.hasOwn(AAMI, symbol) ? AAMI[symbol]! : null;
}
