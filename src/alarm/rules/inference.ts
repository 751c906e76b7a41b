import type { AlertKind } from '../../domain/alert.js';
import type { StreamMs } from '../../domain/clock.js';
import type { Finding, InferenceCondition, Rule, RuleState } from '../rule.js';
import type { AlarmView } from '../view.js';

/** What both rules about the model share: the condition as last told, and since when. */
export abstract class InferenceRule implements Rule {
  abstract readonly kind: AlertKind;
  readonly needs = 'nothing';
  protected condition: InferenceCondition | null = null;
  protected sinceMs: StreamMs = 0;
  protected reason = '';

  constructor(readonly clearMs: number) {}

  inference(tMs: StreamMs, condition: InferenceCondition, reason: string): void {
    if (condition !== this.condition) this.sinceMs = tMs;
    this.condition = condition;
    this.reason = reason;
  }

  abstract state(view: AlarmView): RuleState;

  finding(_view: AlarmView): Finding {
    return { onsetMs: this.sinceMs, values: { reason: this.reason } };
  }

  reset(): void {
    // The model's condition stays what it is.
  }
}
