import { describe, expect, it } from 'vitest';
import { ArrivalSampleClock, exactSampleClock, RateMeter } from '../../src/sensor/sample-clock.js';

/** Deterministic noise in [0, 1). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Bytes of a sensor at `trueRateHz` handed over in bursts: at the next multiple of `burstMs`, plus a little noise. */
function feed(
  clock: ArrivalSampleClock,
  trueRateHz: number,
  seconds: number,
  burstMs: number,
  onSample: (n: number, trueMs: number) => void,
) {
  const noise = random(7);
  const startMs = 5000;
  let n = 0;
  for (let burst = 1; burst * burstMs < seconds * 1000; burst++) {
    const until = burst * burstMs;
    const before = n;
    clock.begin(n, startMs + until);
    while ((n * 1000) / trueRateHz <= until) {
      onSample(n, startMs + (n * 1000) / trueRateHz);
      n++;
    }
    if (n > before) clock.arrived(n, startMs + until + noise() * 2);
  }
}

describe('ArrivalSampleClock', () => {
  it('keeps RR intervals within 2 ms under 16 ms bursts and 0.3 % drift', () => {
    const clock = new ArrivalSampleClock(250);
    const errors: number[] = [];
    let last: number | null = null;
    feed(clock, 249.25, 300, 16, (n, trueMs) => {
      if (trueMs < 5000 + 60_000 || n % 200 !== 0) return;
      const trueRr = (200 * 1000) / 249.25;
      const now = clock.timeOf(n);
      if (last !== null) errors.push(Math.abs(now - last - trueRr));
      last = now;
    });
    errors.sort((a, b) => a - b);
    expect(errors.length).toBeGreaterThan(200);
    expect(errors[Math.floor(errors.length * 0.99)]).toBeLessThan(2);
    expect(clock.rateHz).toBeCloseTo(249.25, 1);
  });

  it('places samples close to when they happened, not when they arrived', () => {
    const clock = new ArrivalSampleClock(250);
    const errors: number[] = [];
    feed(clock, 250, 120, 16, (n, trueMs) => {
      if (trueMs > 5000 + 30_000) errors.push(Math.abs(clock.timeOf(n) - trueMs));
    });
    expect(Math.max(...errors)).toBeLessThan(16);
  });

  it('does not take a stall of the machine for a change of rate', () => {
    const clock = new ArrivalSampleClock(250);
    for (let n = 25; n <= 250 * 60; n += 25) clock.arrived(n, n * 4 + (n > 5000 && n < 5500 ? 800 : 0));
    expect(clock.rateHz).toBeCloseTo(250, 0);
  });

  it('begins anew where samples were never sent: after a pause, and when small holes add up', () => {
    const clock = new ArrivalSampleClock(250);
    feed(clock, 250, 30, 10, () => {});
    const count = 250 * 30;
    const lateMs = 12_000;
    expect(clock.arrived(count + 5, 30_020 + lateMs)).toBe(true);
    expect(clock.timeOf(count + 4)).toBeCloseTo(30_020 + lateMs, 0);
    let anew = 0;
    for (let n = 10; n <= 250 * 60; n += 5) {
      // 40 ms are missing twice a second.
      if (clock.arrived(count + n, 30_020 + lateMs + n * 4 + 40 * Math.floor(n / 125))) anew++;
    }
    expect(anew).toBeGreaterThan(0);
    const behindMs = 30_020 + lateMs + 60_000 + 120 * 40 - clock.timeOf(count + 250 * 60);
    expect(behindMs).toBeLessThan(1200);
  });

  it('does not begin anew where samples only waited, in our buffers or in the kernel', () => {
    const clock = new ArrivalSampleClock(250);
    feed(clock, 250, 30, 10, () => {});
    // Six seconds kept back come in three reads, one after another.
    let anew = 0;
    for (const n of [500, 1000, 1500]) if (clock.arrived(250 * 30 + n, 36_001 + n / 500)) anew++;
    for (let n = 1525; n < 5000; n += 25) if (clock.arrived(250 * 30 + n, 30_000 + n * 4)) anew++;
    expect(anew).toBeLessThanOrEqual(1);
    expect(clock.timeOf(250 * 30 + 4000) - 46_000).toBeLessThan(20);
  });

  it('starts a new line after a restart and keeps the learnt rate', () => {
    const clock = new ArrivalSampleClock(250);
    feed(clock, 248, 60, 10, () => {});
    const learnt = clock.rateHz;
    clock.restart();
    clock.begin(1_000_000, 90_000);
    expect(clock.timeOf(1_000_000)).toBeCloseTo(90_000, 6);
    expect(clock.rateHz).toBe(learnt);
    expect(learnt).toBeCloseTo(248, 0);
  });
});

describe('exactSampleClock', () => {
  it('counts from its start', () => {
    expect(exactSampleClock(360, 10).timeOf(360)).toBe(1010);
  });
});

describe('RateMeter', () => {
  /** Chunks of 20 ms, as a device of `rateHz` sends them; `skip` tells which moments bring nothing. */
  function measure(meter: RateMeter, rateHz: number, fromMs: number, skip = (_ms: number) => false): number | null {
    let sent = 0;
    for (let ms = 0; ms < 20_000; ms += 20) {
      const due = Math.floor((ms * rateHz) / 1000);
      const samples = skip(ms) ? 0 : due - sent;
      sent = due;
      const rate = meter.arrived(samples, fromMs + ms);
      if (rate !== null) return rate;
    }
    return null;
  }

  it('measures after the start-up second', () => {
    expect(measure(new RateMeter(), 250, 0)).toBeCloseTo(250, 0);
    expect(measure(new RateMeter(), 191, 7)).toBeCloseTo(191, 0);
  });

  it('takes no rate from bytes that are no samples', () => {
    expect(measure(new RateMeter(), 0, 0)).toBeNull();
  });

  it('is not spoilt by samples that were lost while it measured', () => {
    expect(measure(new RateMeter(), 200, 0, (ms) => ms > 2000 && ms < 2900)).toBeCloseTo(200, 0);
    expect(measure(new RateMeter(), 200, 0, (ms) => ms > 3800 && ms < 4600)).toBeCloseTo(200, 0);
  });

  it('begins again after a restart', () => {
    const meter = new RateMeter();
    for (let ms = 0; ms < 4500; ms += 20) meter.arrived(2, ms);
    meter.restart();
    expect(measure(meter, 200, 30_000)).toBeCloseTo(200, 0);
  });
});
