import { describe, expect, it } from 'vitest';
import { BeatHistory } from '../../src/alarm/beats.js';
import { orderOfIntervals } from '../../src/alarm/order.js';
import { Random } from '../../src/simulator/heart/random.js';

/** The order of a row of intervals, all of their beats trusted unless told. */
function orderOf(rrMs: readonly number[], trusted: (i: number) => boolean = () => true, untilMs = Infinity): number {
  const beats = new BeatHistory();
  let tMs = 0;
  const push = (rr: number | null, i: number) =>
    beats.push({ tMs, sample: -1, rrMs: rr, decidedAtMs: tMs, quality: 1, source: 'rr' }, trusted(i));
  push(null, 0);
  rrMs.forEach((rr, i) => {
    tMs += rr;
    push(rr, i);
  });
  return orderOfIntervals(beats, untilMs);
}

const row = (count: number, rr: (i: number) => number) => Array.from({ length: count }, (_, i) => rr(i));

describe('the order of intervals', () => {
  it('is that of chance where there is none: about 17, above 36 once in 70 rows', () => {
    const random = new Random(7);
    const all = row(1000, () => orderOf(row(120, () => 700 * Math.exp(0.22 * random.normal()))));
    const mean = all.reduce((sum, q) => sum + q, 0) / all.length;
    expect(mean).toBeGreaterThan(15.5);
    expect(mean).toBeLessThan(19);
    const above = all.filter((q) => q > 36).length / all.length;
    expect(above).toBeGreaterThan(0.004);
    expect(above).toBeLessThan(0.03);
  });

  it('is high in a heart that breathing drives, whose even beats are early, or that early beats and their pauses disturb', () => {
    const random = new Random(3);
    const jitter = () => Math.exp(0.05 * random.normal());
    for (const beatsPerBreath of [3.2, 4.3, 6]) {
      expect(
        orderOf(row(120, (i) => 1000 * (1 + 0.18 * Math.sin((2 * Math.PI * i) / beatsPerBreath)) * jitter())),
      ).toBeGreaterThan(100);
    }
    expect(orderOf(row(120, (i) => (i % 2 ? 900 : 600) * jitter()))).toBeGreaterThan(100);
    let early = false;
    const compensated = row(120, () => {
      if (early) {
        early = false;
        return 1150 * jitter();
      }
      early = random.next() < 0.3;
      return (early ? 550 : 850) * jitter();
    });
    expect(orderOf(compensated)).toBeGreaterThan(36);
  });

  it('is not made by a rate that drifts, nor by single long intervals', () => {
    const random = new Random(5);
    const free = row(120, (i) => (600 + 3 * i) * Math.exp(0.22 * random.normal()));
    const before = orderOf(free);
    expect(before).toBeLessThan(36);
    const withPauses = free.map((rr, i) => (i % 40 === 20 ? 2_800 : rr));
    expect(orderOf(withPauses)).toBeLessThan(36);
  });

  it('is not known of fewer than 60 intervals, of an even rhythm, or out of doubtful beats', () => {
    const random = new Random(1);
    const some = row(120, () => 700 + 100 * random.normal());
    expect(orderOf(some.slice(0, 59))).toBeNaN();
    expect(orderOf(some.slice(0, 60))).toBeGreaterThan(0);
    expect(orderOf(row(120, () => 800))).toBeNaN();
    expect(orderOf(some, (i) => i % 2 === 0)).toBeNaN();
    // What came after the window does not count.
    const half = some.slice(0, 70);
    const lengthMs = half.reduce((sum, rr) => sum + rr, 0);
    expect(orderOf([...half, ...row(50, () => 800)], undefined, lengthMs + 1)).toBe(orderOf(half));
  });
});
