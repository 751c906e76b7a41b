import { describe, expect, it } from 'vitest';
import {
  parseRhythmPreprocessing,
  RHYTHM_BEATS,
  RHYTHM_FEATURES,
  RhythmRrInputs,
  RhythmRrWindows,
} from '../../../src/inference/windows/rhythm-rr.js';

/** Intervals of a seeded heart: 0 is a metronome, 1 is all chance. */
function heart(irregular: number, count = RHYTHM_BEATS, meanS = 0.8): Float64Array {
  let state = 12345;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return Float64Array.from({ length: count }, () => meanS * (1 + irregular * (next() - 0.5)));
}

function featuresOf(rrS: Float64Array): Record<string, number> {
  const [, features] = new RhythmRrInputs().write(rrS);
  return Object.fromEntries(RHYTHM_FEATURES.map((name, i) => [name, features[i]!]));
}

describe('features of the rhythm', () => {
  it('a metronome has no change, no unequal pair and the least entropy', () => {
    const f = featuresOf(heart(0));
    for (const name of ['rmsChange', 'dx90', 'xIqr', 'unequalPairs', 'unequalNear', 'turns', 'change3', 'over20'])
      expect(f[name], name).toBe(0);
    expect(f.logMedian).toBeCloseTo(Math.log(0.8), 6);
    expect(f.words).toBeCloseTo(1 / 58, 6);
    expect(f.wordEntropy).toBeCloseTo(0, 6);
    // One cell, 58 templates that all match: ln((A + .5) / (B + .5)) is 0, what is left is the scale.
    expect(f.coSampleEntropy).toBeCloseTo(Math.log(0.06 / 0.8), 6);
  });

  it('a heart of chance is irregular in every way', () => {
    const chance = featuresOf(heart(0.6));
    const calm = featuresOf(heart(0.05));
    for (const name of ['rmsChange', 'dx50', 'xIqr', 'unequalPairs', 'unequalNear', 'coSampleEntropy', 'wordEntropy'])
      expect(chance[name]!, name).toBeGreaterThan(calm[name]!);
    expect(chance.unequalPairs).toBeGreaterThan(0.7);
  });

  it('bigeminy is told from chance by the correlation at lag 2 and by its pauses', () => {
    const bigeminy = featuresOf(Float64Array.from({ length: 60 }, (_, i) => (i % 2 ? 1.1 : 0.5)));
    expect(bigeminy.correlation2).toBeGreaterThan(0.9);
    expect(bigeminy.correlation1).toBeLessThan(-0.9);
    expect(bigeminy.compensated! + bigeminy.earlyThenLate!).toBeGreaterThan(0.4);
    expect(bigeminy.neighbour).toBeCloseTo(0, 9);
    expect(Math.abs(featuresOf(heart(0.6)).correlation2!)).toBeLessThan(0.5);
  });

  it('does not depend on what was written before', () => {
    const inputs = new RhythmRrInputs();
    const wanted = [...inputs.write(heart(0.3))[1]];
    inputs.write(heart(0.9));
    expect([...inputs.write(heart(0.3))[1]]).toEqual(wanted);
  });

  it('is finite for the fastest, the slowest and alternating extremes', () => {
    for (const rr of [
      new Float64Array(60).fill(0.2),
      new Float64Array(60).fill(3),
      Float64Array.from({ length: 60 }, (_, i) => (i % 2 ? 3 : 0.2)),
    ]) {
      const [sequence, features] = new RhythmRrInputs().write(rr);
      expect(sequence.every(Number.isFinite)).toBe(true);
      expect(features.every(Number.isFinite)).toBe(true);
    }
  });
});

