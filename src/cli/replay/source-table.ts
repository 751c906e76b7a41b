import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { parse } from 'csv-parse/sync';
import { NOTHING, ReplayError, type ReplaySource, STEP_MS } from './source.js';
import { waveformSource } from './source-wfdb.js';

const RR_NAMES = /^(rr|rri|ibi|nn|rr_interval|ipi)(_?(ms|s))?$/i;
const ECG_NAMES = /ecg|ekg|mlii|lead/i;
const PPG_NAMES = /ppg|pleth|pulse|red|^ir$/i;
const TIME_NAMES = /^(t|time|timestamp|seconds|elapsed time)$/i;
/** An RR interval below this is in seconds, whatever the header says or leaves out. */
const RR_SECONDS_BELOW = 10;

export interface TableOptions {
  readonly signal: string | undefined;
  readonly rateHz: number | undefined;
  readonly beats: readonly number[] | null;
}

/** A CSV or JSONL file of samples or of RR intervals. @throws ReplayError */
export async function openTable(file: string, options: TableOptions): Promise<ReplaySource> {
  const text = await readFile(file, 'utf8');
  const rows = /\.jsonl?$|\.ndjson$/i.test(file) ? parseJsonLines(text, file) : parseCsv(text, file);
  const first = rows[0];
  if (!first) throw new ReplayError(`${file} holds no rows`);
  const columns = Object.keys(first);
  const column = chooseColumn(columns, options.signal, file);
  if (RR_NAMES.test(column))
    return rrSource(
      file,
      rows,
      column,
      columns.find((name) => TIME_NAMES.test(name)),
    );
  const timeColumn = columns.find((name) => TIME_NAMES.test(name));
  const rateHz = options.rateHz ?? rateFromTimes(rows, timeColumn);
  if (!rateHz) throw new ReplayError(`${file} does not tell its sample rate: give --rate HZ`);
  const samples = Float32Array.from(rows, (row) => toNumber(row[column]));
  if (!samples.some(Number.isFinite)) throw new ReplayError(`${file}: no number in column '${column}'`);
  const kind = PPG_NAMES.test(column) ? 'ppg' : 'ecg';
  const carries = {
    ...NOTHING,
    waveform: {
      kind,
      rateHz: null,
      unit: 'count',
      nominal: { offset: 0, perUnit: 1 },
      range: { min: -Infinity, max: Infinity },
    },
  } as const;
  return waveformSource(basename(file), rateHz, column, samples, carries, options.beats);
}

type Row = Readonly<Record<string, unknown>>;

function parseCsv(text: string, file: string): Row[] {
  let lines: string[][];
  try {
    const quote = text.startsWith("'") ? "'" : '"';
    lines = parse(text, {
      skip_empty_lines: true,
      trim: true,
      quote,
      relax_column_count: true,
      bom: true,
    }) as string[][];
  } catch (error) {
    throw new ReplayError(`${file} is not CSV: ${(error as Error).message}`);
  }
  const head = lines[0] ?? [];
  const hasHeader = head.some((cell) => cell !== '' && Number.isNaN(Number(cell)));
  const names = hasHeader ? head : head.map((_, index) => (head.length === 1 ? 'value' : `column${index}`));
  return lines.slice(hasHeader ? 1 : 0).map((cells) => Object.fromEntries(names.map((name, i) => [name, cells[i]])));
}

function parseJsonLines(text: string, file: string): Row[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line, index) => {
      try {
        const value: unknown = JSON.parse(line);
        return typeof value === 'object' && value !== null ? (value as Row) : { value };
      } catch {
        throw new ReplayError(`${file}:${index + 1} is not JSON`);
      }
    });
}

function chooseColumn(columns: readonly string[], wanted: string | undefined, file: string): string {
  if (wanted !== undefined) {
    const found =
      columns.find((name) => name === wanted) ?? (/^\d+$/.test(wanted) ? columns[Number(wanted)] : undefined);
    if (!found) throw new ReplayError(`${file} has no column '${wanted}'; it has: ${columns.join(', ')}`);
    return found;
  }
  for (const pattern of [RR_NAMES, ECG_NAMES, PPG_NAMES, /^(value|signal|sample|raw)$/i]) {
    const found = columns.find((name) => pattern.test(name));
    if (found) return found;
  }
  throw new ReplayError(`${file}: name the column to play with --signal; it has: ${columns.join(', ')}`);
}

/** Numbers, `m:ss.mmm` or `hh:mm:ss` in seconds. */
function toNumber(cell: unknown): number {
  if (typeof cell === 'number') return cell;
  if (typeof cell !== 'string' || cell === '') return Number.NaN;
  const parts = cell.split(':').map(Number);
  return parts.reduce((sum, part) => sum * 60 + part, 0);
}

/** The rate behind a column of times, rounded to what it can tell; null where it cannot. */
function rateFromTimes(rows: readonly Row[], column: string | undefined): number | null {
  if (!column || rows.length < 3) return null;
  const spanS = toNumber(rows[rows.length - 1]![column]) - toNumber(rows[0]![column]);
  if (!(spanS > 0)) return null;
  const rate = (rows.length - 1) / spanS;
  return Math.abs(rate - Math.round(rate)) < 0.1 ? Math.round(rate) : rate;
}

/** A column of times that runs this far ahead of the sum of the intervals tells of beats that are not in the file. */
const HOLE_MS = 5000;
const DAY_MS = 86_400_000;

/** Intervals follow each other, but where the file's clock says that some are missing. */
function rrSource(file: string, rows: readonly Row[], column: string, timeColumn: string | undefined): ReplaySource {
  const values = rows.map((row) => toNumber(row[column]));
  const positive = values.filter((value) => value > 0);
  if (positive.length === 0) throw new ReplayError(`${file}: no RR interval in column '${column}'`);
  const scale = positive[positive.length >> 1]! < RR_SECONDS_BELOW ? 1000 : 1;
  const clockMs = timeColumn ? clockOf(rows, timeColumn) : null;
  return {
    record: basename(file),
    rateHz: 1000,
    signal: null,
    carries: { ...NOTHING, rr: true },
    givesBeats: false,
    *steps() {
      let now = 0;
      let stepEnd = STEP_MS;
      for (const [at, value] of values.entries()) {
        const rrMs = value * scale;
        if (!(rrMs > 0)) continue;
        const before = now;
        now += rrMs;
        let hole = false;
        if (clockMs) {
          const clock = clockMs[at]!;
          hole = clock - now > HOLE_MS;
          // False long intervals would else let the sum run away from the clock.
          now = hole ? clock : Math.max(before, Math.min(now, clock + HOLE_MS));
        }
        for (; stepEnd < now; stepEnd += STEP_MS) yield { tMs: stepEnd, feed() {} };
        const tMs = now;
        yield {
          tMs,
          feed(pipeline) {
            if (hole) pipeline.interrupted(tMs);
            pipeline.rr(rrMs);
          },
        };
      }
    },
  };
}

/** A column of times as ms from its first, over midnight; null where it is none. */
function clockOf(rows: readonly Row[], column: string): Float64Array | null {
  const out = new Float64Array(rows.length);
  let days = 0;
  for (let at = 0; at < rows.length; at++) {
    const ms = toNumber(rows[at]![column]) * 1000;
    if (!Number.isFinite(ms)) return null;
    out[at] = ms + days * DAY_MS;
    if (at > 0 && out[at]! < out[at - 1]! - DAY_MS / 2) {
      days++;
      out[at] = out[at]! + DAY_MS;
    }
  }
  const first = out[0]!;
  return out.map((ms) => ms - first);
}
