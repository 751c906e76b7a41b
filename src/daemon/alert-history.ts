import type { AlertChange, Announcement, Evidence, ModelRef } from '../domain/alert.js';
import type { StreamMs } from '../domain/clock.js';

/** An alert as the dashboard and the command line show it: its newest event, in wall-clock time. */
export interface ShownAlert {
  readonly id: string;
  readonly kind: string;
  readonly sensor: string;
  readonly priority: string;
  readonly category: string;
  readonly event: string;
  readonly onsetAt: string;
  readonly raisedAt: string;
  readonly endedAt: string | null;
  readonly values: AlertChange['values'];
  readonly model: ModelRef | null;
  /** Until when somebody has said to have seen it; null: nobody has. */
  readonly acknowledgedUntil: string | null;
}

/** An alert with what led to it, which is too much to send with every list. */
export interface AlertDetails extends ShownAlert {
  readonly evidence: Evidence;
}

const KEPT = 100;

/** The last alerts, newest first, open ones among them. */
export class AlertHistory {
  private readonly alerts = new Map<string, ShownAlert>();
  private readonly evidence = new Map<string, Evidence>();

  add(change: Announcement, toWallMs: (tMs: StreamMs) => number): ShownAlert {
    const at = (tMs: StreamMs) => new Date(toWallMs(tMs)).toISOString();
    const { id, kind, sensor, priority, category, event, values } = change;
    const shown: ShownAlert = {
      id,
      kind,
      sensor,
      priority,
      category,
      event,
      onsetAt: at(change.onsetMs),
      raisedAt: at(change.raisedMs),
      endedAt: change.endedMs === null ? null : at(change.endedMs),
      values,
      model: change.model,
      acknowledgedUntil: change.endedMs === null ? (this.alerts.get(id)?.acknowledgedUntil ?? null) : null,
    };
    // The waveform travels with the first event only.
    if (change.evidence.signal || !this.evidence.has(id)) this.evidence.set(id, change.evidence);
    this.alerts.delete(id);
    this.alerts.set(id, shown);
    if (this.alerts.size > KEPT) {
      // The oldest that has ended; an open alert is never forgotten.
      for (const [key, value] of this.alerts) {
        if (value.endedAt === null) continue;
        this.alerts.delete(key);
        this.evidence.delete(key);
        break;
      }
    }
    return shown;
  }

  /** Somebody acknowledged it; its place in the list stays. Returns the alert where that is news. */
  acknowledge(id: string, until: string | null): ShownAlert | null {
    const alert = this.alerts.get(id);
    if (!alert || alert.acknowledgedUntil === until) return null;
    const shown = { ...alert, acknowledgedUntil: until };
    this.alerts.set(id, shown);
    return shown;
  }

  details(id: string): AlertDetails | null {
    const alert = this.alerts.get(id);
    return alert ? { ...alert, evidence: this.evidence.get(id) ?? {} } : null;
  }

  list(): ShownAlert[] {
    return [...this.alerts.values()].reverse();
  }
}
