import type { AlertKind } from '../../domain/alert.js';
import type { StreamMs } from '../../domain/clock.js';
import { type Finding, type Rule, type RuleState, round1 } from '../rule.js';
import type { AlarmView } from '../view.js';
import { type HeartWave, waveformBearsOut } from '../waveform.js';

export interface SustainedRateOptions {
  readonly kind: AlertKind;
  readonly side: 'above' | 'below';
  readonly limitBpm: number;
  readonly hysteresisBpm: number;
  readonly sustainMs: number;
  readonly clearMs: number;
  /** Intervals the rate is the mean of. */
  readonly intervals: number;
  /** A last beat older than this leaves no rate. */
  readonly freshMs: number;
  /** What the waveform beneath the beats must show; left out: it is not asked. */
  readonly wave?: HeartWave;
}

/**
 * The heart rate at or beyond a person's threshold, sustained, with hysteresis. From beats; where the sensor sends no
 * beats, from the rate the device computes itself.
 */
export class SustainedRate implements Rule {
  readonly kind: AlertKind;
  readonly needs = 'good-signal';
  readonly clearMs: number;
  private onsetMs: StreamMs | null = null;

  constructor(private readonly options: SustainedRateOptions) {
    this.kind = options.kind;
    this.clearMs = options.clearMs;
  }

  state(view: AlarmView): RuleState {
    const { side, limitBpm, hysteresisBpm, sustainMs, intervals, freshMs } = this.options;
    const bpm = view.rateBpm(intervals, freshMs);
    const fallback = view.goodSinceMs ?? view.nowMs;
    if (this.onsetMs !== null && this.onsetMs < fallback) this.onsetMs = null;
    if (Number.isNaN(bpm)) {
      this.onsetMs = null;
      return 'blind';
    }
    if (side === 'above' ? bpm < limitBpm : bpm > limitBpm) {
      this.onsetMs = null;
      return (side === 'above' ? bpm > limitBpm - hysteresisBpm : bpm < limitBpm + hysteresisBpm)
        ? 'holding'
        : 'absent';
    }
    this.onsetMs ??= Math.max(fallback, this.beganMs(view));
    return view.nowMs - this.onsetMs >= sustainMs && this.isHeart(view) ? 'present' : 'holding';
  }

  private isHeart(view: AlarmView): boolean {
    const { side, wave, intervals, freshMs } = this.options;
    if (!view.rateIsFromBeats(freshMs)) return true;
    if (side === 'below') return view.hasSeenHeart;
    if (wave === undefined) return true;
    return waveformBearsOut(view.beats, 0, intervals, wave);
  }

  finding(view: AlarmView): Finding {
    const { side, limitBpm, intervals, freshMs } = this.options;
    return {
      onsetMs: this.onsetMs ?? view.nowMs,
      values: {
        rateBpm: round1(view.rateBpm(intervals, freshMs)),
        [side === 'above' ? 'aboveBpm' : 'belowBpm']: limitBpm,
        source: view.rateIsFromBeats(freshMs) ? 'beats' : 'device',
      },
    };
  }

  reset(): void {
    this.onsetMs = null;
  }

  private beganMs(view: AlarmView): StreamMs {
    const { side, limitBpm, intervals, freshMs } = this.options;
    if (!view.rateIsFromBeats(freshMs)) return view.nowMs;
    return view.beats.stretchStartMs(intervals, 60_000 / limitBpm, side === 'above' ? 'shorter' : 'longer');
  }
}
