import { AlarmEngine, type AlarmSnapshot } from '../../src/alarm/engine.js';
import type { Peers } from '../../src/alarm/peers.js';
import { type AlarmSettings, alarmSettingsSchema } from '../../src/config/alarms.js';
import type { AlertChange, AlertKind, Evidence } from '../../src/domain/alert.js';
import type { Beat, BeatClass, BeatShape } from '../../src/domain/beat.js';
import type { QualityState } from '../../src/domain/quality.js';
import type { Rhythm } from '../../src/domain/rhythm.js';

type DeepPartial<T> = { [K in keyof T]?: T[K] extends object ? DeepPartial<T[K]> : T[K] };

export const settingsWith = (over: DeepPartial<AlarmSettings> = {}): AlarmSettings => alarmSettingsSchema.parse(over);

export interface BeatOptions {
  readonly beatClass?: BeatClass | null;
  readonly quality?: number;
  /** What the waveform shows, where one is looked at. */
  readonly shape?: BeatShape;
}

/** Outlines as a heart's beats have them, and as those have that noise makes; far from a sine wave, both. */
export const REPEATING: BeatShape = { alike: [0.98, 0.97, 0.98, 0.96], leak: 0.75 };
export const NOISY: BeatShape = { alike: [0.5, 0.3, 0.6, 0.2], leak: 0.75 };

/** What a detector of ours needs to decide on a beat. */
export const DETECTOR_DELAY_MS = 150;

/** Plays hand-made hearts into an engine as the pipeline does: data and a tick every 100 ms, beats a little late. */
export class Bench {
  engine: AlarmEngine;
  readonly changes: AlertChange[] = [];
  nowMs = 0;
  /** Whether data reaches the engine as time passes. */
  dataFlows = true;
  lastBeatMs: number | null = null;
  /** Hears of each alert event. */
  emit: (change: AlertChange) => void = (change) => this.changes.push(change);
  private ids = 0;
  private readonly pending: { beat: Beat; beatClass: BeatClass | null }[] = [];
  private nextTickMs: number;

  constructor(
    readonly settings: AlarmSettings = settingsWith(),
    readonly carriesBeats = true,
    readonly capture: (fromMs: number, toMs: number) => Evidence['signal'] | undefined = () => undefined,
    private readonly tickMs = 100,
    private readonly silenceIsEvidence?: boolean,
    private readonly peers?: Peers,
    readonly sensor = 'chest',
  ) {
    this.nextTickMs = tickMs;
    this.engine = this.create(settings);
  }

  create(settings: AlarmSettings): AlarmEngine {
    return new AlarmEngine({
      sensor: this.sensor,
      peers: this.peers,
      settings,
      carriesBeats: this.carriesBeats,
      silenceIsEvidence: this.silenceIsEvidence,
      emit: (change) => this.emit(change),
      newId: () => `id-${++this.ids}`,
      capture: this.capture,
      modelInfo: (kind) => ({ name: `model-of-${kind}`, sha256: 'ab'.repeat(32), precision: 'int8' }),
    });
  }

  /** A sensor that has just begun to give good signal. */
  start(): this {
    this.engine.link(this.nowMs, 'data');
    return this.quality('good');
  }

  quality(state: QualityState): this {
    this.engine.quality({ tMs: this.nowMs, state, reasons: state === 'poor' ? ['noise'] : [] });
    if (state === 'contact-off' || state === 'none') this.lastBeatMs = null;
    return this;
  }

  /** Time passes, without new beats. */
  wait(ms: number): this {
    const until = this.nowMs + ms;
    for (;;) {
      const beat = this.pending[0];
      const dueMs = beat ? beat.beat.decidedAtMs : Number.POSITIVE_INFINITY;
      if (Math.min(dueMs, this.nextTickMs) > until) break;
      if (dueMs <= this.nextTickMs && beat) {
        this.pending.shift();
        this.nowMs = Math.max(this.nowMs, dueMs);
        this.engine.beat(beat.beat);
        if (beat.beatClass) this.engine.scores(beat.beat, scoresOf(beat.beatClass));
      } else {
        this.nowMs = this.nextTickMs;
        this.nextTickMs += this.tickMs;
        if (this.dataFlows) this.engine.link(this.nowMs, 'data');
        this.engine.tick(this.nowMs);
      }
    }
    this.nowMs = until;
    return this;
  }

