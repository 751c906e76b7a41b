import type { DropReason, ReadingSink } from '../../domain/reading.js';

/**
 * A sink for those who care for some readings only: encoders override what their format can carry, counters what they
 * count. All else is silently left out.
 */
export class IgnoringSink implements ReadingSink {
  sample(_value: number): void {}
  deviceTime(_tMs: number): void {}
  lost(_samples: number): void {}
  beat(): void {}
  rr(_rrMs: number): void {}
  heartRate(_hrBpm: number): void {}
  spo2(_percent: number): void {}
  contact(_on: boolean): void {}
  battery(_percent: number): void {}
  frame(): void {}
  dropped(_reason: DropReason, _bytes: number): void {}
}

/** Rounds to a whole number inside the range a device's field can hold; `missing` stands in for NaN. */
export function toField(value: number, least: number, most: number, missing: number): number {
  return Number.isNaN(value) ? missing : Math.min(most, Math.max(least, Math.round(value)));
}
