import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AlertKind } from '../../../domain/alert.js';
import { Heart } from '../../../simulator/heart/heart.js';
import { type EpisodeInput, makeScenario } from '../../../simulator/scenario.js';
import { findDatabase } from '../../data/find.js';
import { readAnnotationFile, readRecord, writeRecord } from '../../wfdb/index.js';
import { play } from './play.js';
import { referenceBeatsOf } from './truth.js';

/** A made recording and the moment from which its alarm is timed. */
interface Trial {
  readonly name: string;
  readonly rateHz: number;
  readonly samples: Float32Array;
  readonly fromS: number;
}

export interface DelayRow {
  readonly what: string;
  readonly trials: number;
  readonly alarmed: number;
  readonly meanS: number | null;
  readonly worstS: number | null;
  readonly targetS: number;
  /** Which kinds were raised first. */
  readonly kinds: Readonly<Record<string, number>>;
}

const RATES_HZ = [125, 250, 360, 500];
const SEEDS = 5;
const BEFORE_S = 60;
const AFTER_S = 20;

/** Any of these, raised after the moment, is the alarm: one event may be named by its gravest word. */
const KINDS: Readonly<Record<'step' | 'asystole' | 'vf', readonly AlertKind[]>> = {
  step: ['extreme-tachycardia', 'tachycardia', 'ventricular-tachycardia'],
  asystole: ['asystole'],
  vf: ['ventricular-fibrillation'],
};

function simulated(name: string, episode: EpisodeInput, timed: 'step' | 'last-beat'): Trial[] {
  return RATES_HZ.flatMap((rateHz) =>
    Array.from({ length: SEEDS }, (_, k): Trial => {
      const samples = new Float32Array(rateHz * (BEFORE_S + AFTER_S));
      const beatsMs: number[] = [];
      let stepMs = 0;
      const heart = new Heart({
        scenario: makeScenario({ episodes: [{ rhythm: 'sinus', bpm: 80, seconds: BEFORE_S }, episode] }),
        seed: 100 + k,
        rateHz,
        waveform: 'ecg',
        onBeat: ({ tMs }) => beatsMs.push(tMs),
        onTruth: ({ event, episode: index, tMs }) => {
          if (event === 'episode' && index === 1) stepMs = tMs;
        },
      });
      for (let i = 0; i < samples.length; i++) {
        heart.step();
        samples[i] = heart.value;
      }
      const lastBeatMs = beatsMs.filter((tMs) => tMs <= stepMs + 50).at(-1) ?? stepMs;
      return {
        name: `${name}-${rateHz}-${k}`,
        rateHz,
        samples,
        fromS: (timed === 'step' ? stepMs : lastBeatMs) / 1000,
      };
    }),
  );
}

/** Records of normal rhythm whose own beats the splices are made of. */
const SPLICED = ['100', '101', '103', '112', '113', '115', '117', '122', '123', '234'];

/** Real beats, set 300 ms apart: 200 per minute. */
async function fastSplices(folder: string): Promise<Trial[]> {
  return mapRecords(folder, async ({ samples, rateHz, beats }, name) => {
    const at = beats.findIndex((tS) => tS > BEFORE_S);
    const out = samples.slice(0, Math.round(rateHz * (BEFORE_S + AFTER_S)));
    const step = Math.round(beats[at]! * rateHz);
    const every = Math.round(0.3 * rateHz);
    const lead = Math.round(0.1 * rateHz);
    for (let k = 1; step + k * every < out.length; k++) {
      const source = Math.round(beats[at + k]! * rateHz) - lead;
      const target = step + k * every - lead;
      // Each piece is moved to the height where the last one ended: a splice, not a step.
      const lift = out[target - 1]! - samples[source]!;
      for (let i = 0; i < every && target + i < out.length; i++) {
        out[target + i] = samples[source + i]! + lift * (1 - i / every);
      }
    }
    return { name: `fast-${name}`, rateHz, samples: out, fromS: step / rateHz };
  });
}

/** After a beat's T wave the heart stands still: its baseline with the noise of an amplifier (10 uV). */
async function stillSplices(folder: string): Promise<Trial[]> {
  return mapRecords(folder, async ({ samples, rateHz, beats }, name) => {
    const last = beats[beats.findIndex((tS) => tS > BEFORE_S)]!;
    const out = samples.slice(0, Math.round(rateHz * (BEFORE_S + AFTER_S)));
    const from = Math.round((last + 0.5) * rateHz);
    let noise = 1;
    for (let i = from; i < out.length; i++) {
      noise = (noise * 16_807) % 2_147_483_647;
      const wander = 0.03 * Math.sin((2 * Math.PI * 0.25 * (i - from)) / rateHz);
      out[i] = samples[from]! + wander + 0.02 * (noise / 2_147_483_647 - 0.5);
    }
    return { name: `still-${name}`, rateHz, samples: out, fromS: last };
  });
}

