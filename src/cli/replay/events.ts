import type { AlertChange } from '../../domain/alert.js';
import type { AnomalyVerdict } from '../../domain/anomaly.js';
import type { Beat, BeatScores } from '../../domain/beat.js';
import type { StreamMs } from '../../domain/clock.js';
import type { Quality } from '../../domain/quality.js';
import type { Rhythm } from '../../domain/rhythm.js';
import type { ShockableVerdict } from '../../domain/shockable.js';
import type { Annotation } from '../../lab/wfdb/index.js';
import type { ReplaySource } from './source.js';

function share(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}

const RHYTHM_AUX = { afib: '(AFIB', regular: '(N' } as const;

/** A verdict of the shockable model is printed where it leaves this much or less to other rhythms. */
const SUSPECTED_BELOW = 0.7;

/** What a line may be of. `start` and `end` frame every record. */
export const EVENT_TYPES = ['start', 'beat', 'rhythm', 'shockable', 'anomaly', 'quality', 'alert', 'end'] as const;
type EventType = (typeof EVENT_TYPES)[number];

/** The JSON lines of one record (contracts.md, `replay`), and the annotations made of them. */
export class ReplayEvents {
  readonly annotations: Annotation[] = [];
  beats = 0;
  private readonly startMs: StreamMs;
  private readonly only: ReadonlySet<string> | null;
  private rhythmAux = '';
  private suspected = false;
  private departed = false;

  constructor(
    private readonly source: Pick<ReplaySource, 'record' | 'rateHz' | 'signal'>,
    private readonly write: (line: string) => void,
    options: {
      /** Stream time of the record's start. */
      readonly startMs?: StreamMs;
      /** Types of the lines that are written, beside `start` and `end`; null: all. */
      readonly only?: ReadonlySet<string> | null;
    } = {},
  ) {
    this.startMs = options.startMs ?? 0;
    this.only = options.only ?? null;
  }

  start(version: string): void {
    const { record, rateHz, signal } = this.source;
    this.line({ type: 'start', record, rateHz, signal, version });
  }

  beat(beat: Beat, scores: BeatScores | null): void {
    this.beats++;
    const sample = beat.sample >= 0 ? beat.sample : Math.round(((beat.tMs - this.startMs) * this.source.rateHz) / 1000);
    if (this.wants('beat'))
      this.line({
        type: 'beat',
        t: this.seconds(beat.tMs),
        sample,
        rrMs: beat.rrMs === null ? null : Math.round(beat.rrMs * 10) / 10,
        class: scores?.class ?? null,
        scores: scores && { N: share(scores.scores.N), S: share(scores.scores.S), V: share(scores.scores.V) },
        quality: share(beat.quality),
      });
    this.annotate(sample, scores?.class ?? 'N');
  }

  rhythm(rhythm: Rhythm): void {
    const { label, score, windowBeats, source } = rhythm;
    this.line({ type: 'rhythm', t: this.seconds(rhythm.tMs), label, score: share(score), windowBeats, source });
    if (label === 'unknown' || RHYTHM_AUX[label] === this.rhythmAux) return;
    this.rhythmAux = RHYTHM_AUX[label];
    this.annotate(Math.round(((rhythm.tMs - this.startMs) * this.source.rateHz) / 1000), '+', this.rhythmAux);
  }

  /** Told while a rhythm departs from the person's usual, and once when it no longer does. */
  anomaly({ tMs, score, learning, rateBpm, irregularityPercent, prematurePercent }: AnomalyVerdict): void {
    const departs = !learning && score > 1;
    if (departs || this.departed) {
      const figures = { rateBpm, irregularityPercent, prematurePercent };
      this.line({ type: 'anomaly', t: this.seconds(tMs), score: share(score), ...figures });
    }
    this.departed = departs;
  }

  /** Told while the model suspects something, and once when it no longer does: a line a second would drown the rest. */
  shockable({ tMs, scores, ratePerMinute }: ShockableVerdict): void {
    const suspects = scores.other < SUSPECTED_BELOW;
    if (suspects || this.suspected) {
      this.line({
        type: 'shockable',
        t: this.seconds(tMs),
        score: share(1 - scores.other),
        scores: { other: share(scores.other), vt: share(scores.vt), vf: share(scores.vf) },
        ratePerMinute: Math.round(ratePerMinute),
      });
    }
    this.suspected = suspects;
  }

  quality(quality: Quality): void {
    this.line({ type: 'quality', t: this.seconds(quality.tMs), state: quality.state, reasons: quality.reasons });
  }

  alert(change: AlertChange, nowMs: StreamMs): void {
    const { event, id, kind, priority, category, sequence, values } = change;
    const t = event === 'new' ? change.raisedMs : event === 'end' ? (change.endedMs ?? nowMs) : nowMs;
    this.line({
      type: 'alert',
      t: this.seconds(t),
      event,
      id,
      kind,
      priority,
      category,
      sequence,
      onsetT: this.seconds(change.onsetMs),
      values,
    });
  }

  end(durationMs: StreamMs, wallSeconds: number): void {
    this.line({
      type: 'end',
      t: this.seconds(durationMs),
      beats: this.beats,
      wallSeconds: Math.round(wallSeconds * 1000) / 1000,
    });
  }

  /** Seconds with a tenth of a millisecond: finer than any sample. */
  private seconds(tMs: StreamMs): number {
    return Math.round((tMs - this.startMs) * 10) / 10_000;
  }

  private annotate(sample: number, symbol: string, aux = ''): void {
    this.annotations.push({ sample, symbol, subtype: 0, chan: 0, num: 0, aux });
  }

  private wants(type: EventType): boolean {
    return this.only === null || this.only.has(type);
  }

  private line(event: { readonly type: EventType; readonly [more: string]: unknown }): void {
    const framing = event.type === 'start' || event.type === 'end';
    if (framing || this.wants(event.type)) this.write(`${JSON.stringify(event)}\n`);
  }
}
