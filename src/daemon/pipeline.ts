import type { AlarmEngine } from '../alarm/engine.js';
import type { Evidence } from '../domain/alert.js';
import type { Beat, BeatScores } from '../domain/beat.js';
import type { StreamMs } from '../domain/clock.js';
import type { Quality } from '../domain/quality.js';
import type { Carries, DropReason, ReadingSink } from '../domain/reading.js';
import type { Rhythm } from '../domain/rhythm.js';
import type { ShockableVerdict } from '../domain/shockable.js';
import type { StageRecorder } from '../domain/stage.js';
import type { SampleClock } from '../sensor/sample-clock.js';
import type { AnomalyPath } from './anomaly-path.js';
import type { BeatClassifier } from './beat-classifier.js';
import { type BeatPath, createBeatPath } from './beat-paths.js';
import { type RhythmModelUse, RhythmPath } from './rhythm-path.js';
import { type ShockableModelUse, ShockablePath } from './shockable-path.js';
import { TraceRing } from './trace-ring.js';

/** What a pipeline tells whoever shows, publishes or prints. Every member is called synchronously. */
export interface PipelineListener {
  beat?(beat: Beat): void;
  /** Follows its `beat`, in the order of beats; null where the model gave no answer. */
  classified?(beat: Beat, scores: BeatScores | null): void;
  rhythm?(rhythm: Rhythm): void;
  shockable?(verdict: ShockableVerdict): void;
  quality?(quality: Quality): void;
  /** Waveform samples as decoded, for a live trace. The array is reused. */
  samples?(values: Float32Array, count: number, firstSample: number): void;
  frame?(): void;
  dropped?(reason: DropReason, bytes: number): void;
  spo2?(percent: number): void;
  battery?(percent: number): void;
}

export interface PipelineOptions {
  readonly carries: Carries;
  /** Samples per second of the waveform; ignored where there is none. */
  readonly rateHz: number;
  readonly sampleClock: SampleClock;
  /** The engine's `capture` should call this pipeline's. */
  readonly alarms: AlarmEngine;
  /** null: beats are not classified (no ECG, or no model). */
  readonly classifier: BeatClassifier | null;
  /** The model that judges the rhythm; the rule does where it is left out. */
  readonly rhythmModel?: RhythmModelUse | null;
  /** The model that looks for fibrillation in an ECG; nothing does where it is left out. */
  readonly shockableModel?: ShockableModelUse | null;
  /** 0 to 1: when in each second that model looks. Left out: 0, as a replay has it. */
  readonly phase?: number | undefined;
  /** What knows the person's usual rhythm; nothing does where it is left out. */
  readonly anomalyPath?: AnomalyPath | null;
  readonly stages: StageRecorder;
  /** Monotonic milliseconds, for measuring how long stages take. */
  readonly nowMs: () => number;
  readonly listener: PipelineListener;
  /** false: beats come by `referenceBeat`, not from our detector. */
  readonly detect?: boolean;
}

/** Samples of one chunk are gathered and run together: one time measurement a chunk instead of one a sample. */
const BLOCK_SAMPLES = 512;
/** A word on the rhythm comes every five usable intervals; an older one is of a rhythm that nobody sees any more. */
const RHYTHM_FRESH_MS = 60_000;
/** A counted loss up to this long is bridged by holding the last value; a longer one breaks the signal. */
const BRIDGED_GAP_MS = 40;

/**
 * One sensor's way from readings to alarms, for a live sensor and for a replay alike: it is fed by a decoder (as its
 * sink) and told the time by its caller; it owns no timer and never waits.
 */
export class Pipeline implements ReadingSink {
  private readonly block = new Float32Array(BLOCK_SAMPLES);
  private blockCount = 0;
  /** Samples since the stream's start, lost ones counted. */
  private sampleCount = 0;
  private lastValue = 0;
  private arrivedAtMs: StreamMs = 0;
  private tickedAtMs: StreamMs = 0;
  private cause: StreamMs | null = null;
  private detectMs = 0;
  /** As the device last said; null where it has not, or not since the signal broke. */
  private touching: boolean | null = null;
  /** The chunk held something: silence of the heart counts only while the sensor itself is heard. */
  private heard = false;
  private readonly path: BeatPath;
  private readonly rhythmPath: RhythmPath;
  private readonly shockablePath: ShockablePath | null;
  /** A field of its own: the flight recorder keeps what is in fields. */
  private readonly anomalyPath: AnomalyPath | null;
  private readonly trace: TraceRing | null;
  private currentQuality: Quality = { tMs: 0, state: 'none', reasons: ['starting'] };

