import type { AlarmSettings } from '../../config/alarms.js';
import type { StreamMs } from '../../domain/clock.js';
import { RHYTHM_VERDICT_BEATS, type Rhythm, type RhythmSource } from '../../domain/rhythm.js';
import { orderOfIntervals } from '../order.js';
import { type Finding, type Rule, type RuleState, round1, round3 } from '../rule.js';
import type { AlarmView } from '../view.js';

/** Nearer to 0 or 1 a score has no more to say. */
const LEAST_ODDS = 1e-3;
/** Scores come every few beats: they must span so much of the sustain time. */
const SPANNED = 0.9;

/**
 * Atrial fibrillation from the rhythm scores: the mean of their log-odds over the sustain time above that of `on`, and intervals
 * that follow no order (`orderOfIntervals`: while they do, the alert waits). Over when below `off` for the clear time; a long hole
 * starts anew. The mean, its level and the limit of order were chosen on cross-validated scores of half of the people of ltafdb and
 * nsr2db and of the same made more irregular, the other half was held out (docs/alarms.md, "Measured"): of those that lose no more than
 * two of 694 episodes of two minutes and more, the setting with the fewest false alerts. `off` and the clear time are of
 * an earlier choice, see the model's card.
 */
export class AtrialFibrillation implements Rule {
  readonly kind = 'atrial-fibrillation';
  readonly needs = 'good-signal';
  readonly clearMs: number;
  private lastMs: StreamMs = Number.NEGATIVE_INFINITY;
  private score = Number.NaN;
  private windowBeats = 0;
  private source: RhythmSource = 'model';
  /** The evaluations of the sustain time, and the last one before it. */
  private times: StreamMs[] = [];
  private odds: number[] = [];
  /** The scores tell of fibrillation, and the intervals bear it out. */
  private borneOut = false;
  private order = Number.NaN;
  /** Estimated beginning of what the scores since they rose above `off` tell of. */
  private onsetMs: StreamMs | null = null;

  constructor(private readonly settings: AlarmSettings['atrial-fibrillation']) {
    this.clearMs = settings.clearMs;
  }

  rhythm(rhythm: Rhythm, view: AlarmView): void {
    const { off, holeMs, minGoodShare, maxVentricularShare } = this.settings;
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
    this.remember(rhythm);
    if (rhythm.label !== 'afib' || !this.scoresTell()) this.borneOut = false;
    else if (!this.borneOut) {
      this.order = orderOfIntervals(view.beats, rhythm.tMs);
      // Where no intervals are known, nothing speaks against the scores.
      this.borneOut = !(this.order > this.settings.maxOrder);
    }
  }

  state(view: AlarmView): RuleState {
    if (!(view.nowMs - this.lastMs <= this.settings.holeMs)) return 'blind';
    if (this.borneOut) return 'present';
    return this.score < this.settings.off ? 'absent' : 'holding';
  }

  finding(view: AlarmView): Finding {
    return {
      onsetMs: this.onsetMs ?? view.nowMs,
      values: {
        ...{ score: round3(this.score), windowBeats: this.windowBeats, source: this.source },
        ...(Number.isNaN(this.order) ? {} : { order: round1(this.order) }),
      },
      // An alert names the model only where the model spoke.
      ...(this.source === 'model' ? { score: round3(this.score) } : {}),
    };
  }

  reset(): void {
    this.lastMs = Number.NEGATIVE_INFINITY;
    this.score = Number.NaN;
    this.times = [];
    this.odds = [];
    this.borneOut = false;
    this.onsetMs = null;
  }

  private remember({ tMs, score }: Rhythm): void {
    this.times.push(tMs);
    this.odds.push(logOdds(score));
    while (this.times.length > 1 && tMs - this.times[1]! >= this.settings.sustainMs) {
      this.times.shift();
      this.odds.shift();
    }
  }

  private scoresTell(): boolean {
    const { times, odds, settings } = this;
    if (times.at(-1)! - times[0]! < SPANNED * settings.sustainMs) return false;
    return odds.reduce((sum, each) => sum + each, 0) / odds.length > logOdds(settings.on);
  }
}

function logOdds(score: number): number {
  return Math.log((score + LEAST_ODDS) / (1 - score + LEAST_ODDS));
}
