import type { AlertChange } from '../../domain/alert.js';
import type { Beat, BeatScores } from '../../domain/beat.js';
import type { StreamMs } from '../../domain/clock.js';
import type { Carries } from '../../domain/reading.js';

/** What a replay tells an export beside its JSON lines. */
export interface ReplayTap {
  /** Stream time of a sample, as the replay's clock has it at the end. */
  clock?(timeOf: (sample: number) => StreamMs): void;
  samples?(values: Float32Array, count: number, firstSample: number): void;
  beat?(beat: Beat, scores: BeatScores | null): void;
  alert?(change: AlertChange): void;
}

/** Something at a moment of the recording. */
export interface Mark {
  /** Seconds from the first sample. */
  readonly atS: number;
  readonly durationS?: number;
  readonly text: string;
}

/** A recording as every export format takes it: one signal, beats, and what was said of them. */
export interface ExportRecording {
  readonly name: string;
  /** Wall clock of the first sample, where it is known. */
  readonly startedAt: Date | null;
  readonly rateHz: number;
  readonly signal: { readonly name: string; readonly unit: string; readonly samples: Float32Array };
  readonly beats: readonly { readonly atS: number; readonly label: string; readonly rrMs: number | null }[];
  readonly marks: readonly Mark[];
}

/** Rate of the heart-rate curve that stands in where a sensor sends no waveform. */
const RATE_CURVE_HZ = 4;

/** Gathers what a replay tells into one recording. */
export class Gatherer implements ReplayTap {
  private readonly blocks: { first: number; values: Float32Array }[] = [];
  private readonly found: { beat: Beat; scores: BeatScores | null }[] = [];
  private readonly alerts = new Map<string, { change: AlertChange; endedMs: StreamMs | null }>();
  private timeOf: (sample: number) => StreamMs = () => Number.NaN;

  clock(timeOf: (sample: number) => StreamMs): void {
    this.timeOf = timeOf;
  }

  samples(values: Float32Array, count: number, firstSample: number): void {
    this.blocks.push({ first: firstSample, values: values.slice(0, count) });
  }

  beat(beat: Beat, scores: BeatScores | null): void {
    this.found.push({ beat, scores });
  }

  alert(change: AlertChange): void {
    const before = this.alerts.get(change.id);
    this.alerts.set(change.id, { change: before?.change ?? change, endedMs: change.endedMs });
  }

  /** @throws Error where nothing was played */
  recording(about: { name: string; startedAt: Date | null; rateHz: number; carries: Carries }): ExportRecording {
    const { name, startedAt, rateHz, carries } = about;
    const { waveform } = carries;
    const [first] = this.blocks;
    const startMs = waveform && first ? this.timeOf(first.first) : (this.found[0]?.beat.tMs ?? Number.NaN);
    if (Number.isNaN(startMs)) throw new Error(`${name}: there is nothing in it to export`);
    const atS = (tMs: StreamMs) => (tMs - startMs) / 1000;
    // By its sample where there is one: it must stand on its wave, whatever the clock learnt later.
    const beatS = ({ sample, tMs }: Beat) =>
      waveform && first && sample >= 0 ? (sample - first.first) / rateHz : atS(tMs);
    const beats = this.found
      .map(({ beat, scores }) => ({ atS: beatS(beat), label: scores?.class ?? 'N', rrMs: beat.rrMs }))
      .filter((beat) => beat.atS >= 0);
    const marks = [...this.alerts.values()].map(({ change, endedMs }): Mark => {
      const { kind, priority, values, onsetMs } = change;
      const from = Math.max(0, atS(onsetMs));
      const words = Object.entries(values).map(([key, value]) => `${key} ${value}`);
      return {
        atS: from,
        ...(endedMs === null ? {} : { durationS: Math.max(0, atS(endedMs) - from) }),
        text: `alert ${kind} (${priority})${words.length > 0 ? `: ${words.join(', ')}` : ''}`,
      };
    });
    marks.sort((a, b) => a.atS - b.atS);
    const signal = waveform && first ? this.waveform(waveform, first.first) : rateCurve(beats);
    return { name, startedAt, rateHz: waveform && first ? rateHz : RATE_CURVE_HZ, signal, beats, marks };
  }

  /** All samples in a row; NaN where some were lost. Counts become millivolts where the format says how. */
  private waveform(
    { kind, unit, nominal }: NonNullable<Carries['waveform']>,
    first: number,
  ): ExportRecording['signal'] {
    const last = this.blocks.at(-1)!;
    const samples = new Float32Array(last.first + last.values.length - first).fill(Number.NaN);
    const known = unit === 'mV' || nominal.perUnit !== 1;
    for (const block of this.blocks) {
      for (const [i, value] of block.values.entries()) {
        samples[block.first - first + i] = unit === 'mV' ? value : (value - nominal.offset) / nominal.perUnit;
      }
    }
    const unitName = kind === 'ecg' && known ? 'mV' : 'nu';
    return { name: kind === 'ecg' ? 'ECG' : 'Pleth', unit: unitName, samples };
  }
}

function rateCurve(beats: ExportRecording['beats']): ExportRecording['signal'] {
  const endS = beats.at(-1)?.atS ?? 0;
  const samples = new Float32Array(Math.ceil(endS * RATE_CURVE_HZ) + 1).fill(Number.NaN);
  let next = 0;
  let bpm = Number.NaN;
  for (let i = 0; i < samples.length; i++) {
    for (; next < beats.length && beats[next]!.atS <= i / RATE_CURVE_HZ; next++) {
      const { rrMs } = beats[next]!;
      bpm = rrMs === null ? Number.NaN : 60_000 / rrMs;
    }
    samples[i] = bpm;
  }
  return { name: 'Heart rate', unit: 'bpm', samples };
}
