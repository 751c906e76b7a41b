import type { AlarmSettings } from '../../config/alarms.js';
import type { Finding, Rule, RuleState } from '../rule.js';
import type { AlarmView } from '../view.js';

/** The sensor does not touch the body, for longer than a slipping finger. */
export class ContactOff implements Rule {
  readonly kind = 'contact-off';
  readonly needs = 'nothing';
  readonly clearMs: number;

  constructor(private readonly settings: AlarmSettings['contact-off']) {
    this.clearMs = settings.clearMs;
  }

  state(view: AlarmView): RuleState {
    if (view.quality === null) return 'blind';
    if (view.quality !== 'contact-off') return view.quality === 'none' ? 'holding' : 'absent';
    return view.nowMs - view.qualitySinceMs >= this.settings.sustainMs ? 'present' : 'holding';
  }

  finding(view: AlarmView): Finding {
    return { onsetMs: view.qualitySinceMs, values: { reasons: view.qualityReasons } };
  }

  reset(): void {
    // All evidence is in the view.
  }
}
