import { basename } from 'node:path';
import type { Carries } from '../../domain/reading.js';
import {
  isBeatSymbol,
  readAnnotationFile,
  readRecord,
  type WfdbRecord,
  type WfdbSignal,
} from '../../lab/wfdb/index.js';
import { NOTHING, ReplayError, type ReplaySource, STEP_MS } from './source.js';

/** Reference beats are handed on this long after they happened, as a detector would. */
const REFERENCE_DELAY_MS = 460;

export interface WaveformOptions {
  /** Number or name of the signal; the first one where undefined. */
  readonly signal: string | undefined;
  /** Annotation file whose beats stand in for our detector. */
  readonly beatsFrom: string | undefined;
}

/** A WFDB record's signal. @throws ReplayError, WfdbError */
export async function openWfdb(path: string, options: WaveformOptions): Promise<ReplaySource> {
  const record = await readRecord(path);
  const chosen = chooseSignal(record, options.signal, path);
  const beats = options.beatsFrom ? await referenceBeats(options.beatsFrom) : null;
  return waveformSource(basename(path), record.rateHz, chosen.name, chosen.samples, carriesOf(chosen), beats);
}

/** Any array of samples as a source. */
export function waveformSource(
  record: string,
  rateHz: number,
  signal: string,
  samples: Float32Array,
  carries: Carries,
  beats: readonly number[] | null,
): ReplaySource {
  const perStep = (STEP_MS * rateHz) / 1000;
  const delay = Math.round((REFERENCE_DELAY_MS * rateHz) / 1000);
  return {
    record,
    rateHz,
    signal,
    carries,
    givesBeats: beats !== null,
    *steps() {
      let at = 0;
      let nextBeat = 0;
      for (let step = 1; at < samples.length; step++) {
        const from = at;
        const to = Math.min(samples.length, Math.round(step * perStep));
        at = to;
        yield {
          tMs: (to / rateHz) * 1000,
          feed(pipeline) {
            for (let i = from; i < to; i++) {
              pipeline.sample(samples[i]!);
              while (beats && nextBeat < beats.length && beats[nextBeat]! + delay <= i) {
                pipeline.referenceBeat(beats[nextBeat++]!);
              }
            }
            if (to === samples.length && beats) {
              while (nextBeat < beats.length) pipeline.referenceBeat(beats[nextBeat++]!);
            }
          },
        };
      }
    },
  };
}

/** Beats of an annotation file, in samples, in time order. */
export async function referenceBeats(file: string): Promise<number[]> {
  const { annotations } = await readAnnotationFile(file);
  return annotations.filter((annotation) => isBeatSymbol(annotation.symbol)).map((annotation) => annotation.sample);
}

/** An annotation file alone: its beats drive the RR path. */
export async function openBeats(
  file: string,
  headerRateHz: number | null,
  rate: number | undefined,
): Promise<ReplaySource> {
  const own = await readAnnotationFile(file);
  const rateHz = rate ?? own.rateHz ?? headerRateHz;
  if (!rateHz)
    throw new ReplayError(`${file} has no header that tells its rate: give --rate HZ (afdb: 250, ltafdb: 128)`);
  const beats = own.annotations.filter((a) => isBeatSymbol(a.symbol)).map((a) => a.sample);
  if (beats.length === 0) throw new ReplayError(`${file} holds no beat annotations`);
  return {
    record: basename(file),
    rateHz,
    signal: null,
    carries: { ...NOTHING, beatFlags: true },
    givesBeats: false,
    *steps() {
      let stepEnd = STEP_MS;
      for (const beat of beats) {
        const beatMs = (beat / rateHz) * 1000;
        for (; stepEnd < beatMs; stepEnd += STEP_MS) yield { tMs: stepEnd, feed() {} };
        yield { tMs: beatMs, feed: (pipeline) => pipeline.beat() };
      }
    },
  };
}

function chooseSignal(record: WfdbRecord, wanted: string | undefined, path: string): WfdbSignal {
  const { signals } = record;
  const list = signals.map((signal, index) => `${index} ${signal.name}`).join(', ');
  const found =
    wanted === undefined
      ? signals[0]
      : (signals.find((signal) => signal.name === wanted) ??
        (/^\d+$/.test(wanted) ? signals[Number(wanted)] : undefined));
  if (!found) throw new ReplayError(`${path} has no signal '${wanted ?? 0}'; it has: ${list || 'none'}`);
  return found;
}

function carriesOf(signal: WfdbSignal): Carries {
  const kind = /ppg|pleth/i.test(signal.name) ? 'ppg' : 'ecg';
  // Out of range means clipped; WFDB says the converter's width, from which the limits follow.
  const half = 2 ** (signal.adcBits > 0 ? signal.adcBits - 1 : 15) / signal.gainPerUnit;
  return {
    ...NOTHING,
    waveform: {
      kind,
      rateHz: null,
      unit: 'mV',
      nominal: { offset: 0, perUnit: 1 },
      range: signal.adcBits > 0 ? clipRange(signal, half) : { min: -Infinity, max: Infinity },
    },
  };
}

/** The converter's range around its zero is not where baseline is, so take the widest the samples could be. */
function clipRange(signal: WfdbSignal, half: number): { min: number; max: number } {
  let min = Infinity;
  let max = -Infinity;
  for (const value of signal.samples) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  // A record that never spans most of the converter cannot be said to clip.
  return max - min >= 1.9 * half ? { min, max } : { min: -Infinity, max: Infinity };
}
