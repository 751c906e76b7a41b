import { rationalFactor, resample } from '../../signal/resample.js';
import { readRecord, WfdbError, type WfdbSignal } from '../../wfdb/index.js';
import { ConvertError } from '../error.js';
import type { DatasetOptions, InputShape, Piece } from './load.js';

/**
 * Windows of WFDB records for an input of [length], [length, channels] or flat: the record's signals side by side, at the
 * rate asked for. Windows with gaps are left out.
 * @throws ConvertError for a record that cannot be read, lacks the channels, or is shorter than a window
 */
export async function wfdbWindows(
  records: readonly string[],
  input: InputShape,
  options: DatasetOptions,
  warnings: string[],
): Promise<Piece[]> {
  const channels = input.shape.length > 1 ? input.shape.at(-1)! : 1;
  const length = input.shape.reduce((a, b) => a * b, 1) / channels;
  if (length < 2)
    throw new ConvertError(`input '${input.name}' is [${input.shape.join(', ')}]: a record cannot fill it`);
  const pieces: Piece[] = [];
  let gaps = 0;
  let firstHz: number | null = null;
  for (const path of records) {
    const record = await readRecord(path).catch((error: Error) => {
      if (error instanceof WfdbError) throw new ConvertError(error.message);
      throw error;
    });
    firstHz ??= record.rateHz;
    if (options.rateHz === undefined && record.rateHz !== firstHz) {
      throw new ConvertError(
        `${path}: has ${record.rateHz} Hz where the record before it has ${firstHz} Hz: say with --rate what the model takes`,
      );
    }
    const chosen = choose(record.signals, channels, options.signals, path);
    for (const { name, checksumOk } of chosen) {
      if (checksumOk === false)
        warnings.push(`${path}: ${name} does not add up to its checksum; the file may be damaged`);
    }
    const rateHz = options.rateHz ?? record.rateHz;
    const { up, down } = factorOf(record.rateHz, rateHz, path);
    const signals = chosen.map(({ samples }) =>
      up === down ? samples : resample(samples, up, down, { edges: 'hold' }),
    );
    const total = signals[0]!.length;
    if (total < length) {
      throw new ConvertError(
        `${path}: ${(total / rateHz).toFixed(2)} s at ${rateHz} Hz are less than one window of ${length} samples`,
      );
    }
    const step = Math.max(1, Math.round((options.stepS ?? length / rateHz) * rateHz));
    for (let at = 0; at + length <= total; at += step) {
      const values = new Float32Array(length * channels);
      signals.forEach((signal, c) => {
        const window = signal.slice(at, at + length);
        const ready = options.standardize ? standardized(window) : window;
        for (let i = 0; i < length; i++) values[i * channels + c] = ready[i]!;
      });
      if (values.every(Number.isFinite)) pieces.push({ values, from: `${path} at ${(at / rateHz).toFixed(1)} s` });
      else gaps++;
    }
  }
  if (gaps > 0) warnings.push(`${gaps} windows with gaps were left out`);
  return pieces;
}

function choose(
  signals: readonly WfdbSignal[],
  channels: number,
  wanted: readonly string[] | undefined,
  path: string,
): WfdbSignal[] {
  const names = signals.map(({ name }) => name).join(', ');
  if (wanted && wanted.length !== channels) {
    throw new ConvertError(`${wanted.length} signals were named; the model takes ${channels}`);
  }
  const keys = wanted ?? Array.from({ length: channels }, (_, i) => String(i));
  return keys.map((key) => {
    const found = signals.find(({ name }) => name === key) ?? (/^\d+$/.test(key) ? signals[Number(key)] : undefined);
    if (!found) {
      throw new ConvertError(
        wanted
          ? `${path}: has no signal '${key}' (it has ${names})`
          : `${path}: has ${signals.length} signals (${names}); the model takes ${channels} channels`,
      );
    }
    return found;
  });
}

function factorOf(fromHz: number, toHz: number, path: string): { up: number; down: number } {
  try {
    return rationalFactor(fromHz, toHz);
  } catch (error) {
    throw new ConvertError(`${path}: ${(error as Error).message}`);
  }
}

function standardized(window: Float32Array): Float32Array {
  const mean = window.reduce((a, b) => a + b, 0) / window.length;
  const deviation = Math.sqrt(window.reduce((sum, v) => sum + (v - mean) ** 2, 0) / window.length);
  return window.map((v) => (v - mean) / (deviation || 1));
}
