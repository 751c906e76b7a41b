import type { AlarmSettings } from '../config/alarms.js';
import type { StreamMs } from '../domain/clock.js';
import type { ShockableVerdict } from '../domain/shockable.js';
import type { AlarmView } from './view.js';

/** Verdicts come once a second; after a longer hole the count starts anew. */
const HOLE_MS = 2_500;
/** Without a verdict for this long there is no evidence of anything: the model is away, or the contact. */
const FRESH_MS = 5_000;
/** A signal with one of these faults shows no heart at all, whatever a model makes of it. */
const NO_SIGNAL = /flat|clipped|not-a-number|gap/;

/**
 * Gathers the shockable model's verdicts: so many in a row above a score make a finding, of the kind that the last ones
 * name. Signal that the quality gate doubts must convince more and for longer; it cannot be left out, because the
 * gate cannot tell every fibrillation from noise.
 */
export class ShockableEvidence {
  private lastMs: StreamMs = Number.NEGATIVE_INFINITY;
  private run = 0;
  private runStartMs: StreamMs = 0;
  private kinds: number[] = [];
  score = 0;
  ratePerMinute = 0;

  constructor(private readonly settings: AlarmSettings['ventricular-fibrillation']) {}

  take(verdict: ShockableVerdict, view: AlarmView): void {
    if (!Number.isFinite(verdict.tMs) || verdict.tMs < this.lastMs) return;
    if (NO_SIGNAL.test(view.qualityReasons)) {
      this.reset();
      return;
    }
    const { on, poorOn, off, verdicts } = this.settings;
    const first = verdict.tMs - this.lastMs > HOLE_MS;
    if (first) this.reset();
    this.lastMs = verdict.tMs;
    const { vt, vf } = verdict.scores;
    this.score = vt + vf;
    this.ratePerMinute = verdict.ratePerMinute;
    // What stands falls only below `off`.
    const limit = this.isLong(view) ? off : view.signalGood ? on : poorOn;
    if (!(this.score > limit)) {
      this.run = 0;
      this.kinds.length = 0;
      return;
    }
    // A window turns when half of it shows the new rhythm; what is there at the first look is as old as the window.
    if (this.run === 0) this.runStartMs = first ? verdict.windowStartMs : (verdict.windowStartMs + verdict.tMs) / 2;
    this.run++;
    this.kinds.push(vf - vt);
    if (this.kinds.length > verdicts) this.kinds.shift();
  }

  /** What the last verdicts in a row say together; null while they are too few. */
  found(view: AlarmView): 'vf' | 'vt' | null {
    if (!this.isLong(view)) return null;
    return this.kinds.reduce((sum, value) => sum + value, 0) >= 0 ? 'vf' : 'vt';
  }

  /** Whether the newest verdict is too old to mean anything. */
  isStale(view: AlarmView): boolean {
    return !(view.nowMs - this.lastMs <= FRESH_MS);
  }

  /** Whether the newest verdict is one of a row, be it still too short. */
  get isRising(): boolean {
    return this.run > 0;
  }

  get onsetMs(): StreamMs {
    return this.runStartMs;
  }

  reset(): void {
    this.lastMs = Number.NEGATIVE_INFINITY;
    this.run = 0;
    this.kinds.length = 0;
  }

  private isLong(view: AlarmView): boolean {
    return this.run >= (view.signalGood ? this.settings.verdicts : this.settings.poorVerdicts);
  }
}
