import type { AlarmSettings } from '../config/alarms.js';
import type { AlertChange, AlertKind, Evidence, ModelRef } from '../domain/alert.js';
import type { AnomalyVerdict } from '../domain/anomaly.js';
import type { Beat, BeatScores } from '../domain/beat.js';
import type { StreamMs } from '../domain/clock.js';
import type { ModelSlot } from '../domain/inference.js';
import type { Quality } from '../domain/quality.js';
import type { Rhythm } from '../domain/rhythm.js';
import type { ShockableVerdict } from '../domain/shockable.js';
import { type CommandResult, Lifecycle } from './lifecycle.js';
import type { StandingAlert, ToldAlert } from './open-alert.js';
import type { Peers, Witness } from './peers.js';
import type { DeviceCondition, InferenceCondition, Rule } from './rule.js';
import { createRules } from './rules/registry.js';
import type { AlarmSnapshot } from './snapshot.js';
import { AlarmView } from './view.js';

export type { CommandResult, EndReason } from './lifecycle.js';
export type { ToldAlert } from './open-alert.js';
export type { InferenceCondition } from './rule.js';
export type { AlarmSnapshot } from './snapshot.js';

export interface AlarmEngineOptions {
  readonly sensor: string;
  readonly settings: AlarmSettings;
  /**
   * False for a sensor that sends nothing but its own heart rate: that it never shows a beat is then no asystole.
   * Default true.
   */
  readonly carriesBeats?: boolean;
  /**
   * Whether something vouches for the signal when no beat comes: a waveform we judge ourselves, or the device's word on
   * contact (`carries.waveform !== null || carries.contact`). False: no asystole and no pause. Left out, it is decided
   * by the beats' source: intervals that a device hands over vouch for nothing.
   */
  readonly silenceIsEvidence?: boolean;
  /** Called synchronously, in order. */
  emit(change: AlertChange): void;
  /** A fresh id, unique for ever. */
  newId(): string;
  /** The waveform of a stretch of stream time as evidence, where there is one. */
  capture(fromMs: StreamMs, toMs: StreamMs): Evidence['signal'] | undefined;
  /** The model behind alerts of this kind; the one in `slot`, where that is told. */
  modelInfo(kind: AlertKind, slot?: ModelSlot): ModelRef | null;
  /** Other sensors on the same person; left out where there are none. */
  readonly peers?: Peers | undefined;
  /** Hears what reaches this engine from elsewhere than the sensor's own data, before it is acted on. */
  readonly onTold?: ((call: ToldCall, ...args: readonly unknown[]) => void) | undefined;
}

export type ToldCall = 'inference' | 'device' | 'ack' | 'snooze' | 'recall';

/** A rate no heart has: the device's word for "none", or nonsense. */
const HIGHEST_DEVICE_BPM = 350;

/**
 * One sensor's alarms: what the stations before it say goes in, alert events come out. It has no timer and no clock: it
 * knows only the stream times it is told, so a step of the wall clock cannot reach it and a replay decides alike.
 * Inputs with a time that is no number are ignored; times may come out of order, its own time never goes back.
 */
export class AlarmEngine {
  private readonly view: AlarmView;
  private readonly lifecycle: Lifecycle;
  private readonly rules: Rule[];

  private readonly sensor: string;

  constructor(private readonly options: AlarmEngineOptions) {
    this.sensor = options.sensor;
    const created = createRules(options.settings, options.carriesBeats ?? true);
    this.rules = created.map(({ rule }) => rule);
    this.view = new AlarmView(options.settings.signal, options.silenceIsEvidence);
    this.lifecycle = new Lifecycle(created, {
      sensor: options.sensor,
      settings: options.settings,
      view: this.view,
      emit: (change) => options.emit(change),
      newId: () => options.newId(),
      capture: (fromMs, toMs) => options.capture(fromMs, toMs),
      modelInfo: (kind, slot) => options.modelInfo(kind, slot),
      peers: options.peers,
    });
  }

  /** A beat, in order of time (a device's bundle of intervals may end up at one time). */
  beat(beat: Beat): void {
    const { view } = this;
    if (!Number.isFinite(beat.tMs) || beat.tMs < view.lastBeatMs) return;
    const decidedAtMs = Number.isFinite(beat.decidedAtMs) ? Math.max(beat.decidedAtMs, beat.tMs) : beat.tMs;
    view.advance(decidedAtMs);
    this.heard(decidedAtMs);
    view.addBeat(beat);
    for (const rule of this.rules) rule.beat?.(beat, view);
    this.lifecycle.evaluate();
  }

  /** What the model says of a beat that was told before, in any order. */
  scores(beat: Beat, scores: BeatScores): void {
    const back = this.view.beats.backOf(beat.tMs);
    if (back < 0) return;
    this.view.beats.classify(back, scores.class, scores.scores.V);
    for (const rule of this.rules) rule.scores?.(beat, scores, this.view);
    this.lifecycle.evaluate();
  }

  /** A rhythm estimate, after the beats it is about. */
  rhythm(rhythm: Rhythm): void {
    if (!this.view.advance(rhythm.tMs)) return;
    this.view.setRhythm(rhythm);
    for (const rule of this.rules) rule.rhythm?.(rhythm, this.view);
    this.lifecycle.evaluate();
  }

  /** What the shockable model says of the last seconds of the signal. */
  shockable(verdict: ShockableVerdict): void {
    if (!this.view.advance(verdict.tMs)) return;
    for (const rule of this.rules) rule.shockable?.(verdict, this.view);
    this.lifecycle.evaluate();
  }

