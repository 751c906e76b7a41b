import type { AlarmSettings } from '../../config/alarms.js';
import type { Finding, Rule, RuleState } from '../rule.js';
import type { AlarmView } from '../view.js';

/** Data this fresh means that the sensor speaks: the slowest format sends once a second. */
const FRESH_MS = 2_500;

/** Nothing comes from the sensor: the link has said so, or no data for the time, also when none ever came. */
export class NoData implements Rule {
  readonly kind = 'no-data';
  readonly needs = 'nothing';
  readonly clearMs: number;

  constructor(private readonly settings: AlarmSettings['no-data']) {
    this.clearMs = settings.clearMs;
  }

  state(view: AlarmView): RuleState {
    if (view.linkSilent) return 'present';
    // A stop of our own process is not the sensor's: the time before it does not count.
    if (view.nowMs - Math.max(view.dataUntilMs, view.watchedSinceMs) >= this.settings.afterMs) return 'present';
    return view.nowMs - view.dataUntilMs <= FRESH_MS ? 'absent' : 'holding';
  }

  finding(view: AlarmView): Finding {
    const ever = Number.isFinite(view.dataUntilMs);
    return { onsetMs: ever ? view.dataUntilMs : view.watchedSinceMs, values: { everSeen: ever } };
  }

  reset(): void {
    // All evidence is in the view.
  }
}