  constructor(private readonly options: PipelineOptions) {
    const { carries, rateHz, alarms } = options;
    this.trace = carries.waveform ? new TraceRing(rateHz, carries.waveform.unit) : null;
    this.rhythmPath = new RhythmPath({
      model: options.rhythmModel ?? null,
      causeMs: () => this.cause,
      onRhythm: (rhythm, causeMs) => this.onRhythm(rhythm, causeMs),
    });
    this.anomalyPath = options.anomalyPath ?? null;
    const { shockableModel: shockable } = options;
    this.shockablePath =
      shockable && carries.waveform?.kind === 'ecg'
        ? new ShockablePath({
            rateHz,
            model: shockable,
            phase: options.phase,
            timeOf: (sample) => options.sampleClock.timeOf(sample),
            touching: () => this.currentQuality.state !== 'contact-off',
            causeMs: () => this.cause,
            onVerdict: (verdict, causeMs) => this.onVerdict(verdict, causeMs),
          })
        : null;
    this.path = createBeatPath({
      carries,
      rateHz,
      sampleClock: options.sampleClock,
      detect: options.detect ?? true,
      onBeat: (beat) => this.onBeat(beat),
      onQuality: (quality) => this.onQuality(quality),
      onDeviceHeartRate: (tMs, hrBpm) => {
        alarms.deviceHeartRate(tMs, hrBpm);
        if (!carriesBeats(carries)) this.anomalyPath?.rate(hrBpm, tMs);
      },
    });
    options.classifier?.onScores((beat, scores, causeMs) => this.onScores(beat, scores, causeMs));
  }

  get quality(): Quality {
    return this.currentQuality;
  }

  get heartRateBpm(): number | null {
    return this.path.heartRateBpm;
  }

  /** The last word on the rhythm; null where there is none of late: contact lost, bad signal. */
  get rhythm(): Rhythm | null {
    const { current } = this.rhythmPath;
    return current && this.tickedAtMs - current.tMs <= RHYTHM_FRESH_MS ? current : null;
  }

  /** When the bytes arrived that caused what happens now; null where time alone did. */
  get causeMs(): StreamMs | null {
    return this.cause;
  }

  /** Samples decoded so far. */
  get samples(): number {
    return this.sampleCount + this.blockCount;
  }

  /** Decodes one chunk that arrived at `arrivedAtMs` through `decode`, which must call this sink. */
  chunk(arrivedAtMs: StreamMs, decode: () => void): void {
    const { nowMs, stages } = this.options;
    this.arrivedAtMs = arrivedAtMs;
    this.cause = arrivedAtMs;
    this.detectMs = 0;
    const start = nowMs();
    decode();
    const decodedMs = nowMs() - start - this.detectMs;
    this.flushBlock();
    if (this.heard) this.options.alarms.link(this.now(), 'data');
    this.heard = false;
    stages.record('decode', decodedMs);
    if (this.detectMs > 0) stages.record('detect', this.detectMs);
    this.cause = null;
  }

  /** Time passes: to be called at least every 100 ms of stream time, with or without data. */
  tick(tMs: StreamMs): void {
    const start = this.options.nowMs();
    this.tickedAtMs = tMs;
    this.path.tick(tMs);
    this.options.alarms.tick(tMs);
    this.options.stages.record('alarm', this.options.nowMs() - start);
  }

  /** The link was reopened or the rate's clock began anew. */
  interrupted(tMs: StreamMs): void {
    this.flushBlock();
    this.breakSignal(tMs);
  }

  /** The stream ends: what is pending is decided. */
  end(tMs: StreamMs): void {
    this.flushBlock();
    this.path.flush();
    this.options.classifier?.flush();
    this.options.alarms.tick(tMs);
  }

  /** Resolves when no answer of the model is pending. */
  async settled(): Promise<void> {
    await this.options.classifier?.settled();
    await this.rhythmPath.settled();
    await this.shockablePath?.settled();
    await this.anomalyPath?.settled();
  }

  /** A beat known beforehand, at this sample (replay with `detect: false`); to be given soon after the sample itself. */
  referenceBeat(sample: number): void {
    this.flushBlock();
    this.path.referenceBeat(sample);
  }

  /** A stretch of the waveform as evidence. */
  capture(fromMs: StreamMs, toMs: StreamMs): Evidence['signal'] | undefined {
    return this.trace?.capture(fromMs, toMs, (sample) => this.options.sampleClock.timeOf(sample));
  }

  // --- ReadingSink ---

  sample(value: number): void {
    this.heard = true;
    if (this.blockCount === BLOCK_SAMPLES) this.flushBlock();
    this.block[this.blockCount++] = value;
  }

