import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadRecordedNoise, type RecordedNoise } from '../../../src/lab/augment/recorded-noise.js';
import { type WindowAugmentation, WindowAugmenter } from '../../../src/lab/augment/windows.js';
import { writeRecord } from '../../../src/lab/wfdb/index.js';

const rateHz = 128;
const flat = new Float32Array(256);
const ramp = Float32Array.from({ length: 256 }, (_, i) => i);
const ones = new Float32Array(1000).fill(1);
const noise: RecordedNoise = { rateHz, muscle: [ones], baseline: [ones.map(() => 2)] };

const changed = (wish: WindowAugmentation, window = ramp, seed = 1, channels = 1) => {
  const augmenter = new WindowAugmenter(wish, { rateHz, seed, noise, channels });
  return Array.from({ length: 50 }, () => {
    const out = new Float32Array(window.length);
    augmenter.apply(window, out);
    return out;
  });
};
const peak = (window: Float32Array) => Math.max(...window.map(Math.abs));

describe('augmentation of windows', () => {
  it('does nothing where nothing is asked for', () => {
    for (const window of changed({})) expect(window).toEqual(ramp);
  });

  it('is the same for the same seed, other for another, and goes on from a kept state', () => {
    const wish = { gain: 0.2, inversion: 0.5, shift: 3, mains: 0.1, muscle: 0.1, baseline: 0.1 };
    expect(changed(wish)).toEqual(changed(wish));
    expect(changed(wish)).not.toEqual(changed(wish, ramp, 2));
    const one = new WindowAugmenter(wish, { rateHz, seed: 5, noise });
    const other = new WindowAugmenter(wish, { rateHz, seed: 9, noise });
    const [a, b] = [new Float32Array(256), new Float32Array(256)];
    one.apply(ramp, a);
    other.restore(one.save());
    one.apply(ramp, a);
    other.apply(ramp, b);
    expect(b).toEqual(a);
  });

  it('moves, turns and scales as it is told', () => {
    const starts = new Set(changed({ shift: 2 }).map((window) => window[10]! - 10));
    expect([...starts].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2]);
    const signs = changed({ inversion: 0.5 }).map((window) => Math.sign(window[1]!));
    expect(signs.filter((sign) => sign < 0).length).toBeGreaterThan(10);
    expect(signs.filter((sign) => sign > 0).length).toBeGreaterThan(10);
    const gains = changed({ gain: 0.15 }).map((window) => Math.log(window[1]!));
    const spread = Math.sqrt(gains.reduce((sum, gain) => sum + gain ** 2, 0) / gains.length);
    expect(spread).toBeGreaterThan(0.09);
    expect(spread).toBeLessThan(0.21);
  });

  it('adds hum of 50 or 60 Hz, and recorded noise, up to their levels', () => {
    const hums = changed({ mains: 0.3 }, flat);
    expect(Math.max(...hums.map(peak))).toBeLessThanOrEqual(0.3);
    expect(Math.max(...hums.map(peak))).toBeGreaterThan(0.2);
    const power = (window: Float32Array, hz: number) => {
      let [re, im] = [0, 0];
      window.forEach((value, i) => {
        re += value * Math.cos((2 * Math.PI * hz * i) / rateHz);
        im += value * Math.sin((2 * Math.PI * hz * i) / rateHz);
      });
      return Math.hypot(re, im) / (window.length / 2);
    };
    for (const window of hums)
      expect(Math.max(power(window, 50), power(window, 60))).toBeGreaterThan(0.9 * peak(window));
    const [muscles, baselines] = [changed({ muscle: 0.1 }, flat), changed({ baseline: 0.1 }, flat)];
    expect(Math.max(...muscles.map(peak))).toBeLessThanOrEqual(0.1);
    expect(Math.max(...baselines.map(peak))).toBeGreaterThan(0.1);
  });

  it('disturbs the channels of a window alike', () => {
    for (const window of changed({ mains: 1, muscle: 1 }, new Float32Array(256), 3, 2)) {
      for (let i = 0; i < 256; i += 2) expect(window[i]).toBe(window[i + 1]);
    }
  });

  it('says what is wrong with a wish', () => {
    const make = (wish: WindowAugmentation, more: object = {}) =>
      new WindowAugmenter(wish, { rateHz, seed: 0, ...more });
    expect(() => make({ gain: -1 })).toThrow(/gain of -1/);
    expect(() => make({ inversion: 2 })).toThrow(/inversion of 2/);
    expect(() => make({ shift: 0.5 })).toThrow(/shift of 0.5 samples/);
    expect(() => make({ muscle: 0.1 })).toThrow(/need recorded noise/);
    expect(() => make({}, { noise: { ...noise, rateHz: 250 } })).toThrow(/noise at 250 Hz for windows at 128 Hz/);
  });
});

describe('recorded noise', () => {
  it('is brought to the rate asked for, at mean 0 and deviation 1, and its absence says what to do', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'slothd-noise-'));
    await mkdir(join(dir, 'nstdb'));
    const samples = Float32Array.from({ length: 3600 }, (_, i) => 5 + 0.3 * Math.sin((2 * Math.PI * 8 * i) / 360));
    const signals = [{ name: 'noise1', unit: 'mV', gainPerUnit: 1000, baseline: 0, samples }];
    await writeRecord(join(dir, 'nstdb', 'ma'), { rateHz: 360, signals });
    await expect(loadRecordedNoise(dir, 128)).rejects.toThrow(/bw\.hea.*slothd data get nstdb/);
    await writeRecord(join(dir, 'nstdb', 'bw'), { rateHz: 360, signals });
    const { muscle, baseline } = await loadRecordedNoise(dir, 128, (values) => values.map((value) => 3 * value));
    expect([muscle.length, baseline.length, muscle[0]!.length]).toEqual([1, 1, 1280]);
    const inside = muscle[0]!.subarray(100, 1180);
    expect(inside.reduce((sum, value) => sum + value, 0) / inside.length).toBeCloseTo(0, 1);
    // 8 Hz at 128 Hz: sixteen samples a turn.
    for (let i = 0; i < 200; i++) expect(inside[i]!).toBeCloseTo(inside[i + 16]!, 1);
    expect(Math.max(...inside)).toBeCloseTo(Math.SQRT2, 1);
  });
});
