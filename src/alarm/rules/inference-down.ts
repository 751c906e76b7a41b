import type { AlarmSettings } from '../../config/alarms.js';
import type { StreamMs } from '../../domain/clock.js';
import type { InferenceCondition, RuleState } from '../rule.js';
import type { AlarmView } from '../view.js';
import { InferenceRule } from './inference.js';

/** The model does not answer: the rules that need it see nothing, the others go on. */
export class InferenceDown extends InferenceRule {
  readonly kind = 'inference-down';

  constructor(private readonly settings: AlarmSettings['inference-down']) {
    super(settings.clearMs);
  }

  override inference(tMs: StreamMs, condition: InferenceCondition, reason: string): void {
    // A host that is respawned again and again goes down, starting, down: that is one outage, not many.
    const since = this.sinceMs;
    const wasAway = this.condition === 'down';
    super.inference(tMs, condition, reason);
    if (wasAway && condition === 'starting') {
      this.condition = 'down';
      this.sinceMs = since;
    }
  }

  state(view: AlarmView): RuleState {
    if (this.condition === null) return 'blind';
    if (this.condition === 'ready' || this.condition === 'slow') return 'absent';
    const neededMs = this.condition === 'down' ? this.settings.sustainMs : this.settings.startingMs;
    return view.nowMs - this.sinceMs >= neededMs ? 'present' : 'holding';
  }
}
