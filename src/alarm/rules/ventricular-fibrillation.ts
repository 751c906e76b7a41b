import type { AlarmSettings } from '../../config/alarms.js';
import type { ShockableVerdict } from '../../domain/shockable.js';
import { type Finding, type Rule, type RuleState, round3 } from '../rule.js';
import { ShockableEvidence } from '../shockable-evidence.js';
import type { AlarmView } from '../view.js';

/**
 * "Fibrillatory, flutter, or oscillatory waveform for at least 4 seconds": Clifford et al., The PhysioNet/Computing in
 * Cardiology Challenge 2015. From the shockable model alone: where the ventricles fibrillate there are no beats. The
 * setting was chosen by cross-validation over the records of vfdb; see the model's card.
 */
export class VentricularFibrillation implements Rule {
  readonly kind = 'ventricular-fibrillation';
  readonly needs = 'contact';
  readonly clearMs: number;
  private readonly evidence: ShockableEvidence;

  constructor(settings: AlarmSettings['ventricular-fibrillation']) {
    this.clearMs = settings.clearMs;
    this.evidence = new ShockableEvidence(settings);
  }

  shockable(verdict: ShockableVerdict, view: AlarmView): void {
    this.evidence.take(verdict, view);
  }

  state(view: AlarmView): RuleState {
    if (this.evidence.isStale(view)) return 'blind';
    if (this.evidence.found(view) === 'vf') return 'present';
    return this.evidence.isRising ? 'holding' : 'absent';
  }

  finding(): Finding {
    const { onsetMs, score, ratePerMinute } = this.evidence;
    return {
      onsetMs,
      values: { score: round3(score), wavesPerMinute: Math.round(ratePerMinute) },
      score: round3(score),
    };
  }

  reset(): void {
    this.evidence.reset();
  }
}
