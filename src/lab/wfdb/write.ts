import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { WfdbError } from './error.js';
import { SIGNAL_FORMATS } from './formats.js';
import type { WfdbRecord } from './record.js';

/** What `writeRecord` needs of a record; a `WfdbRecord` is one. */
export interface WritableRecord {
  readonly rateHz: number;
  readonly startTime?: string | null;
  readonly startDate?: string | null;
  readonly comments?: readonly string[];
  readonly signals: readonly (Pick<
    WfdbRecord['signals'][number],
    'name' | 'unit' | 'gainPerUnit' | 'baseline' | 'samples'
  > & {
    readonly adcBits?: number;
  })[];
}

/**
 * Writes `<path>.hea` and `<path>.dat`, all signals interleaved in one file. Values are rounded to the ADC's steps and
 * clipped to the format's range; NaN becomes the format's "no sample".
 * @param path the record's path without extension; its last part becomes the record's name
 * @throws WfdbError for an unknown format, signals of different length, or a name WFDB cannot hold
 */
export async function writeRecord(
  path: string,
  record: WritableRecord,
  options: { format?: number } = {},
): Promise<void> {
  const format = SIGNAL_FORMATS.get(options.format ?? 16);
  if (!format) throw new WfdbError(path, `signal format ${options.format} is not supported`);
  const name = basename(path);
  if (!/^[A-Za-z0-9_-]+$/.test(name))
    throw new WfdbError(path, 'a record name holds letters, digits, "_" and "-" only');
  const { signals, rateHz } = record;
  const length = signals[0]?.samples.length ?? 0;
  if (signals.some((signal) => signal.samples.length !== length))
    throw new WfdbError(path, 'signals of different length');

  const raw = new Int32Array(length * signals.length);
  const lines = signals.map((signal, column) => {
    const { gainPerUnit, baseline, samples, adcBits = 0, unit } = signal;
    let sum = 0;
    for (let i = 0; i < length; i++) {
      const value = samples[i]!;
      const step = Number.isNaN(value)
        ? (format.invalid ?? 0)
        : Math.min(format.max, Math.max(format.min, Math.round(value * gainPerUnit + baseline)));
      raw[i * signals.length + column] = step;
      sum = (sum + step) | 0;
    }
    const checksum = (sum << 16) >> 16;
    const title = signal.name.replace(/\s+/g, ' ').trim();
    const gain = `${gainPerUnit}(${baseline})/${unit.replace(/\s+/g, '_')}`;
    return `${name}.dat ${format.id} ${gain} ${adcBits} 0 ${raw[column] ?? 0} ${checksum} 0 ${title}`;
  });
  const start = record.startTime ? ` ${record.startTime}${record.startDate ? ` ${record.startDate}` : ''}` : '';
  const comments = (record.comments ?? []).map((line) => `# ${line.replace(/[\r\n]+/g, ' ')}`);
  await writeFile(`${path}.dat`, format.encode(raw));
  // The header last: a record without its header is not a record, so a half-written one is never read.
  await writeFile(
    `${path}.hea`,
    `${[`${name} ${signals.length} ${rateHz} ${length}${start}`, ...lines, ...comments].join('\n')}\n`,
  );
}