describe('the row of intervals', () => {
  it('holds interval by median, change and rate, first change 0, all limited', () => {
    const rr = new Float64Array(60).fill(0.8);
    rr[59] = 3;
    const [sequence] = new RhythmRrInputs().write(rr);
    for (const value of sequence.subarray(0, 3)) expect(value).toBeCloseTo(0, 6);
    expect(sequence[3 * 59]).toBeCloseTo(4.8, 6);
    expect(sequence[3 * 59 + 1]).toBeCloseTo(4, 5);
    const fast = new RhythmRrInputs().write(new Float64Array(60).fill(0.4))[0];
    expect(fast[2]).toBeCloseTo(2 * Math.log(0.5), 6);
  });
});

describe('rhythm windows', () => {
  const collect = (everyBeats = 5) => {
    const told: { tMs: number; startMs: number; first: number }[] = [];
    const windows = new RhythmRrWindows({
      everyBeats,
      onWindow: ([sequence], tMs, startMs) => told.push({ tMs, startMs, first: sequence![0]! }),
    });
    let tMs = 0;
    const push = (count: number, rrMs = 800) => {
      for (let i = 0; i < count; i++) {
        tMs += rrMs;
        windows.push(rrMs, tMs);
      }
    };
    const wait = (ms: number) => {
      tMs += ms;
    };
    return { told, push, wait, windows };
  };

  it('come every few intervals once there are 60, with the times of newest and oldest beat', () => {
    const { told, push } = collect();
    push(59);
    expect(told).toEqual([]);
    push(12);
    expect(told.map(({ tMs, startMs }) => [tMs / 800, startMs / 800])).toEqual([
      [60, 1],
      [65, 6],
      [70, 11],
    ]);
  });

  it('hold the last 60 in order, wherever the ring stands', () => {
    const all: number[][] = [];
    const row = heart(0.5, 140);
    const windows = new RhythmRrWindows({ everyBeats: 1, onWindow: ([sequence]) => all.push([...sequence!]) });
    row.forEach((rrS, i) => {
      windows.push(rrS * 1000, i * 800);
    });
    const inputs = new RhythmRrInputs();
    expect(all).toHaveLength(81);
    all.forEach((sequence, i) => {
      const wanted = inputs.write(row.slice(i, i + 60).map((rrS) => (rrS * 1000) / 1000))[0];
      sequence.forEach((value, k) => {
        expect(value).toBeCloseTo(wanted[k]!, 5);
      });
    });
  });

  it('leave out gaps and nonsense, and begin anew after a hole', () => {
    const { told, push, wait, windows } = collect(1);
    push(59);
    for (const nonsense of [3001, 0, -5, Number.NaN, Number.POSITIVE_INFINITY]) windows.push(nonsense, 60_000);
    expect(told).toHaveLength(0);
    push(1);
    expect(told).toHaveLength(1);
    wait(119_000);
    push(1);
    expect(told).toHaveLength(2);
    wait(120_000);
    push(59);
    expect(told).toHaveLength(2);
    push(1);
    expect(told).toHaveLength(3);
  });
});

describe('constants in a manifest', () => {
  const good = { featureMean: RHYTHM_FEATURES.map(() => 0.5), featureDeviation: RHYTHM_FEATURES.map(() => 2) };

  it('standardise and limit the features', () => {
    const [, plain] = new RhythmRrInputs().write(heart(0.3));
    const wanted = [...plain].map((value) => Math.max(-6, Math.min(6, (value - 0.5) / 2)));
    const [, features] = new RhythmRrInputs(good).write(heart(0.3));
    [...features].forEach((value, i) => {
      expect(value).toBeCloseTo(wanted[i]!, 5);
    });
  });

  it.each([
    ['featureMean', { ...good, featureMean: [1, 2] }],
    ['featureDeviation', { ...good, featureDeviation: undefined }],
    ['above 0', { ...good, featureDeviation: RHYTHM_FEATURES.map(() => 0) }],
    ['featureMean', { ...good, featureMean: RHYTHM_FEATURES.map(() => 'x') }],
  ])('are refused where they do not fit: %s', (word, wrong) => {
    expect(() => parseRhythmPreprocessing(wrong)).toThrow(word);
  });
});
