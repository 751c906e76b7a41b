import {
  type AlertChange,
  type AlertKind,
  type AlertPriority,
  type AlertValues,
  type Evidence,
  HEALTH_KINDS,
  type ListedAlert,
  type ModelRef,
} from '../domain/alert.js';
import type { StreamMs } from '../domain/clock.js';
import type { OpenAlertSnapshot } from './snapshot.js';

const HEALTH: ReadonlySet<string> = new Set(HEALTH_KINDS);

export interface OpenAlertFields {
  readonly id: string;
  readonly kind: AlertKind;
  readonly priority: AlertPriority;
  readonly sensor: string;
  readonly onsetMs: StreamMs;
  readonly raisedMs: StreamMs;
  readonly values: AlertValues;
  readonly evidence: Evidence;
  readonly model: ModelRef | null;
}

/** An open alert as an earlier process told of it; times are this process's stream times. */
export interface ToldAlert extends Omit<ListedAlert, 'onsetAtMs' | 'raisedAtMs'> {
  readonly onsetMs: StreamMs;
  readonly raisedMs: StreamMs;
  /** Later ones of its kind wait to be told: if it is not known here, it is over. */
  readonly isPast?: boolean;
}

/** An alert that is open, as its last event said it. */
export interface StandingAlert extends AlertChange {
  /** Somebody has seen it, and the silence they asked for is not over. */
  readonly acknowledged: boolean;
}

/** One alert between its `new` and its `end`: counts its events and knows what was last said. */
export class OpenAlert {
  sequence = 0;
  /** Rises when the alert lasts and nobody looks. */
  priority: AlertPriority;
  values: AlertValues;
  acknowledgedUntilMs: StreamMs | null = null;
  /** Time between updates; doubles with each. */
  updateIntervalMs = 0;
  nextUpdateMs: StreamMs = 0;
  /** Time without a word after which it reminds; doubles with each reminder. */
  remindIntervalMs = 0;
  reminders = 0;
  /** When its last event went out. */
  toldMs: StreamMs;
  /** Until when its condition was last seen. */
  seenMs: StreamMs;
  /**
   * Of an earlier process, and what that one told last is not known yet: it says nothing but its end, which may be told
   * twice without harm.
   */
  isQuiet = false;

  constructor(readonly fields: OpenAlertFields) {
    this.values = fields.values;
    this.priority = fields.priority;
    this.toldMs = fields.raisedMs;
    this.seenMs = fields.raisedMs;
  }

  /** The next event of this alert. */
  next(event: AlertChange['event'], values: AlertValues, evidence: Evidence, endedMs: StreamMs | null): AlertChange {
    this.sequence++;
    this.values = values;
    return this.change(event, values, evidence, endedMs);
  }

  /** More of it was told than we know of: its next event goes on from there. */
  catchUp({ sequence, priority, values }: ToldAlert): void {
    if (sequence <= this.sequence) return;
    this.sequence = sequence;
    this.priority = priority;
    this.values = values;
  }

  /** The alert as it stands, as its last event said it. */
  current(nowMs: StreamMs): StandingAlert {
    const change = this.change(this.sequence > 1 ? 'update' : 'new', this.values, this.fields.evidence, null);
    return { ...change, acknowledged: this.acknowledgedUntilMs !== null && this.acknowledgedUntilMs > nowMs };
  }

  snapshot(toWallMs: (tMs: StreamMs) => number): OpenAlertSnapshot {
    const { id, kind, onsetMs, raisedMs, evidence, model } = this.fields;
    return {
      id,
      kind,
      priority: this.priority,
      sequence: this.sequence,
      onsetAtMs: toWallMs(onsetMs),
      raisedAtMs: toWallMs(raisedMs),
      values: { ...this.values },
      // The waveform went out with `new`; to keep it would be to write it again with every change of any alert.
      rrMs: [...(evidence.rrMs ?? [])],
      model,
      acknowledgedUntilMs: this.acknowledgedUntilMs === null ? null : toWallMs(this.acknowledgedUntilMs),
      updateIntervalMs: this.updateIntervalMs,
      remindIntervalMs: this.remindIntervalMs,
      reminders: this.reminders,
    };
  }

  private change(
    event: AlertChange['event'],
    values: AlertValues,
    evidence: Evidence,
    endedMs: StreamMs | null,
  ): AlertChange {
    const { id, kind, sensor, onsetMs, raisedMs, model } = this.fields;
    const { priority } = this;
    const category = HEALTH.has(kind) ? 'health' : 'technical';
    const { sequence } = this;
    return {
      id,
      event,
      sequence,
      kind,
      priority,
      category,
      sensor,
      onsetMs,
      raisedMs,
      endedMs,
      values,
      evidence,
      model,
    };
  }
}

/**
 * An alert of an earlier process. The wall clock may have stepped in between, so that the times come out in the future
 * or out of order: they are brought back to onset <= raised <= now.
 */
export function restoreAlert(
  saved: OpenAlertSnapshot,
  sensor: string,
  toStreamMs: (wallMs: number) => StreamMs,
  nowMs: StreamMs,
): OpenAlert {
  const raisedMs = Math.min(toStreamMs(saved.raisedAtMs), nowMs);
  const alert = new OpenAlert({
    id: saved.id,
    kind: saved.kind,
    priority: saved.priority,
    sensor,
    onsetMs: Math.min(toStreamMs(saved.onsetAtMs), raisedMs),
    raisedMs,
    values: saved.values,
    evidence: saved.rrMs.length > 0 ? { rrMs: saved.rrMs } : {},
    model: saved.model,
  });
  alert.sequence = saved.sequence;
  alert.acknowledgedUntilMs = saved.acknowledgedUntilMs === null ? null : toStreamMs(saved.acknowledgedUntilMs);
  alert.updateIntervalMs = saved.updateIntervalMs;
  alert.nextUpdateMs = nowMs + saved.updateIntervalMs;
  alert.remindIntervalMs = saved.remindIntervalMs;
  alert.reminders = saved.reminders;
  // When it last spoke is not known any more: the wait begins anew.
  alert.toldMs = nowMs;
  alert.seenMs = raisedMs;
  return alert;
}

/** An alert that an earlier process told of and did not store; its times are brought to onset <= raised <= now as well. */
export function recallAlert(told: ToldAlert, sensor: string, nowMs: StreamMs): OpenAlert {
  const { id, kind, priority, sequence, values } = told;
  const raisedMs = Math.min(told.raisedMs, nowMs);
  const onsetMs = Math.min(told.onsetMs, raisedMs);
  const alert = new OpenAlert({ id, kind, priority, sensor, onsetMs, raisedMs, values, evidence: {}, model: null });
  alert.sequence = sequence;
  alert.toldMs = nowMs;
  return alert;
}
