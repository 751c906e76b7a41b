import type { AlarmSettings } from '../../config/alarms.js';
import type { StreamMs } from '../../domain/clock.js';
import type { DeviceCondition, Finding, Rule, RuleState } from '../rule.js';
import type { AlarmView } from '../view.js';

/** The machine's clock is not known to be set: every time that leaves the device may be wrong. */
export class ClockUnsynced implements Rule {
  readonly kind = 'clock-unsynced';
  readonly needs = 'nothing';
  readonly clearMs: number;
  private synced: boolean | null = null;
  private sinceMs: StreamMs = 0;

  constructor(private readonly settings: AlarmSettings['clock-unsynced']) {
    this.clearMs = settings.clearMs;
  }

  device(tMs: StreamMs, { clockSynced }: DeviceCondition): void {
    if (!clockSynced && this.synced !== false) this.sinceMs = tMs;
    this.synced = clockSynced;
  }

  state(view: AlarmView): RuleState {
    if (this.synced === null) return 'blind';
    if (this.synced) return 'absent';
    return view.nowMs - this.sinceMs >= this.settings.sustainMs ? 'present' : 'holding';
  }

  finding(): Finding {
    return { onsetMs: this.sinceMs, values: {} };
  }

  reset(): void {
    // The clock stays what it is.
  }
}
