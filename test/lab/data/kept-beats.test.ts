import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keptBeats } from '../../../src/lab/data/kept-beats.js';

const countsOf = (classes: Iterable<number>) => {
  const counts = [0, 0, 0, 0, 0];
  for (const label of classes) counts[label]!++;
  return counts;
};

describe('beats that are kept of a long record', () => {
  it('all of a short one', () => {
    const { beats, standsFor } = keptBeats(Uint8Array.of(0, 1, 2, 0), 4);
    expect([...beats]).toEqual([0, 1, 2, 3]);
    expect(standsFor).toBeUndefined();
  });

  it('every rare beat, N evenly thinned', () => {
    const classes = Uint8Array.from({ length: 100_000 }, (_, i) => (i % 1000 === 7 ? 2 : 0));
    const { beats, standsFor } = keptBeats(classes, 8192);
    expect(countsOf(Array.from(beats, (beat) => classes[beat]!))[2]).toBe(100);
    expect(beats.length).toBeLessThanOrEqual(8192);
    expect(beats.length).toBeGreaterThan(7000);
    const gaps = [...beats].slice(1).map((beat, i) => beat - beats[i]!);
    expect(Math.max(...gaps)).toBeLessThanOrEqual(14);
    expect(standsFor![2]).toBe(1);
  });

  it('stand for as many as there are, of every class, whatever the mixture; not many more are kept than asked for', () => {
    const label = fc.tuple(fc.nat(4), fc.integer({ min: 1, max: 900 }));
    fc.assert(
      fc.property(fc.array(label, { minLength: 1, maxLength: 12 }), fc.integer({ min: 40, max: 400 }), (runs, most) => {
        const classes = Uint8Array.from(runs.flatMap(([of, length]) => new Array<number>(length).fill(of)));
        const { beats, standsFor = [1, 1, 1, 1, 1] } = keptBeats(classes, most);
        const kept = countsOf(Array.from(beats, (beat) => classes[beat]!));
        countsOf(classes).forEach((count, of) => {
          expect(kept[of]! * (standsFor[of] ?? 1)).toBeCloseTo(count, 6);
        });
        expect(beats.length).toBeLessThanOrEqual(1.25 * most + 5);
      }),
    );
  });
});
