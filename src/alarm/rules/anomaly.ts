import type { AlarmSettings } from '../../config/alarms.js';
import type { AlertValues } from '../../domain/alert.js';
import type { AnomalyVerdict, UsualRange } from '../../domain/anomaly.js';
import type { StreamMs } from '../../domain/clock.js';
import { type Finding, type Rule, type RuleState, round3 } from '../rule.js';
import type { AlarmView } from '../view.js';

/** A verdict comes every 20 beats; after a longer hole the count starts anew, and nothing is known. */
const HOLE_MS = 120_000;

/**
 * Departure from this person's own baseline, by the anomaly model: above `on` at every look for the sustain time. It says
 * what departed and what is usual, never a bare score. While a kind with a name stands (fibrillation, a tachycardia ...)
 * that kind says more, and this one is silent.
 */
export class Anomaly implements Rule {
  readonly kind = 'anomaly';
  readonly needs = 'good-signal';
  readonly clearMs: number;
  private last: AnomalyVerdict | null = null;
  private lastMs: StreamMs = Number.NEGATIVE_INFINITY;
  private highSinceMs: StreamMs | null = null;
  private onsetMs: StreamMs | null = null;

  constructor(private readonly settings: AlarmSettings['anomaly']) {
    this.clearMs = settings.clearMs;
  }

  anomaly(verdict: AnomalyVerdict, view: AlarmView): void {
    if (!Number.isFinite(verdict.score) || verdict.tMs < this.lastMs) return;
    if (!view.signalGood) return;
    if (verdict.tMs - this.lastMs > HOLE_MS) this.reset();
    this.lastMs = verdict.tMs;
    this.last = verdict;
    if (verdict.learning) {
      this.highSinceMs = null;
      this.onsetMs = null;
      return;
    }
    const { on, off } = this.settings;
    if (verdict.score < off) this.onsetMs = null;
    // A window departs when a good part of it does: the rhythm changed about half a window ago.
    else this.onsetMs ??= (verdict.windowStartMs + verdict.tMs) / 2;
    if (verdict.score > on) this.highSinceMs ??= verdict.tMs;
    else this.highSinceMs = null;
  }

  state(view: AlarmView): RuleState {
    const { last } = this;
    if (!last || !(view.nowMs - this.lastMs <= HOLE_MS) || last.learning) return 'blind';
    if (this.highSinceMs !== null && this.lastMs - this.highSinceMs >= this.settings.sustainMs) return 'present';
    return last.score < this.settings.off ? 'absent' : 'holding';
  }

  finding(view: AlarmView): Finding {
    const { last } = this;
    const score = round3(last?.score ?? 0);
    return { onsetMs: this.onsetMs ?? view.nowMs, values: { score, ...(last ? told(last) : {}) }, score };
  }

  reset(): void {
    this.last = null;
    this.lastMs = Number.NEGATIVE_INFINITY;
    this.highSinceMs = null;
    this.onsetMs = null;
  }
}

/** Each figure with the person's usual range, and which of them left it. */
function told({ rateBpm, irregularityPercent, prematurePercent }: AnomalyVerdict): AlertValues {
  const out: Record<string, number | string> = {};
  const departed: string[] = [];
  const figures: [string, string, UsualRange][] = [
    ['rateBpm', 'rate', rateBpm],
    ['irregularityPercent', 'irregularity', irregularityPercent],
    ['prematurePercent', 'premature beats', prematurePercent],
  ];
  for (const [key, name, { now, low, high }] of figures) {
    out[key] = now;
    out[`${key}UsualLow`] = low;
    out[`${key}UsualHigh`] = high;
    if (now < low || now > high) departed.push(name);
  }
  // Each figure may be usual by itself and their company unusual: calm and fast, say.
  out.departed = departed.join(', ') || 'pattern of the intervals';
  return out;
}
