import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { PolyphaseResampler, rationalFactor } from '../signal/resample.js';
import type { Annotation } from './annotations.js';
import { WfdbError } from './error.js';
import type { OpenRecord } from './stream.js';

export interface CsvOptions {
  /** Places of the signals to write; all unless told. */
  readonly signals?: readonly number[];
  /** Brings the signals to this rate; the record's own unless told. */
  readonly rateHz?: number;
  readonly fromSample?: number;
  readonly toSample?: number;
  onProgress?(done: number, of: number): void;
}

/**
 * Writes a record's signals as CSV, piece by piece: seconds from the record's start and a column for each signal in its own
 * unit, as `time_s,MLII_mV`; an empty cell where there is no sample. The file appears whole or not at all.
 * @returns how many rows were written
 * @throws WfdbError for a stretch without samples; RangeError for a rate that is no fraction of the record's
 */
export async function writeSignalsCsv(file: string, record: OpenRecord, options: CsvOptions = {}): Promise<number> {
  const { signals = record.signals.map((_, index) => index), fromSample = 0 } = options;
  const toSample = Math.min(options.toSample ?? record.lengthSamples, record.lengthSamples);
  if (signals.length === 0) throw new WfdbError(record.name, 'has no signals to write');
  if (!(toSample > fromSample)) throw new WfdbError(record.name, 'has no samples in the stretch asked for');
  const rateHz = options.rateHz ?? record.rateHz;
  const { up, down } = rationalFactor(record.rateHz, rateHz);
  const columns = signals.map((index) => new Column(record.signals[index]!.gainPerUnit, up, down));
  let rows = 0;
  async function* lines(): AsyncGenerator<string> {
    yield `${['time_s', ...signals.map((index) => titleOf(record.signals[index]!))].join(',')}\n`;
    const text = (values: readonly (readonly string[])[]) => {
      let out = '';
      for (let i = 0; i < values[0]!.length; i++, rows++) {
        out += `${time(fromSample / record.rateHz + rows / rateHz)},${values.map((column) => column[i]!).join(',')}\n`;
      }
      return out;
    };
    for await (const chunk of record.chunks({ fromSample, toSample })) {
      yield text(columns.map((column, i) => column.push(chunk.signals[signals[i]!]!)));
      options.onProgress?.(chunk.firstSample + chunk.signals[0]!.length - fromSample, toSample - fromSample);
    }
    yield text(columns.map((column) => column.end()));
  }
  await writeWhole(file, lines());
  return rows;
}

/** Writes annotations as CSV: `sample,time_s,symbol,subtype,chan,num,aux`. */
export async function writeAnnotationsCsv(
  file: string,
  annotations: readonly Annotation[],
  rateHz: number,
): Promise<void> {
  async function* lines(): AsyncGenerator<string> {
    yield 'sample,time_s,symbol,subtype,chan,num,aux\n';
    for (const { sample, symbol, subtype, chan, num, aux } of annotations) {
      yield `${[sample, time(sample / rateHz), quoted(symbol), subtype, chan, num, quoted(aux)].join(',')}\n`;
    }
  }
  await writeWhole(file, lines());
}

/** One signal as text, at the wanted rate. Gaps are held while the filter runs, and empty again behind it. */
class Column {
  private readonly resampler: PolyphaseResampler | null;
  private readonly digits: number;
  private readonly missing: boolean[] = [];
  private held = 0;
  private received = 0;
  private produced = 0;
  /** Input place of the first of `missing`. */
  private missingFrom = 0;

  constructor(
    gainPerUnit: number,
    private readonly up: number,
    private readonly down: number,
  ) {
    this.resampler = up === 1 && down === 1 ? null : new PolyphaseResampler(up, down, { edges: 'hold' });
    // A tenth of the converter's step is all that a reader could want.
    this.digits = Math.min(9, Math.max(0, Math.ceil(Math.log10(Math.abs(gainPerUnit) || 1)) + 1));
  }

  push(values: Float32Array): string[] {
    if (!this.resampler) return Array.from(values, (value) => this.cell(value));
    const whole = values.slice();
    for (let i = 0; i < whole.length; i++) {
      const isMissing = Number.isNaN(whole[i]!);
      this.missing.push(isMissing);
      if (isMissing) whole[i] = this.held;
      else this.held = whole[i]!;
    }
    this.received += whole.length;
    return this.cells(this.resampler.push(whole));
  }

  end(): string[] {
    return this.resampler ? this.cells(this.resampler.end()) : [];
  }

  private cells(values: Float32Array): string[] {
    const cells = Array.from(values, (value) => {
      const nearest = Math.min(this.received - 1, Math.round((this.produced++ * this.down) / this.up));
      return this.missing[nearest - this.missingFrom] ? '' : this.cell(value);
    });
    const done = Math.min(this.received - 1, Math.floor((this.produced * this.down) / this.up)) - 1;
    if (done > this.missingFrom) {
      this.missing.splice(0, done - this.missingFrom);
      this.missingFrom = done;
    }
    return cells;
  }

  private cell(value: number): string {
    if (!Number.isFinite(value)) return '';
    const text = value.toFixed(this.digits);
    return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
  }
}

function titleOf({ name, unit }: { readonly name: string; readonly unit: string }): string {
  return quoted(`${name.trim().replace(/\s+/g, '_')}_${unit}`);
}

/** A tenth of a microsecond, without zeros at the end. */
function time(seconds: number): string {
  return seconds.toFixed(7).replace(/\.?0+$/, '');
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

async function writeWhole(file: string, lines: AsyncGenerator<string>): Promise<void> {
  const unfinished = `${file}.part`;
  try {
    await pipeline(lines, createWriteStream(unfinished));
    await rename(unfinished, file);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}
