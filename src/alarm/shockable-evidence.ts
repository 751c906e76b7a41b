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

/** Beats that the detector found and that come as evenly as this are a tachycardia: fibrillation has none to find. */
const ORGANISED = { overMs: 3_000, beats: 5, variation: 0.12, nearPeak: 0.15 } as const;

/**
 * A verdict is about the last 4 s: where even beats lay beneath one of the row within them, the wave it saw may still be
 * theirs. So a tachycardia that ends is not called fibrillation while the model looks back on it.
 */
const LOOKS_BACK_MS = 4_000;

/**
 * Gathers the shockable model's verdicts: so many in a row above a score make a finding. Signal that the quality gate doubts
 * must convince more and for longer; it cannot be left out, because the gate cannot tell every fibrillation from noise.
 *
 * Which of the two it is, the model cannot say of people it was not trained on (cross-validated it is right as often as
 * wrong), so it is not asked: where our detector finds even beats at the rate of the wave it is tachycardia, else fibrillation.
 */
export class ShockableEvidence {
  private lastMs: StreamMs = Number.NEGATIVE_INFINITY;
  private run = 0;
  private runStartMs: StreamMs = 0;
  private organisedMs: StreamMs = Number.NEGATIVE_INFINITY;
  score = 0;
  ratePerMinute = 0;

  constructor(private readonly settings: AlarmSettings['ventricular-fibrillation']) {}

  take(verdict: ShockableVerdict, view: AlarmView): void {
    if (!Number.isFinite(verdict.tMs) || verdict.tMs < this.lastMs) return;
    if (NO_SIGNAL.test(view.qualityReasons)) {
      this.reset();
      return;
    }
    const { on, poorOn, off } = this.settings;
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
      return;
    }
    // A window turns when half of it shows the new rhythm; what is there at the first look is as old as the window.
    if (this.run === 0) this.runStartMs = first ? verdict.windowStartMs : (verdict.windowStartMs + verdict.tMs) / 2;
    this.run++;
    if (isOrganised(view, this.ratePerMinute)) this.organisedMs = view.nowMs;
  }

  /** What the last verdicts in a row and the beats beneath them say; null while they are too few. */
  found(view: AlarmView): 'vf' | 'vt' | null {
    if (!this.isLong(view)) return null;
    if (isOrganised(view, this.ratePerMinute)) return 'vt';
    return view.nowMs - this.organisedMs <= LOOKS_BACK_MS ? 'vt' : 'vf';
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
    this.organisedMs = Number.NEGATIVE_INFINITY;
    this.run = 0;
  }

  private isLong(view: AlarmView): boolean {
    return this.run >= (view.signalGood ? this.settings.verdicts : this.settings.poorVerdicts);
  }
}

/** Whether the last seconds hold even beats at the rate where the spectrum peaks. */
function isOrganised({ beats, nowMs }: AlarmView, ratePerMinute: number): boolean {
  let count = 0;
  let sum = 0;
  let square = 0;
  for (let back = 0; back < beats.length && nowMs - beats.tMs(back) <= ORGANISED.overMs; back++) {
    if (back + 1 >= beats.length) break;
    const rrMs = beats.tMs(back) - beats.tMs(back + 1);
    count++;
    sum += rrMs;
    square += rrMs * rrMs;
  }
  if (count < ORGANISED.beats) return false;
  const mean = sum / count;
  const deviation = Math.sqrt(Math.max(0, square / count - mean * mean));
  return deviation <= ORGANISED.variation * mean && Math.abs(60_000 / mean / ratePerMinute - 1) <= ORGANISED.nearPeak;
}