  /** A beat `rrMs` after the last one (after now, where that is past or there is none); the time stands at it then. */
  beat(rrMs: number, { beatClass = 'N', quality = 1, shape }: BeatOptions = {}): this {
    const dueMs = (this.lastBeatMs ?? this.nowMs) + rrMs;
    this.wait(dueMs >= this.nowMs ? dueMs - this.nowMs : rrMs);
    const beat: Beat = {
      tMs: this.nowMs,
      sample: -1,
      rrMs: this.lastBeatMs === null ? null : this.nowMs - this.lastBeatMs,
      decidedAtMs: this.nowMs + DETECTOR_DELAY_MS,
      quality,
      source: 'ecg',
      shape,
    };
    this.lastBeatMs = this.nowMs;
    this.pending.push({ beat, beatClass });
    return this;
  }

  beats(count: number, bpm: number, options: BeatOptions = {}): this {
    for (let i = 0; i < count; i++) this.beat(60_000 / bpm, options);
    return this;
  }

  /** Beats at a rate for a time. */
  run(ms: number, bpm: number, options: BeatOptions = {}): this {
    const until = this.nowMs + ms;
    while ((this.lastBeatMs ?? this.nowMs) + 60_000 / bpm <= until) this.beat(60_000 / bpm, options);
    return this.wait(Math.max(0, until - this.nowMs));
  }

  rhythm(score: number, { windowMs = 45_000, ...rest }: Partial<Rhythm> & { windowMs?: number } = {}): this {
    this.engine.rhythm({
      tMs: this.nowMs,
      label: score > 0.5 ? 'afib' : 'regular',
      score,
      windowBeats: 60,
      windowStartMs: this.nowMs - windowMs,
      source: 'model',
      ...rest,
    });
    return this;
  }

  /** Another process takes over `awayMs` later, with a stream clock that began anew and a wall clock that moved so far. */
  restart({ awayMs = 2_000, wallStepMs = 0, settings = this.settings } = {}): AlarmSnapshot {
    const wallAtZero = 1_790_000_000_000;
    const snapshot = this.engine.snapshot((tMs) => tMs + wallAtZero);
    this.begin(awayMs, settings);
    this.engine.restore(
      JSON.parse(JSON.stringify(snapshot)) as AlarmSnapshot,
      (wallMs) => wallMs - wallAtZero - wallStepMs,
      this.nowMs,
    );
    return snapshot;
  }

  /** Another process, that knows of nothing, takes over `awayMs` later. */
  begin(awayMs: number, settings = this.settings): this {
    this.nowMs += awayMs;
    this.nextTickMs = this.nowMs + this.tickMs;
    this.pending.length = 0;
    this.lastBeatMs = null;
    this.engine = this.create(settings);
    return this;
  }

  of(kind: AlertKind): AlertChange[] {
    return this.changes.filter((c) => c.kind === kind);
  }

  news(kind: AlertKind): AlertChange[] {
    return this.of(kind).filter((c) => c.event === 'new');
  }

  ends(kind: AlertKind): AlertChange[] {
    return this.of(kind).filter((c) => c.event === 'end');
  }

  health(): AlertChange[] {
    return this.changes.filter((c) => c.category === 'health');
  }
}

export function scoresOf(beatClass: BeatClass) {
  const scores = { N: 0.02, S: 0.02, V: 0.02 };
  if (beatClass in scores) scores[beatClass as 'N' | 'S' | 'V'] = 0.96;
  return { class: beatClass, scores };
}
