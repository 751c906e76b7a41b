import { readFile } from 'node:fs/promises';
import { parse } from 'csv-parse/sync';
import { ConvertError } from '../error.js';
import type { InputShape, Piece } from './load.js';

const isNumber = (cell: string) => cell !== '' && !Number.isNaN(Number(cell));
const NOT_FINITE = /^[-+]?(nan|inf(inity)?)$/i;
/** Names of a column that tells when, not what. */
const CLOCK = /^(time|t|timestamp|sec(ond)?s?|ms|date|sample|index|)([ _([].*)?$/i;

/**
 * Items out of a CSV file: an item a row, or a signal with a sample a row, cut into windows of the input's length. Commas,
 * semicolons and tabs part the columns; with the latter two a comma may be the decimal point. A header and a column that
 * counts the time are left out.
 * @throws ConvertError for another number of columns, text, or rows of different lengths
 */
export async function csvPieces(file: string, input: InputShape, warnings: string[]): Promise<Piece[]> {
  const rows = rowsOf(await readFile(file, 'utf8'), file);
  if (rows.length === 0) return [];
  const header = isHeader(rows[0]!) ? 1 : 0;
  const width = rows[header]?.length ?? 0;
  const numbers = rows.slice(header).map((row, r) => {
    const line = r + header + 1;
    if (row.length !== width)
      throw new ConvertError(`${file}, row ${line}: has ${row.length} columns, the first has ${width}`);
    return row.map((cell, c) => {
      if (cell !== '' && !isNumber(cell) && !NOT_FINITE.test(cell)) {
        throw new ConvertError(`${file}, row ${line}, column ${c + 1}: "${cell.slice(0, 40)}" is not a number`);
      }
      return isNumber(cell) ? Number(cell) : Number.NaN;
    });
  });
  const size = input.shape.reduce((a, b) => a * b, 1);
  const channels = input.shape.length > 1 ? input.shape.at(-1)! : 1;
  const length = size / channels;
  const values = withoutClock(numbers, header === 1 ? rows[0]![0]! : null, size, channels, file, warnings);
  const columns = values[0]?.length ?? width;
  const row = (r: number) => `${file}, row ${r + header + 1}`;
  if (columns === size && !(columns === channels && length > 1)) {
    return values.map((item, r) => ({ values: Float32Array.from(item), from: row(r) }));
  }
  const takes = `input '${input.name}' takes ${input.shape.join(' x ') || '1 value'}`;
  if (columns === channels) {
    const count = Math.floor(values.length / length);
    if (count === 0 && values.length > 0) {
      throw new ConvertError(`${file}: ${values.length} rows are less than one window; ${takes}`);
    }
    return Array.from({ length: count }, (_, i) => ({
      values: Float32Array.from(values.slice(i * length, (i + 1) * length).flat()),
      from: `${row(i * length)} on`,
    }));
  }
  const signal = channels === size ? '' : ` or ${channels} (a signal, a sample a row)`;
  const hint = columns === size + 1 ? '; is one of them a label or a number of the row? Leave it out' : '';
  throw new ConvertError(
    `${file}: has ${columns} columns${columns < width ? ' beside the time' : ''}; ${takes}, so ${size} columns (an item a row)${signal} are needed${hint}`,
  );
}

function rowsOf(text: string, file: string): string[][] {
  const start = text
    .split(/\r\n|\r|\n/, 50)
    .filter((line) => line.trim() !== '' && !line.startsWith('#'))
    .slice(0, 2)
    .join('\n');
  const delimiter = start.includes('\t') ? '\t' : start.includes(';') ? ';' : ',';
  let rows: string[][];
  try {
    rows = parse(text, {
      ...{
        skip_empty_lines: true,
        relax_column_count: true,
        trim: true,
        comment: '#',
        comment_no_infix: true,
        bom: true,
      },
      delimiter,
    }) as string[][];
  } catch (error) {
    throw new ConvertError(`${file}: is not CSV (${(error as Error).message})`);
  }
  if (delimiter === ',') return rows;
  return rows.map((row) =>
    row.map((cell) => (/^[-+]?\d*,\d+(e[-+]?\d+)?$/i.test(cell) ? cell.replace(',', '.') : cell)),
  );
}

/** A first line without any number, or with the columns' own numbers (as pandas writes it). */
function isHeader(row: readonly string[]): boolean {
  if (!row.some(isNumber)) return true;
  const first = Number(row[0]);
  return row.length > 2 && (first === 0 || first === 1) && row.every((cell, i) => cell === String(first + i));
}

/** Without a first column that counts the time: the model would take it for a signal. */
function withoutClock(
  rows: readonly number[][],
  title: string | null,
  size: number,
  channels: number,
  file: string,
  warnings: string[],
): readonly number[][] {
  const columns = rows[0]?.length ?? 0;
  if (columns < 2 || rows.length < 3) return rows;
  const step = (rows.at(-1)![0]! - rows[0]![0]!) / (rows.length - 1);
  const rising = rows.every((row, i) => i === 0 || row[0]! > rows[i - 1]![0]!);
  const even = rows.every((row, i) => Math.abs(row[0]! - rows[0]![0]! - i * step) <= 0.01 * step);
  const named = title !== null && CLOCK.test(title);
  if (!rising || !(named || even)) return rows;
  const fits = (n: number) => n === size || n === channels;
  const isClock = named || (fits(columns) ? columns === channels && columns !== size : fits(columns - 1));
  if (!isClock) return rows;
  warnings.push(`${file}: column 1 counts up as time does and is left out`);
  return rows.map((row) => row.slice(1));
}
