import type { Carries, FormatOptions, WaveformInfo } from '../../domain/reading.js';
import { choiceOption, flagOption, integerOption, numberOption, rateOption } from './options.js';
import { type Column, parseColumns } from './text-lines.js';

const STYLES = ['keyvalue', 'csv', 'json', 'nmea'] as const;

/** The options of `generic-text`, checked. */
export interface TextSettings {
  readonly columns: readonly Column[];
  readonly waveform: 'none' | 'ecg' | 'ppg';
  readonly min: number;
  readonly max: number;
  readonly rateHz: number | null;
  readonly unit: 'auto' | 'ms' | 's';
  readonly decimalComma: boolean;
  readonly checksumRequired: boolean;
  readonly style: (typeof STYLES)[number];
}

export const GENERIC_TEXT_OPTIONS = {
  columns:
    'what the columns of each line are: names such as signal, bpm, rr, spo2, time, sequence, beat, contact, battery; "-" skips one, "=word" must match; empty: lines name their values themselves ()',
  waveform: 'kind of the signal values: none, ecg, ppg (ppg where columns name a signal, else none)',
  adcBits: 'resolution of the signal: values from 0 to 2^adcBits - 1 (10)',
  min: 'smallest signal value, in place of adcBits (0)',
  max: 'largest signal value, in place of adcBits (by adcBits)',
  rateHz: 'signal values per second (measured)',
  unit: 'unit of intervals: auto, ms, s; auto takes values below 10 as seconds (auto)',
  decimalComma: 'numbers have a decimal comma (false)',
  checksum: 'checksum of $ lines: required, optional (required)',
  style: 'how the simulator writes lines: keyvalue, csv, json, nmea (csv where columns are given, else keyvalue)',
} as const;

/** Reads the options. Throws an Error that names the wrong one. */
export function textSettings(options: FormatOptions): TextSettings {
  const text = options.columns ?? '';
  if (typeof text !== 'string') throw new Error(`option columns: ${JSON.stringify(text)} is not text`);
  const names = text
    .toLowerCase()
    .split(',')
    .map((name) => name.trim());
  const guess = names.includes('ecg')
    ? 'ecg'
    : names.some((name) => ['signal', 'sample', 'raw', 'value', 's', 'ir', 'ppg'].includes(name))
      ? 'ppg'
      : 'none';
  const waveform = choiceOption(options, 'waveform', guess, ['none', 'ecg', 'ppg']);
  const min = numberOption(options, 'min', 0, -(2 ** 31), 2 ** 31);
  const max = numberOption(options, 'max', 2 ** integerOption(options, 'adcBits', 10, 1, 32) - 1, -(2 ** 31), 2 ** 32);
  if (max <= min) throw new Error(`option max: ${max} is not above min (${min})`);
  const columns = parseColumns(text, waveform);
  return {
    columns,
    waveform,
    min,
    max,
    rateHz: rateOption(options, null),
    unit: choiceOption(options, 'unit', 'auto', ['auto', 'ms', 's']),
    decimalComma: flagOption(options, 'decimalComma', false),
    checksumRequired: choiceOption(options, 'checksum', 'required', ['required', 'optional']) === 'required',
    style: choiceOption(options, 'style', columns.length > 0 ? 'csv' : 'keyvalue', STYLES),
  };
}

/** What a stream with these settings may carry. */
export function textCarries(settings: TextSettings): Carries {
  const { columns, waveform, min, max, rateHz } = settings;
  const named = columns.length > 0;
  const signal: WaveformInfo | null =
    waveform === 'none' || (named && !columns.includes('signal'))
      ? null
      : {
          kind: waveform,
          rateHz,
          unit: 'count',
          nominal: { offset: (min + max) / 2, perUnit: (max - min) / 2 },
          range: { min, max },
        };
  const has = (field: Exclude<Column, object>) => !named || columns.includes(field);
  return {
    waveform: signal,
    beatFlags: has('beat'),
    // Beside a waveform an interval is repeated line after line: only a beat mark tells which ones are new.
    rr: has('rr') && (signal === null || columns.includes('beat')),
    heartRate: has('bpm'),
    spo2: has('spo2'),
    contact: has('contact'),
    battery: has('battery'),
  };
}
