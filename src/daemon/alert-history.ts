import type { AlertChange } from '../domain/alert.js';
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
}

const KEPT = 100;

/** The last alerts, newest first, open ones among them. */
export class AlertHistory {
  private readonly alerts = new Map<string, ShownAlert>();

  add(change: AlertChange, toWallMs: (tMs: StreamMs) => number): ShownAlert {
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
    };
    this.alerts.delete(id);
    this.alerts.set(id, shown);
    if (this.alerts.size > KEPT) {
      // The oldest that has ended; an open alert is never forgotten.
      for (const [key, value] of this.alerts) {
        if (value.endedAt === null) continue;
        this.alerts.delete(key);
        break;
      }
    }
    return shown;
  }

  list(): ShownAlert[] {
    return [...this.alerts.values()].reverse();
  }
}
