import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/lab/random.js';
import { FEATURE_COUNT } from '../../../src/signal/ecg/features.js';
import { FrontEnd } from '../../../src/signal/ecg/front-end.js';
import { Lead } from '../../../src/signal/ecg/lead.js';
import { SearchBack } from '../../../src/signal/ecg/search-back.js';
import { logOf } from '../../../src/signal/ecg/shape.js';
import { BeatState } from '../../../src/signal/ecg/state.js';
import {
  BeatVerifier,
  HIDDEN_1,
  HIDDEN_2,
  LEAK,
  WEIGHT_COUNT,
  weightsFromText,
  weightsToText,
} from '../../../src/signal/ecg/verifier.js';

describe('the way to 128 Hz', () => {
  it.each([100, 128, 250, 256, 360, 500, 1000])('keeps a slow wave in its place, from %i Hz', (rateHz) => {
    const lead = new Lead(rateHz);
    const wave = (tS: number) => Math.sin(2 * Math.PI * 3 * tS);
    const out: number[] = [];
    for (let i = 0; i < 4 * rateHz; i++) {
      if (!lead.push(7 + wave(i / rateHz))) continue;
      while (lead.next()) out.push(lead.out[0]!);
    }
    expect(out.length).toBeGreaterThan(4 * 128 - 5);
    // The first value, 7, is taken off; the averages flatten 3 Hz by less than 1 %.
    for (let j = 8; j < out.length; j++) expect(Math.abs(out[j]! - wave(j / 128))).toBeLessThan(0.02);
  });

  it('says where the extremum lies', () => {
    const lead = new Lead(360);
    for (let i = 0; i < 500; i++) {
      lead.push(i === 301 ? 5 : i === 305 ? -6 : 0);
      while (lead.next());
    }
    expect(lead.extremum(303, 4, true)).toBe(301);
    expect(lead.extremum(303, 4, false)).toBe(305);
  });
});

describe('the filters', () => {
  it('are what their formulas say, also after a large value has passed', () => {
    const random = seededRandom(2);
    const z = Float64Array.from({ length: 4000 }, (_, i) => (i === 1500 ? 1e11 : random() - 0.5 + Math.sin(i / 20)));
    const front = new FrontEnd();
    for (let i = 0; i < z.length; i++) front.push(z.subarray(i));
    const mean = (f: (k: number) => number, c: number, width: number) => {
      let sum = 0;
      for (let k = c - (width - 1) / 2; k <= c + (width - 1) / 2; k++) sum += f(k);
      return sum / width;
    };
    const m = (width: number) => (k: number) => mean((i) => z[i]!, k, width);
    const a = (k: number) => mean((i) => m(5)(i) - m(13)(i), k, 3);
    const energy = (k: number) => mean((i) => mean((q) => Math.abs(a(q)), i, 9), k, 7);
    const slow = (k: number) => mean((i) => Math.abs(m(13)(i) - m(33)(i)), k, 11);
    for (const k of [3300, 3555, 3900]) {
      expect(front.a[k & 1023]).toBeCloseTo(a(k), 9);
      expect(front.energy[k & 1023]).toBeCloseTo(energy(k), 9);
      expect(front.slow[k & 1023]).toBeCloseTo(slow(k), 9);
      expect(front.roughness(k)).toBeCloseTo(
        mean((i) => Math.abs(z[i]! - m(3)(i)), k, 15),
        9,
      );
    }
  });
});

describe('the logarithm', () => {
  it('is right to 1e-4 wherever levels lie, and a number everywhere', () => {
    for (let e = -25; e < 13; e += 0.0137) expect(Math.abs(logOf(10 ** e) - Math.log(10 ** e))).toBeLessThan(1e-4);
    for (const x of [0, -1, 1e-300]) expect(logOf(x)).toBeCloseTo(Math.log(1e-30), 3);
  });
});

describe('the network', () => {
  const random = seededRandom(4);
  const weights = Float32Array.from({ length: WEIGHT_COUNT }, () => 0.4 * (random() - 0.5));

  it('computes what its weights say', () => {
    const x = Float64Array.from({ length: FEATURE_COUNT }, () => 2 * random() - 1);
    const layer = (input: ArrayLike<number>, from: number, units: number, leak: number) =>
      Array.from({ length: units }, (_, h) => {
        let sum = weights[from + units * input.length + h]!;
        for (let i = 0; i < input.length; i++) sum += weights[from + h * input.length + i]! * input[i]!;
        return sum > 0 ? sum : leak * sum;
      });
    const from2 = HIDDEN_1 * (FEATURE_COUNT + 1);
    const h1 = layer(x, 0, HIDDEN_1, LEAK);
    const h2 = layer(h1, from2, HIDDEN_2, LEAK);
    const [logit] = layer(h2, from2 + HIDDEN_2 * (HIDDEN_1 + 1), 1, 1);
    expect(new BeatVerifier(weights).judge(x)).toBeCloseTo(1 / (1 + Math.exp(-logit!)), 12);
  });

  it('keeps its weights through their text', () => {
    expect(weightsFromText(weightsToText(weights))).toEqual(weights);
  });

  it('refuses weights that cannot be its own', () => {
    expect(() => new BeatVerifier(weights.subarray(1))).toThrow(RangeError);
    expect(() => new BeatVerifier(weights.with(5, Number.NaN))).toThrow(RangeError);
  });
});

describe('looking back', () => {
  const overdue = () => {
    const state = new BeatState();
    state.begin(0, 0, 0, 0, -3);
    state.lastBeat = 1000;
    return state;
  };

  it('takes the likeliest rejected candidate once a beat is overdue, not before', () => {
    const back = new SearchBack();
    back.remember(1080, 0.2, -0.5);
    back.remember(1110, 0.4, -0.5);
    back.remember(1140, 0.3, -0.5);
    expect(back.find(overdue(), 1160)).toBe(-1);
    expect(back.find(overdue(), 1200)).toBe(1110);
    expect(back.found).toBeCloseTo(0.4);
  });

  it('leaves what is unlikely, too near the last beat, or too small', () => {
    const back = new SearchBack();
    back.remember(1015, 0.45, 0);
    back.remember(1100, 0.1, 0);
    back.remember(1110, 0.4, -2);
    expect(back.find(overdue(), 1300)).toBe(-1);
    // After 4 s without a beat smallness no longer matters.
    expect(back.find(overdue(), 1520)).toBe(1110);
  });

  it('forgets what lies before an accepted beat, and the oldest of many', () => {
    const back = new SearchBack();
    for (let i = 0; i < 20; i++) back.remember(1050 + 14 * i, i === 0 ? 0.49 : 0.2 + i / 1000, 0);
    expect(back.find(overdue(), 1400)).toBe(1050 + 14 * 19);
    back.passed(2000);
    expect(back.find(overdue(), 1400)).toBe(-1);
  });
});
