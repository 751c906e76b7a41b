import type { DropReason } from '../../domain/reading.js';
import { fieldOf, parseNumber, type TextField, type TextValues } from './text-fields.js';

type WaveformName = 'none' | 'ecg' | 'ppg';

/* Bounded repeats everywhere: a hostile line may cost no more than its length. */
const GAP = /[\s,;/|]{0,64}/y;
const PAIR =
  /\+?([A-Za-z][A-Za-z0-9_. ]{0,31}?)[ \t]{0,8}[:=][ \t]{0,8}([+-]?[\d.]{1,17}(?:,\d{1,9}(?![\d:=]))?|nan|[+-]?inf|null)/iy;
const UNIT = /[ \t]{0,8}(bpm|msec|ms|sec|s|%|°c|c|mv|v|\/min)(?![A-Za-z0-9:=])/iy;
const LONE_PAIR = /^([A-Za-z][A-Za-z_]{0,31})[ \t]{1,8}([+-]?[\d.]{1,17})$/;
const LETTER_PAIR = /^([SBQ])(\d{1,7})$/;
const BEAT = /^[\s♥*!-]*((a\s+)?(heart\s?)?beat(\s+happened)?[\s♥*!-]*|♥[\s♥*!-]*)$/i;

/** `Beat!`, `♥  A HeartBeat Happened !`, `* Heartbeat *`: a beat and nothing else. */
export function isBeatLine(line: string): boolean {
  return line.length < 64 && BEAT.test(line);
}

/** `BPM: 72, SpO2=97%`, `Signal 613`, `B72`. Returns why the line was refused, or null. */
export function readPairs(
  line: string,
  values: TextValues,
  waveform: WaveformName,
  decimalComma: boolean,
): DropReason | null {
  const lone = LONE_PAIR.exec(line) ?? LETTER_PAIR.exec(line);
  if (lone) return put(values, lone[1]!, lone[2]!, waveform, decimalComma) ? null : 'unknown';
  let at = 0;
  let known = false;
  while (at < line.length) {
    GAP.lastIndex = at;
    at += GAP.exec(line)?.[0].length ?? 0;
    if (at >= line.length) break;
    PAIR.lastIndex = at;
    const pair = PAIR.exec(line);
    if (!pair) return known ? 'not-a-number' : 'unknown';
    const field = fieldOf(pair[1]!, waveform);
    const wrong = known || field !== null ? 'not-a-number' : 'unknown';
    let value = pair[2]!;
    at += pair[0].length;
    const comma = value.indexOf(',');
    if (comma >= 0 && !decimalComma) {
      at -= value.length - comma;
      value = value.slice(0, comma);
    }
    if (parseNumber(value, decimalComma) === null) return wrong;
    UNIT.lastIndex = at;
    const unit = UNIT.exec(line);
    if (unit) at += unit[0].length;
    if (!endsHere(line, at)) return wrong;
    if (put(values, pair[1]!, value, waveform, decimalComma)) {
      known = true;
      if (unit && field === 'rr') values.rrUnit = /^s/i.test(unit[1]!) ? 's' : 'ms';
    }
  }
  return known ? null : 'unknown';
}

/** Behind a value comes the end, a separator, or (in `BPM: 72SaO2: 97%`) the next name. */
function endsHere(line: string, at: number): boolean {
  if (at >= line.length || /[\s,;/|]/.test(line[at]!)) return true;
  PAIR.lastIndex = at;
  const next = PAIR.exec(line);
  return next !== null && fieldOf(next[1]!, 'none') !== null;
}

function put(values: TextValues, name: string, text: string, waveform: WaveformName, decimalComma: boolean): boolean {
  const field = fieldOf(name, waveform);
  const value = parseNumber(text, decimalComma);
  if (field === null || value === null) return false;
  values.set(field, value);
  return field !== 'ignore';
}

/** `{"bpm":72,"ibi":833}`. Returns why the line was refused, or null. */
export function readJson(line: string, values: TextValues, waveform: WaveformName): DropReason | null {
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch {
    return 'framing';
  }
  if (typeof record !== 'object' || record === null) return 'unknown';
  let known = false;
  for (const [name, value] of Object.entries(record)) {
    const field = fieldOf(name, waveform);
    if (field === null || field === 'ignore') continue;
    if (typeof value === 'number') values.set(field, value);
    else if (typeof value === 'boolean') values.set(field, Number(value));
    else if (value === null) values.set(field, Number.NaN);
    else return 'not-a-number';
    known = true;
  }
  return known ? null : 'unknown';
}

/** What stands in one column: a field, or a word that must stand there. */
export type Column = TextField | { readonly literal: string };

/** Reads `bpm,rr,-,=PSWS` (names of fields, `-` for a column to skip, `=word` for a fixed word). Throws an Error. */
export function parseColumns(text: string, waveform: WaveformName): readonly Column[] {
  if (text.trim() === '') return [];
  return text.split(',').map((part): Column => {
    const name = part.trim();
    if (name === '-' || name === 'ignore') return 'ignore';
    if (name.startsWith('=')) return { literal: name.slice(1) };
    const field = fieldOf(name, waveform);
    if (field === null || field === 'ignore') {
      throw new Error(`option columns: ${JSON.stringify(name)} is not a field, "-" or "=word"`);
    }
    return field;
  });
}

/** One row of numbers in the configured columns. Returns why the line was refused, or null. */
export function readRow(
  cells: readonly string[],
  columns: readonly Column[],
  values: TextValues,
  decimalComma: boolean,
): DropReason | null {
  if (cells.length !== columns.length) return 'framing';
  for (let i = 0; i < columns.length; i++) {
    const column = columns[i]!;
    const cell = cells[i]!.trim();
    if (typeof column === 'object') {
      if (cell !== column.literal) return 'unknown';
    } else if (column !== 'ignore') {
      const value = parseNumber(cell, decimalComma);
      if (value === null) return 'not-a-number';
      values.set(column, value);
    }
  }
  return null;
}

/** Cuts a row at commas (unless they are decimal), semicolons, bars and tabs, or else at blanks. */
export function splitRow(line: string, decimalComma: boolean): string[] {
  const separators = decimalComma ? /[;|\t]/ : /[,;|\t]/;
  return separators.test(line) ? line.split(separators) : line.trim().split(/ +/);
}
