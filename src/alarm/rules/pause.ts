import type { AlarmSettings } from '../../config/alarms.js';
import type { AlertValues } from '../../domain/alert.js';
import type { Beat } from '../../domain/beat.js';
import type { StreamMs } from '../../domain/clock.js';
import type { Finding, Rule, RuleState } from '../rule.js';
import type { AlarmView } from '../view.js';

/**
 * One long interval between two beats of good signal; 3 s is the sinus pause of the 2018 ACC/AHA/HRS guideline on
 * bradycardia. Told when the beat that ends it comes (a pause that no beat ends is asystole); pauses that follow
 * within the clear time belong to the same alert.
 */
export class Pause implements Rule {
  readonly kind = 'pause';
  readonly needs = 'good-signal';
  readonly clearMs: number;
  private onsetMs: StreamMs = 0;
  private longestMs = 0;
  private count = 0;
  private lastMs: StreamMs = Number.NEGATIVE_INFINITY;
  private fresh = false;

  constructor(private readonly settings: AlarmSettings['pause']) {
    this.clearMs = settings.clearMs;
  }

  beat(_beat: Beat, view: AlarmView): void {
    // Read from the history: there an interval over a hole or out of bad signal is none.
    if (!view.silenceIsEvidence || !view.hasSeenHeart || !view.beats.hasInterval(0)) return;
    const rrMs = view.beats.rrMs(0);
    if (rrMs < this.settings.afterMs) return;
    const atMs = view.beats.tMs(0);
    if (atMs - this.lastMs > this.clearMs) this.reset();
    if (this.count === 0) this.onsetMs = atMs - rrMs;
    this.count++;
    this.longestMs = Math.max(this.longestMs, rrMs);
    this.lastMs = atMs;
    this.fresh = true;
  }

  state(view: AlarmView): RuleState {
    if (this.fresh) {
      this.fresh = false;
      return 'present';
    }
    return view.beats.length > 0 ? 'absent' : 'blind';
  }

  finding(): Finding {
    return { onsetMs: this.onsetMs, values: { longestMs: Math.round(this.longestMs), pauses: this.count } };
  }

  /** Pauses since the last update count too. After a restart the alert's own values are all there is. */
  summary(): AlertValues {
    return this.count > 0 ? this.finding().values : {};
  }

  reset(): void {
    this.count = 0;
    this.longestMs = 0;
    this.lastMs = Number.NEGATIVE_INFINITY;
    this.fresh = false;
  }
}
