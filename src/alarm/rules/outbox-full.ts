import type { StreamMs } from '../../domain/clock.js';
import type { DeviceCondition, Finding, Rule, RuleState } from '../rule.js';

/**
 * Alerts had to be given up because the broker was away for so long that the outbox reached its bound; or there is no
 * room for them on the disk at all, so that a restart would lose what waits.
 */
export class OutboxFull implements Rule {
  readonly kind = 'outbox-full';
  readonly needs = 'nothing';
  readonly clearMs: number;
  private full: boolean | null = null;
  private sinceMs: StreamMs = 0;
  private shedAlerts = 0;
  private memoryOnly = false;

  constructor(settings: { readonly clearMs: number }) {
    this.clearMs = settings.clearMs;
  }

  device(tMs: StreamMs, { outboxFull, shedAlerts, memoryOnly = false }: DeviceCondition): void {
    const full = outboxFull || memoryOnly;
    if (full && this.full !== true) this.sinceMs = tMs;
    this.full = full;
    this.shedAlerts = shedAlerts;
    this.memoryOnly = memoryOnly;
  }

  state(): RuleState {
    if (this.full === null) return 'blind';
    return this.full ? 'present' : 'absent';
  }

  finding(): Finding {
    return {
      onsetMs: this.sinceMs,
      values: { shedAlerts: this.shedAlerts, ...(this.memoryOnly ? { disk: 'cannot be written' } : {}) },
    };
  }

  summary() {
    return { shedAlerts: this.shedAlerts };
  }

  reset(): void {
    // The outbox stays what it is.
  }
}
