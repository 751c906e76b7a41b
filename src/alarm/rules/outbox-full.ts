import type { StreamMs } from '../../domain/clock.js';
import type { DeviceCondition, Finding, Rule, RuleState } from '../rule.js';

/** Alerts had to be given up because the broker was away for so long that the outbox reached its bound. */
export class OutboxFull implements Rule {
  readonly kind = 'outbox-full';
  readonly needs = 'nothing';
  readonly clearMs: number;
  private full: boolean | null = null;
  private sinceMs: StreamMs = 0;
  private shedAlerts = 0;

  constructor(settings: { readonly clearMs: number }) {
    this.clearMs = settings.clearMs;
  }

  device(tMs: StreamMs, { outboxFull, shedAlerts }: DeviceCondition): void {
    if (outboxFull && this.full !== true) this.sinceMs = tMs;
    this.full = outboxFull;
    this.shedAlerts = shedAlerts;
  }

  state(): RuleState {
    if (this.full === null) return 'blind';
    return this.full ? 'present' : 'absent';
  }

  finding(): Finding {
    return { onsetMs: this.sinceMs, values: { shedAlerts: this.shedAlerts } };
  }

  summary() {
    return { shedAlerts: this.shedAlerts };
  }

  reset(): void {
    // The outbox stays what it is.
  }
}
