import { describe, expect, it } from 'vitest';
import { newWideWindow, WIDE_R } from '../../../src/inference/windows/beat-templates.js';
import { P_WAVE_FEATURES, PWave } from '../../../src/inference/windows/p-wave.js';
import { RhythmContext } from '../../../src/inference/windows/rhythm-context.js';
import { RHYTHM_FEATURES } from '../../../src/inference/windows/rhythm-rr-features.js';

/** A beat with a P wave of this height, its peak so many samples before R. */
function beat(height: number, before: number, slope = 0): Float64Array {
  const wide = newWideWindow();
  for (let i = 0; i < wide.length; i++) {
    const p = height * Math.exp(-0.5 * ((i - (WIDE_R - before)) / 3) ** 2);
    wide[i] = Math.exp(-0.5 * ((i - WIDE_R) / 1.5) ** 2) + p + slope * i;
  }
  return wide;
}

function features(wave: PWave, wide: Float64Array, template: Float64Array | null = null): Record<string, number> {
  const values: number[] = [];
  wave.write(wide, WIDE_R, template, (value) => values.push(value));
  expect(values.length).toBe(P_WAVE_FEATURES.length);
  return Object.fromEntries(P_WAVE_FEATURES.map((name, i) => [name, values[i]!]));
}

describe('PWave', () => {
  it('finds a P wave by size, sign and place, whatever the baseline does', () => {
    const wave = new PWave();
    const upright = features(wave, beat(0.2, 22, 0.004));
    expect(upright.p_amplitude! / 3).toBeCloseTo(0.2, 1);
    const turned = features(wave, beat(-0.2, 22, -0.004));
    expect(turned.p_amplitude! / 3).toBeCloseTo(-0.2, 1);
    expect(features(wave, beat(0.2, 14)).p_time!).toBeGreaterThan(upright.p_time! + 0.2);
    expect(Math.abs(features(wave, beat(0, 22)).p_amplitude!)).toBeLessThan(0.05);
  });

  it('knows the P waves of early beats from those of late ones, though the early ones are the most', () => {
    const wave = new PWave();
    expect(features(wave, beat(0.2, 22)).late_p_excess).toBe(0);
    for (let k = 0; k < 40; k++) {
      if (k % 4 === 0) wave.learn(beat(0.2, 22), WIDE_R, 0);
      else wave.learn(beat(-0.15, 15), WIDE_R, -0.3);
    }
    expect(features(wave, beat(0.2, 22)).late_p_excess!).toBeGreaterThan(0.5);
    expect(features(wave, beat(-0.15, 15)).late_p_excess!).toBeLessThan(-0.5);
  });
});

describe('RhythmContext', () => {
  it('tells an irregular rhythm from a regular one, from the first intervals on', () => {
    const at = RHYTHM_FEATURES.indexOf('dx50');
    const of = (rr: (k: number) => number, count: number) => {
      const context = new RhythmContext();
      for (let k = 0; k < count; k++) context.push(rr(k));
      expect([...context.features].every(Number.isFinite)).toBe(true);
      return context.features[at]!;
    };
    const regular = (k: number) => 800 + 10 * Math.sin(k);
    const irregular = (k: number) => 500 + ((k * k * 7919) % 613);
    for (const count of [15, 60, 200]) expect(of(irregular, count)).toBeGreaterThan(of(regular, count) + 0.1);
    // An interval that is none must not spoil the next sixty.
    expect(of((k) => (k === 30 ? 40_000 : regular(k)), 60)).toBeLessThan(of(irregular, 60));
  });
});
