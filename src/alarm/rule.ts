import type { AlertKind, AlertValues } from '../domain/alert.js';
import type { AnomalyVerdict } from '../domain/anomaly.js';
import type { Beat, BeatScores } from '../domain/beat.js';
import type { StreamMs } from '../domain/clock.js';
import type { ModelSlot } from '../domain/inference.js';
import type { Rhythm } from '../domain/rhythm.js';
import type { ShockableVerdict } from '../domain/shockable.js';
import type { AlarmView } from './view.js';

/**
 * What a rule says of its condition at this moment.
 * - `present`: it holds, long enough to be told.
 * - `holding`: between the thresholds (or before the sustain time): opens nothing, ends nothing.
 * - `absent`: it surely does not hold.
 * - `blind`: there is no evidence either way.
 * - `withdrawn`: what was said before was wrong; said once, the alert ends at once.
 */
export type RuleState = 'present' | 'holding' | 'absent' | 'blind' | 'withdrawn';

/** What a rule found, asked for only while its state is `present`. */
export interface Finding {
  /** When the condition began in the body. */
  readonly onsetMs: StreamMs;
  readonly values: AlertValues;
  /** Score of the model, where one decided. */
  readonly score?: number;
  /** Which model that was, where it is not the kind's usual one. */
  readonly slot?: ModelSlot;
}

/**
 * One kind of alarm: it gathers evidence and says what it means. It knows nothing of alerts, ids or other rules; the
 * lifecycle makes alerts of what it says. All times are stream times, and none may be taken from anywhere else.
 */
export interface Rule {
  readonly kind: AlertKind;
  /** A rule is not asked while what it needs is missing: good signal, or any signal from a sensor on the body. */
  readonly needs: 'good-signal' | 'contact' | 'nothing';
  /** Asked while the signal is not good: true where the rule has evidence that doubtful signal does not touch. */
  seesThrough?(view: AlarmView): boolean;
  /** How long the rule must say `absent` before its alert ends. */
  readonly clearMs: number;
  /** A beat, after it entered `view.beats`. */
  beat?(beat: Beat, view: AlarmView): void;
  /** The model's word on an earlier beat, after it entered `view.beats`. */
  scores?(beat: Beat, scores: BeatScores, view: AlarmView): void;
  rhythm?(rhythm: Rhythm, view: AlarmView): void;
  anomaly?(verdict: AnomalyVerdict, view: AlarmView): void;
  shockable?(verdict: ShockableVerdict, view: AlarmView): void;
  inference?(tMs: StreamMs, condition: InferenceCondition, reason: string): void;
  device?(tMs: StreamMs, condition: DeviceCondition): void;
  state(view: AlarmView): RuleState;
  finding(view: AlarmView): Finding;
  /** Values of the whole episode for the alert's end, where the last finding does not tell them. */
  summary?(): AlertValues;
  /** Forget all evidence: a higher kind explains it. */
  reset(): void;
}

/** How the device does that all sensors share, as far as an alarm is concerned. */
export interface DeviceCondition {
  /** Alerts were given up for want of room, and there is no room yet. */
  readonly outboxFull: boolean;
  /** Alerts given up since the start. */
  readonly shedAlerts: number;
  readonly clockSynced: boolean;
  /** Nothing can be kept on the disk; left out in recordings of earlier versions. */
  readonly memoryOnly?: boolean;
}

/** How the model is doing, as far as an alarm is concerned. */
export type InferenceCondition = 'starting' | 'ready' | 'down' | 'slow';

/** One decimal is what a heart rate is worth. */
export const round1 = (value: number): number => Math.round(value * 10) / 10;
export const round3 = (value: number): number => Math.round(value * 1000) / 1000;
