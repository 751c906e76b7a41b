import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { rhythmAt } from '../../data/rhythm-records.js';
import { LabError } from '../../error.js';
import { readAnnotations } from '../../wfdb/index.js';
import { alarmFigures, type RaisedAlert } from './alarm-level.js';
import type { RhythmTestFigures } from './evaluate.js';
import { windowFigures } from './figures.js';
import type { ScoredRhythm } from './score.js';
import { shippedSetting } from './train.js';

/** A line of `slothd replay`, as far as it is of use here. */
interface ReplayLine {
  readonly type: string;
  readonly t: number;
  readonly record: string;
  readonly rateHz: number;
  readonly score: number;
  readonly windowBeats: number;
  readonly kind: string;
  readonly event: string;
}

interface Played {
  readonly record: string;
  readonly rateHz: number;
  readonly beatsMs: number[];
  readonly verdicts: { readonly tMs: number; readonly score: number }[];
  readonly alerts: { raisedMs: number; endMs: number }[];
  endMs: number;
}

const VERDICT_BEATS = 60;

/**
 * Figures of what `slothd replay` wrote of the records of one database: the deployed path, with our own detector's beats
 * where the record holds a signal. A window is what the majority of its 60 beats are by the reference.
 * @param folder of the database, where the reference `.atr` files are
 * @throws LabError where the file holds no replay, WfdbError where a reference is missing
 */
export async function replayedFigures(eventsFile: string, folder: string): Promise<RhythmTestFigures> {
  const scored: ScoredRhythm[] = [];
  const alerts = new Map<ScoredRhythm, readonly RaisedAlert[]>();
  for (const played of await readReplay(eventsFile)) {
    const stem = played.record.replace(/\.[a-z]+$/, '');
    const one = judged(played, await readAnnotations(join(folder, `${stem}.atr`)));
    scored.push(one);
    alerts.set(one, played.alerts);
  }
  if (scored.length === 0) throw new LabError(`${eventsFile} holds no events of a replay`);
  return {
    windows: {
      other: windowFigures(scored, 'other'),
      af: windowFigures(scored, 'af'),
      'left-out': windowFigures(scored, 'left-out'),
    },
    // Our beats are not the annotated ones: which of them are ectopic is not known here.
    falsePositivesByEctopy: [],
    alarms: alarmFigures(scored, shippedSetting(), true, (one) => alerts.get(one)!),
  };
}

async function readReplay(file: string): Promise<Played[]> {
  const all: Played[] = [];
  for await (const text of createInterface({ input: createReadStream(file) })) {
    const line = JSON.parse(text) as ReplayLine;
    if (line.type === 'start') {
      const { record, rateHz } = line;
      all.push({ record, rateHz, beatsMs: [], verdicts: [], alerts: [], endMs: 0 });
      continue;
    }
    const played = all.at(-1);
    if (!played) throw new LabError(`${file} does not begin as a replay does`);
    const tMs = line.t * 1000;
    if (line.type === 'beat') played.beatsMs.push(tMs);
    else if (line.type === 'end') played.endMs = tMs;
    else if (line.type === 'rhythm' && line.windowBeats >= VERDICT_BEATS) {
      played.verdicts.push({ tMs, score: line.score });
    } else if (line.type === 'alert' && line.kind === 'atrial-fibrillation') {
      if (line.event === 'new') played.alerts.push({ raisedMs: tMs, endMs: Number.POSITIVE_INFINITY });
      else if (line.event === 'end') played.alerts.at(-1)!.endMs = tMs;
    }
  }
  return all;
}

/** Beats may be printed after the rhythm that rests on them: each verdict is laid at the last beat up to its time. */
function judged(played: Played, reference: Parameters<typeof rhythmAt>[0]): ScoredRhythm {
  const { beatsMs, endMs, rateHz, record } = played;
  beatsMs.sort((a, b) => a - b);
  const count = beatsMs.length;
  const { labels, episodes } = rhythmAt(reference, rateHz, beatsMs, endMs);
  const ends: number[] = [];
  const scores: number[] = [];
  let last = -1;
  for (const { tMs, score } of played.verdicts) {
    // Printed times are rounded to a tenth of a millisecond.
    while (last + 1 < count && beatsMs[last + 1]! <= tMs + 0.1) last++;
    if (last < VERDICT_BEATS - 1) continue;
    ends.push(last);
    scores.push(score);
  }
  return {
    record: {
      database: 'replayed',
      record,
      count,
      rrMs: Float32Array.from(beatsMs, (tMs, i) => (i > 0 ? tMs - beatsMs[i - 1]! : 0)),
      tMs: Float64Array.from(beatsMs),
      labels,
      ectopic: new Uint8Array(count),
      unbroken: new Uint8Array(count).fill(VERDICT_BEATS),
      episodes,
      durationMs: endMs,
    },
    ends: Uint32Array.from(ends),
    startMs: Float64Array.from(ends, (end) => beatsMs[end - VERDICT_BEATS + 1]!),
    scores: Float32Array.from(scores),
  };
}