  lost(samples: number): void {
    this.flushBlock();
    if (samples * this.options.sampleClock.periodMs <= BRIDGED_GAP_MS) {
      for (let i = 0; i < samples; i++) this.sample(this.lastValue);
      return;
    }
    this.sampleCount += samples;
    this.path.skip(samples);
    this.options.classifier?.skip(samples);
    this.shockablePath?.skip(samples);
    this.trace?.push(Number.NaN);
    this.breakSignal(this.arrivedAtMs);
  }

  deviceTime(_tMs: number): void {
    // Formats with device time also count samples, and the counter is what the sample clock runs on.
  }

  beat(): void {
    this.heard = true;
    this.flushBlock();
    this.path.deviceBeat(this.now(), this.options.carries.waveform ? this.sampleCount : -1);
  }

  rr(rrMs: number): void {
    this.heard = true;
    this.flushBlock();
    this.path.deviceRr(this.arrivedAtMs, rrMs);
  }

  heartRate(hrBpm: number): void {
    this.heard = true;
    this.flushBlock();
    this.path.deviceHeartRate(this.arrivedAtMs, hrBpm);
  }

  spo2(percent: number): void {
    this.options.listener.spo2?.(percent);
  }

  contact(on: boolean): void {
    // Devices say it with every frame: only a change may cut the block short.
    if (on === this.touching) return;
    this.touching = on;
    this.flushBlock();
    this.path.contact(on, this.now());
  }

  battery(percent: number): void {
    this.options.listener.battery?.(percent);
  }

  frame(): void {
    this.heard = true;
    this.options.listener.frame?.();
  }

  dropped(reason: DropReason, bytes: number): void {
    this.options.listener.dropped?.(reason, bytes);
  }

  // --- forward ---

  /** Stream time of the newest reading. */
  private now(): StreamMs {
    return this.options.carries.waveform ? this.options.sampleClock.timeOf(this.sampleCount) : this.arrivedAtMs;
  }

  private flushBlock(): void {
    const count = this.blockCount;
    if (count === 0) return;
    const { nowMs, classifier, listener } = this.options;
    const start = nowMs();
    const first = this.sampleCount;
    this.blockCount = 0;
    listener.samples?.(this.block, count, first);
    for (let i = 0; i < count; i++) {
      const raw = this.block[i]!;
      const valid = Number.isFinite(raw);
      // A value that is none is held, and the quality gate hears of it: detectors see no step that no heart made.
      const value = valid ? raw : this.lastValue;
      this.lastValue = value;
      this.trace?.push(value);
      classifier?.push(value);
      this.shockablePath?.push(value);
      this.path.sample(value, valid);
      this.sampleCount++;
    }
    this.detectMs += nowMs() - start;
  }

  private breakSignal(tMs: StreamMs): void {
    this.touching = null;
    this.path.gap(tMs);
    this.options.classifier?.gap();
    this.shockablePath?.gap();
    this.rhythmPath.gap();
    this.anomalyPath?.gap();
  }

  private onBeat(beat: Beat): void {
    const { alarms, classifier, listener, nowMs, stages } = this.options;
    const start = nowMs();
    listener.beat?.(beat);
    alarms.beat(beat);
    stages.record('alarm', nowMs() - start);
    const good = this.currentQuality.state === 'good';
    this.rhythmPath.beat(beat, good);
    this.anomalyPath?.beat(beat, good);
    if (classifier) classifier.beat(beat);
    else listener.classified?.(beat, null);
  }

  private onScores(beat: Beat, scores: BeatScores | null, causeMs: StreamMs | null): void {
    this.cause = causeMs;
    if (scores) this.options.alarms.scores(beat, scores);
    this.options.listener.classified?.(beat, scores);
    this.cause = null;
  }

  private onRhythm(rhythm: Rhythm, causeMs: StreamMs | null): void {
    const { alarms, listener } = this.options;
    const before = this.cause;
    this.cause = causeMs;
    listener.rhythm?.(rhythm);
    alarms.rhythm(rhythm);
    this.cause = before;
  }

  private onVerdict(verdict: ShockableVerdict, causeMs: StreamMs | null): void {
    const before = this.cause;
    this.cause = causeMs;
    this.options.listener.shockable?.(verdict);
    this.options.alarms.shockable(verdict);
    this.cause = before;
  }

  private onQuality(quality: Quality): void {
    this.currentQuality = quality;
    this.options.listener.quality?.(quality);
    this.options.alarms.quality(quality);
  }
}

/** A sensor that shows beats or intervals is judged by them, and not by the rate it tells beside them. */
function carriesBeats({ waveform, rr, beatFlags }: Carries): boolean {
  return waveform !== null || rr || beatFlags;
}
