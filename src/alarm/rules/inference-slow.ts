import type { AlarmSettings } from '../../config/alarms.js';
import type { RuleState } from '../rule.js';
import type { AlarmView } from '../view.js';
import { InferenceRule } from './inference.js';

/** The model answers, but too late to be of use. */
export class InferenceSlow extends InferenceRule {
  readonly kind = 'inference-slow';

  constructor(private readonly settings: AlarmSettings['inference-slow']) {
    super(settings.clearMs);
  }

  state(view: AlarmView): RuleState {
    if (this.condition === null || this.condition === 'starting') return 'blind';
    if (this.condition !== 'slow') return 'absent';
    return view.nowMs - this.sinceMs >= this.settings.sustainMs ? 'present' : 'holding';
  }
}
