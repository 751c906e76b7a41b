import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Throttle, type ThrottleOptions } from '../../src/delivery/throttle.js';
import { ManualTime } from './support/world.js';

function throttle(over: Partial<ThrottleOptions> = {}) {
  const time = new ManualTime();
  const startMs = time.nowMs;
  const runs: number[] = [];
  const made = new Throttle({
    clock: time,
    timers: time,
    everyMs: 1_000,
    run: () => runs.push(time.nowMs - startMs),
    ...over,
  });
  return { throttle: made, time, runs };
}

test('the first run comes at once; what is asked for in between is done once, when the time is over', () => {
  const { throttle: t, time, runs } = throttle();
  t.ask();
  expect(runs).toEqual([0]);
  for (let i = 0; i < 5; i++) {
    time.advance(100);
    t.ask();
  }
  time.advance(5_000);
  expect(runs).toEqual([0, 1_000]);
  t.ask();
  expect(runs).toEqual([0, 1_000, 5_500]);
});

test('late: the first waits too, and each gap is twice the last, up to the longest', () => {
  const { throttle: t, time, runs } = throttle({ late: true, longestMs: 3_000 });
  for (let i = 0; i < 5; i++) {
    t.ask();
    time.advance(3_000);
  }
  expect(runs).toEqual([1_000, 5_000, 9_000, 12_000, 15_000]);
});

test('reset: what was asked for is dropped, and the gap is the first one again', () => {
  const { throttle: t, time, runs } = throttle({ late: true, longestMs: 60_000 });
  for (let i = 0; i < 4; i++) {
    t.ask();
    time.advance(10_000);
  }
  t.ask();
  t.reset();
  time.advance(100_000);
  expect(runs).toEqual([1_000, 12_000, 24_000, 38_000]);
  t.ask();
  time.advance(1_000);
  expect(runs.at(-1)).toBe(141_000);
});

test('nothing runs after stop, and no timer is left', () => {
  const { throttle: t, time, runs } = throttle();
  t.ask();
  t.ask();
  t.stop();
  t.ask();
  expect(time.timers).toBe(0);
  time.advance(10_000);
  expect(runs).toEqual([0]);
});

test('a run may ask for the next', () => {
  const {
    throttle: t,
    time,
    runs,
  } = throttle({
    run: () => {
      runs.push(time.nowMs - 1_000);
      if (runs.length < 3) t.ask();
    },
  });
  t.ask();
  time.advance(10_000);
  expect(runs).toEqual([0, 1_000, 2_000]);
});

test('whenever it is asked: never two runs closer than the gap, and the last ask is always served', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 3_000 }), { maxLength: 50 }), (waits) => {
      const { throttle: t, time, runs } = throttle();
      let askedAtMs = Number.NEGATIVE_INFINITY;
      const startMs = time.nowMs;
      for (const waitMs of waits) {
        time.advance(waitMs);
        t.ask();
        askedAtMs = time.nowMs - startMs;
      }
      time.advance(1_000);
      for (let i = 1; i < runs.length; i++) expect(runs[i]! - runs[i - 1]!).toBeGreaterThanOrEqual(1_000);
      if (waits.length > 0) expect(runs.at(-1)).toBeGreaterThanOrEqual(askedAtMs);
    }),
  );
});
