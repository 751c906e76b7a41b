import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  beatMetrics,
  matchBeats,
  poolScores,
  quantile,
  type ReferenceBeats,
  referenceBeats,
  scoreBeats,
} from '../../../src/lab/evaluation/beat-match.js';
import type { Annotation } from '../../../src/lab/wfdb/index.js';

function annotations(...marks: [number, string][]): Annotation[] {
  return marks.map(([sample, symbol]) => ({ sample, symbol, subtype: 0, chan: 0, num: 0, aux: '' }));
}

function reference(samples: number[], rateHz = 1000): ReferenceBeats {
  return referenceBeats(annotations(...samples.map((s): [number, string] => [s, 'N'])), rateHz);
}

/** Most pairs, then least offset, by trying every pairing. */
function exhaustive(ref: number[], test: number[], tolerance: number): { pairs: number; offset: number } {
  let best = { pairs: 0, offset: 0 };
  const go = (i: number, j: number, pairs: number, offset: number): void => {
    if (pairs > best.pairs || (pairs === best.pairs && offset < best.offset)) best = { pairs, offset };
    for (let a = i; a < ref.length; a++) {
      for (let b = j; b < test.length; b++) {
        const d = Math.abs(test[b]! - ref[a]!);
        if (d <= tolerance) go(a + 1, b + 1, pairs + 1, offset + d);
      }
    }
  };
  go(0, 0, 0, 0);
  return best;
}

describe('matching', () => {
  it('pairs as many as can be, at the least total offset', () => {
    const ascending = fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 7 }).map((v) => v.sort((a, b) => a - b));
    fc.assert(
      fc.property(ascending, ascending, fc.integer({ min: 0, max: 15 }), (ref, test, tolerance) => {
        const pairOf = matchBeats(ref, test, tolerance);
        let pairs = 0;
        let offset = 0;
        let last = -1;
        pairOf.forEach((j, i) => {
          if (j < 0) return;
          expect(j).toBeGreaterThan(last);
          last = j;
          pairs++;
          offset += Math.abs(test[j]! - ref[i]!);
          expect(Math.abs(test[j]! - ref[i]!)).toBeLessThanOrEqual(tolerance);
        });
        expect({ pairs, offset }).toEqual(exhaustive(ref, test, tolerance));
      }),
      { numRuns: 300 },
    );
  });

  it('does not take the nearest where that costs a pair', () => {
    expect([...matchBeats([100, 200], [190, 290], 100)]).toEqual([0, 1]);
  });

  it('counts the tolerance in', () => {
    expect([...matchBeats([1000], [1150], 150)]).toEqual([0]);
    expect([...matchBeats([1000], [1151], 150)]).toEqual([-1]);
  });
});

describe('scoring', () => {
  it('takes two detections of one beat as one hit and one extra', () => {
    expect(scoreBeats(reference([1000, 2000]), [990, 1100, 2010])).toMatchObject({
      tp: 2,
      fp: 1,
      fn: 0,
      extra: [1100],
      offsetsMs: [-10, 10],
    });
  });

  it('leaves flutter out, on both sides', () => {
    const ref = referenceBeats(
      annotations([500, 'N'], [1000, '['], [1500, '!'], [1600, 'V'], [2000, ']'], [2500, 'V']),
      1000,
    );
    expect([...ref.samples]).toEqual([500, 2500]);
    expect(scoreBeats(ref, [500, 1200, 1800, 2500, 3000])).toMatchObject({ tp: 2, fp: 1, fn: 0, inFlutter: 2 });
  });

  it('takes flutter that does not end as lasting', () => {
    const ref = referenceBeats(annotations([500, 'N'], [1000, '['], [5000, 'N']), 1000);
    expect(scoreBeats(ref, [500, 9000])).toMatchObject({ tp: 1, fp: 0, fn: 0, inFlutter: 1 });
  });

  it('passes over what is no beat', () => {
    const ref = referenceBeats(annotations([1, '+'], [500, '~'], [600, '|'], [700, 'x'], [800, 'a']), 1000);
    expect([...ref.samples]).toEqual([800]);
    expect(ref.symbols).toEqual(['a']);
  });

  it('counts only inside the windows, but pairs across their edges', () => {
    const ref = reference([950, 2050, 3000]);
    const score = scoreBeats(ref, [1050, 1950, 4000], { windows: [[1, 2]] });
    expect(score).toMatchObject({ tp: 0, fp: 0, fn: 0 });
  });

  it('names what was missed', () => {
    expect(scoreBeats(reference([1000, 2000]), [1000]).missed).toEqual([{ sample: 2000, symbol: 'N' }]);
  });
});

describe('figures', () => {
  it('pools counts, not rates', () => {
    const good = scoreBeats(reference([1000, 2000, 3000]), [1000, 2000, 3000]);
    const bad = scoreBeats(reference([1000]), [2000]);
    const m = beatMetrics(poolScores([good, bad]));
    expect(m).toMatchObject({ beats: 4, tp: 3, fp: 1, fn: 1, sensitivity: 0.75, precision: 0.75, f1: 0.75 });
  });

  it('has no figure for nothing', () => {
    expect(beatMetrics(scoreBeats(reference([]), []))).toMatchObject({ f1: Number.NaN, absOffsetMedianMs: Number.NaN });
  });

  it('interpolates quantiles', () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(quantile([1, 2], 1)).toBe(2);
    expect(quantile([], 0.5)).toBeNaN();
  });
});