async function mapRecords(
  folder: string,
  make: (record: { samples: Float32Array; rateHz: number; beats: number[] }, name: string) => Promise<Trial>,
): Promise<Trial[]> {
  const out: Trial[] = [];
  for (const name of SPLICED) {
    const { rateHz, signals } = await readRecord(join(folder, name));
    const { annotations } = await readAnnotationFile(join(folder, `${name}.atr`));
    const beats = referenceBeatsOf(annotations, rateHz).map(({ tS }) => tS);
    out.push(await make({ samples: signals[0]!.samples, rateHz, beats }, name));
  }
  return out;
}

/** A minute of a vfdb record's own organised rhythm, then its own fibrillation. */
async function fibrillationSplices(folder: string): Promise<Trial[]> {
  const out: Trial[] = [];
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.hea'))) {
    const name = file.slice(0, -4);
    const { rateHz, signals } = await readRecord(join(folder, name));
    const { annotations } = await readAnnotationFile(join(folder, `${name}.atr`));
    const { samples } = signals[0]!;
    const spans = annotations
      .filter(({ symbol }) => symbol === '+')
      .map(({ aux, sample }, i, all) => ({ aux, from: sample, to: all[i + 1]?.sample ?? samples.length }));
    const calm = spans.find(
      ({ aux, from, to }) => /^\((N|NSR|NOD|B|SBR)\b/.test(aux) && to - from >= BEFORE_S * rateHz,
    );
    const wild = spans.find(({ aux, from, to }) => /^\((VF|VFL|VFIB)\b/.test(aux) && to - from >= 12 * rateHz);
    if (!calm || !wild) continue;
    const before = samples.subarray(calm.from, calm.from + BEFORE_S * rateHz);
    const after = samples.subarray(wild.from, wild.from + Math.min(wild.to - wild.from, AFTER_S * rateHz));
    const joined = new Float32Array(before.length + after.length);
    joined.set(before);
    joined.set(after, before.length);
    out.push({ name: `vf-${name}`, rateHz, samples: joined, fromS: before.length / rateHz });
  }
  return out;
}

async function measure(
  what: string,
  trials: readonly Trial[],
  kinds: readonly AlertKind[],
  targetS: number,
): Promise<DelayRow> {
  const work = mkdtempSync(join(tmpdir(), 'slothd-alarms-'));
  try {
    const paths = [];
    for (const { name, rateHz, samples } of trials) {
      const path = join(work, name);
      // Gain 1000: a microvolt a step, as fine as any recording here.
      await writeRecord(path, {
        rateHz,
        signals: [{ name: 'ECG', unit: 'mV', gainPerUnit: 1000, baseline: 0, samples }],
      });
      paths.push(path);
    }
    const played = paths.length > 0 ? await play(paths) : [];
    const delays: number[] = [];
    const first: Record<string, number> = {};
    for (const [i, { alerts }] of played.entries()) {
      const { fromS } = trials[i]!;
      const alarm = alerts
        .filter(({ kind, raisedS }) => kinds.includes(kind) && raisedS >= fromS)
        .sort((a, b) => a.raisedS - b.raisedS)[0];
      if (!alarm) continue;
      delays.push(alarm.raisedS - fromS);
      first[alarm.kind] = (first[alarm.kind] ?? 0) + 1;
    }
    const round = (value: number) => Math.round(value * 100) / 100;
    return {
      what,
      trials: trials.length,
      alarmed: delays.length,
      meanS: delays.length > 0 ? round(delays.reduce((a, b) => a + b, 0) / delays.length) : null,
      worstS: delays.length > 0 ? round(Math.max(...delays)) : null,
      targetS,
      kinds: first,
    };
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** Time from the event to the alarm, on simulated hearts and on splices of real records. */
export async function timeToAlarm(say: (text: string) => void): Promise<DelayRow[]> {
  const mitdb = findDatabase('mitdb');
  const vfdb = findDatabase('vfdb');
  const rows: DelayRow[] = [];
  const add = async (what: string, trials: readonly Trial[], kind: keyof typeof KINDS, targetS: number) => {
    say(`time to alarm: ${what}`);
    rows.push(await measure(what, trials, KINDS[kind], targetS));
  };
  const fast: EpisodeInput = { rhythm: 'sinus-tachycardia', bpm: 200, seconds: AFTER_S, rampSeconds: 0 };
  await add('step 80 to 200/min, simulated', simulated('fast', fast, 'step'), 'step', 5.7);
  if (mitdb) await add('step to 200/min, real beats spliced', await fastSplices(mitdb), 'step', 5.7);
  const still: EpisodeInput = { rhythm: 'asystole', seconds: AFTER_S };
  await add('asystole after the last beat, simulated', simulated('still', still, 'last-beat'), 'asystole', 4.3);
  if (mitdb) await add('asystole after the last beat, spliced', await stillSplices(mitdb), 'asystole', 4.3);
  const wild: EpisodeInput = { rhythm: 'ventricular-fibrillation', seconds: AFTER_S };
  await add('fibrillation, simulated', simulated('vf', wild, 'step'), 'vf', 6);
  if (vfdb) await add('fibrillation, vfdb spliced', await fibrillationSplices(vfdb), 'vf', 6);
  return rows;
}