  /** How far the last intervals depart from this person's usual. */
  anomaly(verdict: AnomalyVerdict): void {
    if (!this.view.advance(verdict.tMs)) return;
    for (const rule of this.rules) rule.anomaly?.(verdict, this.view);
    this.lifecycle.evaluate();
  }

  /** The device's own rate; 0 or NaN: it has none. */
  deviceHeartRate(tMs: StreamMs, hrBpm: number): void {
    if (!this.view.advance(tMs)) return;
    this.heard(tMs);
    this.view.setDeviceRate(tMs, hrBpm > 0 && hrBpm <= HIGHEST_DEVICE_BPM ? hrBpm : Number.NaN);
    this.lifecycle.evaluate();
  }

  /**
   * The signal's state from `quality.tMs` on. Health rules see nothing while it is not good. A source that never calls
   * this is taken as good from its first beat on.
   */
  quality(quality: Quality): void {
    if (!this.view.advance(quality.tMs)) return;
    this.view.setQuality(quality);
    this.lifecycle.evaluate();
  }

  /**
   * `data`: the sensor's data reaches up to `tMs`. To be called with every chunk of valid data (at least as often as
   * `tick`): silence of the heart is counted on data, not on the clock, so without it there is no asystole and, without
   * beats either, `no-data` comes. `silent`: the link has given up hope of data for now (three missed silence times).
   */
  link(tMs: StreamMs, state: 'data' | 'silent'): void {
    if (!this.view.advance(tMs)) return;
    if (state === 'data') this.heard(tMs);
    else if (!this.view.linkSilent) {
      this.view.silent();
      this.lifecycle.evaluate();
    }
  }

  /** How the model does from `tMs` on, with a reason for a person to read. Never called: no model is wanted. */
  inference(tMs: StreamMs, condition: InferenceCondition, reason: string): void {
    this.options.onTold?.('inference', tMs, condition, reason);
    if (!this.view.advance(tMs)) return;
    for (const rule of this.rules) rule.inference?.(tMs, condition, reason);
    this.lifecycle.evaluate();
  }

  /** How the device does from `tMs` on. Never called (a replay): its rules stay silent. */
  device(tMs: StreamMs, condition: DeviceCondition): void {
    this.options.onTold?.('device', tMs, condition);
    if (!this.view.advance(tMs)) return;
    for (const rule of this.rules) rule.device?.(tMs, condition);
    this.lifecycle.evaluate();
  }

  /** Time passes: at least every 100 ms of stream time, with or without data, live and in a replay. */
  tick(tMs: StreamMs): void {
    if (this.view.tick(tMs)) this.lifecycle.evaluate();
  }

  /** The open alerts, each as its last event said it, with the evidence of its first. */
  active(): readonly StandingAlert[] {
    return this.lifecycle.active();
  }

  /** Whether an alert of this kind is open, or stands and was snoozed: other sensors of the person need not raise it. */
  tells(kind: AlertKind): boolean {
    return this.lifecycle.tells(kind);
  }

  /** What this sensor can say for the other sensors of its person; null while its signal is not good. */
  witness(): Witness | null {
    return this.view.witness(this.sensor);
  }

  /** Somebody has seen the open alert of this kind: it sends no updates until then, but its end. */
  ack(kind: AlertKind, untilMs: StreamMs): CommandResult {
    this.options.onTold?.('ack', kind, untilMs);
    return this.lifecycle.acknowledge(kind, untilMs);
  }

  /** No alert of this kind until then (at most as long as configured); an open one ends. */
  snooze(kind: AlertKind, untilMs: StreamMs): CommandResult {
    this.options.onTold?.('snooze', kind, untilMs);
    return this.lifecycle.snooze(kind, untilMs);
  }

  /** The sensor leaves service (removed from the config, end of a replay): every open alert ends now. */
  stop(tMs: StreamMs): void {
    this.view.advance(tMs);
    this.lifecycle.endAll();
  }

  /** Open alerts, acknowledgements and snoozes as plain JSON; to be stored in one batch with each emitted change. */
  snapshot(toWallMs: (tMs: StreamMs) => number): AlarmSnapshot {
    return this.lifecycle.snapshot(toWallMs);
  }

  /**
   * Takes up what an earlier process left open, before anything else is told to this engine. `nowMs` is stream time.
   * @param quiet `recall` will be called: until then the open alerts say nothing but their end
   */
  restore(snapshot: AlarmSnapshot, toStreamMs: (wallMs: number) => StreamMs, nowMs: StreamMs, quiet = false): void {
    this.view.advance(nowMs);
    this.lifecycle.restore(snapshot, toStreamMs, nowMs, quiet);
  }

  /**
   * What an earlier process told of and had open, which may be more than it stored: to be called at most once, and at any
   * time after `restore`. The caller leaves out what it knows to have ended.
   */
  recall(tMs: StreamMs, told: readonly ToldAlert[]): void {
    this.options.onTold?.('recall', tMs, told);
    if (!this.view.advance(tMs)) return;
    this.lifecycle.recall(told);
    this.lifecycle.evaluate();
  }

  private heard(tMs: StreamMs): void {
    // What was read before the silence and is decided only now does not end it.
    if (tMs > this.view.dataUntilMs) this.view.linkSilent = false;
    this.view.data(tMs);
  }
}
