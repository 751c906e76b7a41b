import type { AlarmSettings } from '../../config/alarms.js';
import type { Beat } from '../../domain/beat.js';
import type { StreamMs } from '../../domain/clock.js';
import type { Finding, Rule, RuleState } from '../rule.js';
import type { AlarmView } from '../view.js';

/**
 * "No QRS for at least four seconds": Clifford et al., The PhysioNet/Computing in Cardiology Challenge 2015. Counted on
 * the data and not on the clock, so that a link that stops is never a heart that stops; counted from the last beat, or
 * from the moment the signal became good when there was no beat since.
 */
export class Asystole implements Rule {
  readonly kind = 'asystole';
  readonly needs = 'good-signal';
  readonly clearMs: number;
  private saidAtMs: StreamMs | null = null;
  private saidOnsetMs: StreamMs = 0;
  private withdrawn = false;

  constructor(private readonly settings: AlarmSettings['asystole']) {
    this.clearMs = settings.clearMs;
  }

  beat(beat: Beat): void {
    // A beat that the detector told of too late: it lies in the very silence that was called asystole.
    if (this.saidAtMs === null) return;
    if (beat.tMs - this.saidOnsetMs < this.settings.afterMs && beat.tMs > this.saidOnsetMs) this.withdrawn = true;
    this.saidAtMs = null;
  }

  state(view: AlarmView): RuleState {
    if (this.withdrawn) {
      this.withdrawn = false;
      return 'withdrawn';
    }
    const goodSinceMs = view.goodSinceMs ?? view.nowMs;
    const beatSince = view.lastBeatMs >= goodSinceMs;
    const { afterMs, startGraceMs } = this.settings;
    const neededMs = afterMs + (beatSince ? view.detectorDelayMs : startGraceMs);
    if (!view.silenceIsEvidence) return 'blind';
    if (view.deviceClaimsBeats) return 'absent';
    if (view.dataUntilMs - Math.max(view.lastBeatMs, goodSinceMs) < neededMs) return beatSince ? 'absent' : 'holding';
    if (this.saidAtMs === null) {
      this.saidAtMs = view.nowMs;
      this.saidOnsetMs = Math.max(view.lastBeatMs, goodSinceMs);
    }
    return 'present';
  }

  finding(view: AlarmView): Finding {
    const onsetMs = Math.max(view.lastBeatMs, view.goodSinceMs ?? view.nowMs);
    return { onsetMs, values: { noBeatForMs: Math.round(view.dataUntilMs - onsetMs) } };
  }

  reset(): void {
    this.saidAtMs = null;
    this.withdrawn = false;
  }
}
