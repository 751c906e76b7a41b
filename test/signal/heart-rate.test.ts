import { describe, expect, it } from 'vitest';
import { HeartRate } from '../../src/signal/heart-rate.js';

function feed(rate: HeartRate, intervals: readonly number[], fromMs = 0): number {
  let tMs = fromMs;
  for (const rrMs of intervals) {
    tMs += rrMs;
    rate.beat({ tMs, rrMs });
  }
  return tMs;
}

describe('HeartRate', () => {
  it('is there from the second interval on', () => {
    const rate = new HeartRate();
    rate.beat({ tMs: 0, rrMs: null });
    expect(rate.bpm).toBeNull();
    rate.beat({ tMs: 1000, rrMs: 1000 });
    expect(rate.bpm).toBeNull();
    rate.beat({ tMs: 2000, rrMs: 1000 });
    expect(rate.bpm).toBeCloseTo(60, 9);
  });

  it('follows a change within eight beats', () => {
    const rate = new HeartRate();
    const tMs = feed(rate, Array(20).fill(1000));
    feed(rate, Array(8).fill(500), tMs);
    expect(rate.bpm).toBeCloseTo(120, 9);
  });

  it('does not move for one missed or one extra beat', () => {
    const rate = new HeartRate();
    feed(rate, [800, 800, 800, 800, 1600, 800, 800, 800]);
    expect(rate.bpm).toBeCloseTo(75, 9);
    feed(rate, [800, 200, 800, 800, 800, 800, 800, 800]);
    expect(rate.bpm).toBeCloseTo(75, 9);
  });

  it('ignores intervals that no heart makes', () => {
    const rate = new HeartRate();
    feed(rate, [1000, 1000, 1000]);
    rate.beat({ tMs: 3001, rrMs: 1 });
    rate.beat({ tMs: 3002, rrMs: Number.NaN });
    expect(rate.bpm).toBeCloseTo(60, 9);
  });

  it('is gone five seconds after the last beat, and begins anew', () => {
    const rate = new HeartRate();
    const tMs = feed(rate, Array(10).fill(1000));
    rate.tick(tMs + 5000);
    expect(rate.bpm).toBeCloseTo(60, 9);
    rate.tick(tMs + 5001);
    expect(rate.bpm).toBeNull();
    rate.beat({ tMs: tMs + 9000, rrMs: null });
    rate.beat({ tMs: tMs + 9500, rrMs: 500 });
    rate.beat({ tMs: tMs + 10_000, rrMs: 500 });
    expect(rate.bpm).toBeCloseTo(120, 9);
    rate.clear();
    expect(rate.bpm).toBeNull();
  });
});
