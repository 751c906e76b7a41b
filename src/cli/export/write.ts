import { writeFile } from 'node:fs/promises';
import { type Annotation, writeAnnotations, writeRecord } from '../../lab/wfdb/index.js';
import { encodeEdf } from './edf.js';
import type { ExportRecording } from './recording.js';

export type ExportFormat = 'wfdb' | 'edf' | 'csv';

/** A microvolt a step where the signal is small enough for 16 bits; whole powers of ten, so that a person can read them. */
function gainOf(samples: Float32Array): number {
  let most = 0;
  for (const value of samples) if (Math.abs(value) > most) most = Math.abs(value);
  let gain = 1000;
  while (gain > 1e-6 && most * gain > 32_000) gain /= 10;
  return gain;
}

/**
 * Writes a recording.
 * @param out for WFDB the record's path without extension; otherwise the file
 * @returns the files written
 */
export async function writeExport(
  recording: ExportRecording,
  format: ExportFormat,
  out: string,
  software: string,
): Promise<string[]> {
  switch (format) {
    case 'edf':
      await writeFile(out, encodeEdf(recording, software));
      return [out];
    case 'csv':
      await writeFile(out, csvOf(recording));
      return [out];
    case 'wfdb':
      return writeWfdb(recording, out, software);
  }
}

async function writeWfdb(recording: ExportRecording, out: string, software: string): Promise<string[]> {
  const { signal, rateHz, beats, marks, startedAt } = recording;
  const two = (value: number) => String(value).padStart(2, '0');
  const at = startedAt;
  await writeRecord(out, {
    rateHz,
    startTime: at && `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())}`,
    startDate: at && `${two(at.getUTCDate())}/${two(at.getUTCMonth() + 1)}/${at.getUTCFullYear()}`,
    comments: [`${recording.name}, exported by ${software}; times are UTC; annotations are slothd's own`],
    signals: [
      {
        name: signal.name,
        unit: signal.unit,
        gainPerUnit: gainOf(signal.samples),
        baseline: 0,
        samples: signal.samples,
      },
    ],
  });
  const annotation = (atS: number, symbol: string, aux = ''): Annotation => {
    const sample = Math.max(0, Math.round(atS * rateHz));
    return { sample, symbol, subtype: 0, chan: 0, num: 0, aux };
  };
  const annotations = [
    ...beats.map(({ atS, label }) => annotation(atS, label)),
    ...marks.flatMap(({ atS, durationS, text }) => [
      annotation(atS, '"', text),
      ...(durationS === undefined ? [] : [annotation(atS + durationS, '"', `end of ${text.split(':')[0]}`)]),
    ]),
  ].sort((a, b) => a.sample - b.sample);
  await writeAnnotations(`${out}.atr`, annotations);
  return [`${out}.hea`, `${out}.dat`, `${out}.atr`];
}

/** A row a sample: seconds, value, and in the row of a beat its class and interval, of an alert its words. */
function csvOf({ signal, rateHz, beats, marks }: ExportRecording): string {
  const name = `${signal.name.toLowerCase().replaceAll(' ', '_')}_${signal.unit}`;
  const beatAt = new Map(beats.map((beat) => [Math.round(beat.atS * rateHz), beat]));
  const markAt = new Map<number, string>();
  for (const { atS, text } of marks) {
    const row = Math.round(atS * rateHz);
    markAt.set(row, markAt.has(row) ? `${markAt.get(row)}; ${text}` : text);
  }
  const rows = [`t_s,${name},beat,rr_ms,event`];
  for (let i = 0; i < signal.samples.length; i++) {
    const value = signal.samples[i]!;
    const beat = beatAt.get(i);
    const mark = markAt.get(i);
    const seconds = Math.round((i / rateHz) * 1e5) / 1e5;
    const shown = Number.isFinite(value) ? Math.round(value * 1e4) / 1e4 : '';
    const event = mark ? `"${mark.replaceAll('"', '""')}"` : '';
    rows.push(`${seconds},${shown},${beat?.label ?? ''},${beat?.rrMs ? Math.round(beat.rrMs * 10) / 10 : ''},${event}`);
  }
  return `${rows.join('\r\n')}\r\n`;
}
