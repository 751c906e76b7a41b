import type { AlarmSettings } from '../../config/alarms.js';
import type { StreamMs } from '../../domain/clock.js';
import { RHYTHM_VERDICT_BEATS, type Rhythm, type RhythmSource } from '../../domain/rhythm.js';
import { type Finding, type Rule, type RuleState, round3 } from '../rule.js';
import type { AlarmView } from '../view.js';

/**
 * Atrial fibrillation from the rhythm scores: above `on` at every evaluation for the sustain time, over when below
 * `off` for the clear time, a long hole starts the count anew. The default setting was chosen by cross-validation of
 * rhythm-rr over patients: of those with at most 0.3 false alerts a day and one subject on 1,275 h of normal sinus rhythm
 * (nsr2db), the one that finds most of the episodes of two minutes and more in ltafdb. That is .9 / .3 / 30 s / 120 s: 0.28
 * a day, all in one of 54 subjects, and 96.5 %. A shorter clear time makes several alerts of one stretch; a shorter sustain
 * time raises more false ones, a longer one misses more.
 */
export class AtrialFibrillation implements Rule {
  readonly kind = 'atrial-fibrillation';
  readonly needs = 'good-signal';
  readonly clearMs: number;
  private lastMs: StreamMs = Number.NEGATIVE_INFINITY;
  private score = Number.NaN;
  private windowBeats = 0;
  private source: RhythmSource = 'model';
  /** First of the unbroken evaluations above `on`. */
  private highSinceMs: StreamMs | null = null;
  /** Estimated beginning of what the scores since they rose above `off` tell of. */
  private onsetMs: StreamMs | null = null;

  constructor(private readonly settings: AlarmSettings['atrial-fibrillation']) {
    this.clearMs = settings.clearMs;
  }

  rhythm(rhythm: Rhythm, view: AlarmView): void {
    const { on, off, holeMs, minGoodShare, maxVentricularShare } = this.settings;
    if (rhythm.label === 'unknown' || !Number.isFinite(rhythm.score) || rhythm.tMs < this.lastMs) return;
    // A word on fewer beats is a hint for a person to look at; it is wrong too often to alarm anybody.
    if (rhythm.windowBeats < RHYTHM_VERDICT_BEATS) return;
    // Noise makes beats, and beats made by noise are irregular: a window out of doubtful signal says nothing.
    if (!view.signalGood || !(view.beats.trustedShare(rhythm.windowStartMs) >= minGoodShare)) return;
    // Where most beats come from the ventricles, their irregularity is the ventricles' own.
    if (view.beats.ventricularShare(rhythm.windowStartMs) > maxVentricularShare) return;
    const first = rhythm.tMs - this.lastMs > holeMs;
    if (first) this.reset();
    this.lastMs = rhythm.tMs;
    this.score = rhythm.score;
    this.windowBeats = rhythm.windowBeats;
    this.source = rhythm.source ?? 'model';
    if (rhythm.score < off) this.onsetMs = null;
    // A window's label is its majority's: seen to rise, the rhythm changed half a window ago; there from the first
    // look on, it is at least as old as the window.
    else this.onsetMs ??= first ? rhythm.windowStartMs : (rhythm.windowStartMs + rhythm.tMs) / 2;
    if (rhythm.score > on) this.highSinceMs ??= rhythm.tMs;
    else this.highSinceMs = null;
  }

  state(view: AlarmView): RuleState {
    if (!(view.nowMs - this.lastMs <= this.settings.holeMs)) return 'blind';
    if (this.highSinceMs !== null && this.lastMs - this.highSinceMs >= this.settings.sustainMs) return 'present';
    return this.score < this.settings.off ? 'absent' : 'holding';
  }

  finding(view: AlarmView): Finding {
    return {
      onsetMs: this.onsetMs ?? view.nowMs,
      values: { score: round3(this.score), windowBeats: this.windowBeats, source: this.source },
      // An alert names the model only where the model spoke.
      ...(this.source === 'model' ? { score: round3(this.score) } : {}),
    };
  }

  reset(): void {
    this.lastMs = Number.NEGATIVE_INFINITY;
    this.score = Number.NaN;
    this.highSinceMs = null;
    this.onsetMs = null;
  }
}
