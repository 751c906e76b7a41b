import type { StreamMs } from '../../domain/clock.js';
import type { Quality, QualityReason, QualityState } from '../../domain/quality.js';

const WINDOW_MS = 2000;
/** Fewer distinct values than this in two seconds is no pulse wave. */
const LEAST_DISTINCT = 4;
const CLIPPED_SHARE = 0.2;
/** Windows in a row before the state changes: one bad stretch of motion is not a lost sensor. */
const WINDOWS_TO_CHANGE = 2;

export interface PulseQualityOptions {
  readonly rateHz: number;
  readonly range?: { readonly min: number; readonly max: number } | undefined;
  onChange(quality: Quality): void;
}

/** Quality gate of a pulse wave: flat, clipped, missing values, no finger (by the device's own flag). */
export class PulseQuality {
  private readonly windowSamples: number;
  private state: QualityState = 'none';
  private reasons = '';
  private touching = true;
  private count = 0;
  private invalid = 0;
  private clipped = 0;
  private changes = 0;
  private low = Number.POSITIVE_INFINITY;
  private high = Number.NEGATIVE_INFINITY;
  private last = Number.NaN;
  private candidate = '';
  private candidateWindows = 0;

  constructor(private readonly options: PulseQualityOptions) {
    this.windowSamples = Math.round((WINDOW_MS * options.rateHz) / 1000);
  }

  /** NaN: a sample without a value. */
  push(value: number, tMs: StreamMs): void {
    this.count++;
    if (!Number.isFinite(value)) this.invalid++;
    else {
      const { range } = this.options;
      if (range && (value <= range.min || value >= range.max)) this.clipped++;
      if (value !== this.last) this.changes++;
      if (value < this.low) this.low = value;
      if (value > this.high) this.high = value;
      this.last = value;
    }
    if (this.count >= this.windowSamples) this.judge(tMs);
  }

  contact(on: boolean, tMs: StreamMs): void {
    if (on === this.touching) return;
    this.touching = on;
    if (!on) this.set('contact-off', ['no-finger'], tMs);
    this.restart();
  }

  gap(_tMs: StreamMs): void {
    this.restart();
  }

  tick(_tMs: StreamMs): void {}

  private judge(tMs: StreamMs): void {
    const reasons: QualityReason[] = [];
    if (this.invalid > 0.1 * this.count) reasons.push('not-a-number');
    if (this.clipped > CLIPPED_SHARE * this.count) reasons.push('clipped');
    if (!(this.high > this.low) || this.changes < LEAST_DISTINCT) reasons.push('flat');
    this.restart();
    if (!this.touching) return;
    const state: QualityState = reasons.length === 0 ? 'good' : 'poor';
    const key = `${state} ${reasons.join()}`;
    this.candidateWindows = key === this.candidate ? this.candidateWindows + 1 : 1;
    this.candidate = key;
    if (this.candidateWindows >= WINDOWS_TO_CHANGE || this.state === 'none') this.set(state, reasons, tMs);
  }

  private set(state: QualityState, reasons: readonly QualityReason[], tMs: StreamMs): void {
    if (state === this.state && reasons.join() === this.reasons) return;
    this.state = state;
    this.reasons = reasons.join();
    this.options.onChange({ tMs, state, reasons });
  }

  private restart(): void {
    this.count = 0;
    this.invalid = 0;
    this.clipped = 0;
    this.changes = 0;
    this.low = Number.POSITIVE_INFINITY;
    this.high = Number.NEGATIVE_INFINITY;
  }
}
