import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RrCleaner, type RrFlag } from '../../src/signal/rr.js';

/** Feeds intervals and returns flags, values and usability. */
function clean(intervals: readonly number[]): { flag: RrFlag; rrMs: number; usable: boolean }[] {
  const cleaner = new RrCleaner();
  return intervals.map((rrMs) => ({ ...cleaner.push(rrMs) }));
}

/** A sinus rhythm with a breathing of 3 %. */
const sinus = (count: number, meanMs = 800) =>
  Array.from({ length: count }, (_, at) => meanMs * (1 + 0.03 * Math.sin((2 * Math.PI * at) / 5)));

describe('RrCleaner', () => {
  it('leaves an ordinary rhythm alone, and a heart that speeds up', () => {
    const speedingUp = Array.from({ length: 100 }, (_, at) => 1000 - 5 * at);
    for (const { flag, usable } of [...clean(sinus(200)), ...clean(speedingUp)])
      expect({ flag, usable }).toEqual({ flag: 'ok', usable: true });
  });

  it('drops what no heart does', () => {
    for (const rrMs of [0, -5, 199, 3001, Number.NaN, Number.POSITIVE_INFINITY]) {
      const last = clean([...sinus(20), rrMs]).at(-1);
      expect(last).toMatchObject({ flag: 'out-of-range', usable: false });
    }
    expect(clean([200, 3000]).map((rr) => rr.flag)).toEqual(['ok', 'ok']);
  });

  it('marks an interval over a missed beat', () => {
    const out = clean([...sinus(30), 1600, ...sinus(5)]);
    expect(out[30]).toMatchObject({ flag: 'missed-beat', usable: false, rrMs: 1600 });
    expect(out.filter((rr) => !rr.usable)).toHaveLength(1);
  });

  it('joins the halves around a beat that was none', () => {
    const out = clean([...sinus(30), 300, 500, ...sinus(5)]);
    expect(out[30]).toMatchObject({ flag: 'too-early', usable: false });
    expect(out[31]).toEqual({ flag: 'extra-beat', usable: true, rrMs: 800 });
    expect(out.slice(32).every((rr) => rr.flag === 'ok')).toBe(true);
  });

  it('does not call the pause after an early beat a missed one', () => {
    const out = clean([...sinus(30), 440, 1500, ...sinus(5)]);
    expect(out.slice(30, 32).map((rr) => rr.flag)).toEqual(['too-early', 'ok']);
  });

  it('does not clean atrial fibrillation away', () => {
    let seed = 1;
    const random = () => {
      seed = (seed * 16807) % 2147483647;
      return seed / 2147483647;
    };
    const out = clean(Array.from({ length: 2000 }, () => 450 + 700 * random()));
    expect(out.filter((rr) => rr.usable).length).toBeGreaterThan(1900);
  });

  it('forgets the half beat over a gap', () => {
    const cleaner = new RrCleaner();
    for (const rrMs of sinus(30)) cleaner.push(rrMs);
    expect(cleaner.push(300).flag).toBe('too-early');
    cleaner.gap();
    expect(cleaner.push(500).flag).not.toBe('extra-beat');
  });

  it('never says that nonsense is usable', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.double(), fc.double({ min: 100, max: 4000, noNaN: true })), { maxLength: 300 }),
        (rr) => {
          for (const { rrMs, usable } of clean(rr)) if (usable) expect(rrMs >= 200 && rrMs <= 3000).toBe(true);
        },
      ),
    );
  });
});
