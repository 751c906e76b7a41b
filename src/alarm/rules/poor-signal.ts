import type { AlarmSettings } from '../../config/alarms.js';
import type { StreamMs } from '../../domain/clock.js';
import type { Finding, Rule, RuleState } from '../rule.js';
import type { AlarmView } from '../view.js';

/** Data this fresh is data that comes: the slowest format sends once a second. */
const FRESH_MS = 2_500;

/**
 * Data comes, but no heart can be judged by it: poor signal, or none that the quality gate can even judge. Bad time is
 * added up and good time taken off, so that signal which flickers between good and bad is told too, once.
 */
export class PoorSignal implements Rule {
  readonly kind = 'poor-signal';
  readonly needs = 'nothing';
  readonly clearMs: number;
  private badMs = 0;
  private onsetMs: StreamMs | null = null;
  private askedMs: StreamMs | null = null;
  private wasBad = false;
  private reasons = '';

  constructor(private readonly settings: AlarmSettings['poor-signal']) {
    this.clearMs = settings.clearMs;
  }

  state(view: AlarmView): RuleState {
    const passedMs = view.nowMs - (this.askedMs ?? view.nowMs);
    this.askedMs = view.nowMs;
    this.badMs = this.wasBad
      ? Math.min(this.settings.sustainMs, this.badMs + passedMs)
      : Math.max(0, this.badMs - passedMs);
    if (this.badMs === 0 && !this.wasBad) this.onsetMs = null;
    if (view.quality === null) return 'blind';
    // Where no data comes, there is no signal to be poor: that is `no-data`.
    const bad = (view.quality === 'poor' || view.quality === 'none') && view.nowMs - view.dataUntilMs <= FRESH_MS;
    this.wasBad = bad;
    if (!bad) return this.badMs === 0 ? 'absent' : 'holding';
    this.onsetMs ??= Math.min(view.qualitySinceMs, view.nowMs);
    this.reasons = view.qualityReasons;
    return this.badMs >= this.settings.sustainMs ? 'present' : 'holding';
  }

  finding(view: AlarmView): Finding {
    return { onsetMs: this.onsetMs ?? view.nowMs, values: { reasons: this.reasons } };
  }

  reset(): void {
    this.badMs = 0;
    this.onsetMs = null;
    this.askedMs = null;
    this.wasBad = false;
  }
}
