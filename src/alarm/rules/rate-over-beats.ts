import type { AlertKind } from '../../domain/alert.js';
import { type Finding, type Rule, type RuleState, round1 } from '../rule.js';
import type { AlarmView } from '../view.js';
import { type HeartWave, waveformBearsOut } from '../waveform.js';

export interface RateOverBeatsOptions {
  readonly kind: AlertKind;
  readonly side: 'above' | 'below';
  readonly limitBpm: number;
  /** Consecutive beats; their rate is that of the `beats - 1` intervals between them. */
  readonly beats: number;
  readonly hysteresisBpm: number;
  readonly clearMs: number;
  /** What the waveform beneath the beats must show; left out: it is not asked. */
  readonly wave?: HeartWave;
}

/** Beyond this after the last beat its rate says nothing any more (slower than 10 bpm). */
const LONGEST_BEAT_MS = 6_000;

/**
 * The rate over a number of consecutive beats, all from good signal, as PhysioNet/CinC Challenge 2015 defines its
 * extreme rates. More than half of the intervals must be beyond the limit by themselves: one pause among normal beats is
 * no extreme bradycardia, and T waves counted as beats (short, long, short, long) are no extreme tachycardia.
 */
export class RateOverBeats implements Rule {
  readonly kind: AlertKind;
  readonly needs = 'good-signal';
  readonly clearMs: number;
  private readonly intervals: number;
  private readonly limitRrMs: number;

  constructor(private readonly options: RateOverBeatsOptions) {
    this.kind = options.kind;
    this.clearMs = options.clearMs;
    this.intervals = options.beats - 1;
    this.limitRrMs = 60_000 / options.limitBpm;
  }

  state(view: AlarmView): RuleState {
    const { side, limitBpm, hysteresisBpm } = this.options;
    const sinceBeatMs = view.dataUntilMs - view.lastBeatMs;
    if (!(sinceBeatMs <= LONGEST_BEAT_MS)) return 'blind';
    const bpm = 60_000 / view.beats.meanRrMs(this.intervals);
    if (Number.isNaN(bpm)) return 'blind';
    if (side === 'above') {
      if (bpm <= limitBpm - hysteresisBpm) return 'absent';
      // The interval that is not over yet already says that the heart is no longer fast.
      if (sinceBeatMs - view.detectorDelayMs > 2 * this.limitRrMs) return 'holding';
      if (!(bpm > limitBpm) || !view.beats.mostAreBeyond(this.intervals, this.limitRrMs, 'shorter')) return 'holding';
      const { wave } = this.options;
      const isHeart = wave === undefined || waveformBearsOut(view.beats, 0, this.intervals, wave);
      return isHeart ? 'present' : 'holding';
    }
    if (bpm < limitBpm && view.hasSeenHeart && view.beats.mostAreBeyond(this.intervals, this.limitRrMs, 'longer'))
      return 'present';
    return bpm < limitBpm + hysteresisBpm ? 'holding' : 'absent';
  }

  finding(view: AlarmView): Finding {
    const side = this.options.side === 'above' ? 'shorter' : 'longer';
    return {
      onsetMs: view.beats.stretchStartMs(this.intervals, this.limitRrMs, side),
      values: { rateBpm: round1(60_000 / view.beats.meanRrMs(this.intervals)), beats: this.options.beats },
    };
  }

  reset(): void {
    // All evidence is in the view.
  }
}
