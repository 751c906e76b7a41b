import type { DropReason, ReadingSink } from '../domain/reading.js';

/**
 * Stands between a decoder and a pipeline that comes later than the decoder: after the rate has been measured, or with the
 * first step of a replay.
 */
export class ForwardingSink implements ReadingSink {
  target: ReadingSink | null = null;
  /** Counted whether there is a target or not. */
  samples = 0;
  frames = 0;

  /** @param first hears of these before the target does */
  constructor(private readonly first: Partial<Pick<ReadingSink, 'frame' | 'dropped'>> = {}) {}

  sample(value: number): void {
    this.samples++;
    this.target?.sample(value);
  }

  deviceTime(tMs: number): void {
    this.target?.deviceTime(tMs);
  }

  lost(samples: number): void {
    this.target?.lost(samples);
  }

  beat(): void {
    this.target?.beat();
  }

  rr(rrMs: number): void {
    this.target?.rr(rrMs);
  }

  heartRate(hrBpm: number): void {
    this.target?.heartRate(hrBpm);
  }

  spo2(percent: number): void {
    this.target?.spo2(percent);
  }

  contact(on: boolean): void {
    this.target?.contact(on);
  }

  battery(percent: number): void {
    this.target?.battery(percent);
  }

  frame(): void {
    this.frames++;
    this.first.frame?.();
    this.target?.frame();
  }

  dropped(reason: DropReason, bytes: number): void {
    this.first.dropped?.(reason, bytes);
    this.target?.dropped(reason, bytes);
  }
}
