import { describe, expect, it } from 'vitest';
import type { Quality } from '../../../src/domain/quality.js';
import { handMotion, LAMPS, NO_FINGER, normalOf, runPulse, simulatedPulse } from '../../../src/lab/bench/ppg-run.js';
import { PulseQuality } from '../../../src/signal/ppg/quality.js';

describe('PulseQuality', () => {
  it.each(['sinus', 'af', 'pvc'])('calls a finger good: %s', (rhythm) => {
    const { samples } = simulatedPulse(rhythm, undefined, 60, 100, 0.05);
    expect(runPulse(samples, 100).goodShare).toBeGreaterThan(0.75);
  });

  for (const rateHz of [25, 50, 62.5, 100, 200]) {
    it.each(Object.keys(NO_FINGER))(`no finger is never good at ${rateHz} Hz: %s`, (name) => {
      const normal = normalOf(11);
      const samples = Float64Array.from({ length: 60 * rateHz }, (_, i) => NO_FINGER[name]!(i, rateHz, normal));
      const { goodShare, reasons } = runPulse(samples, rateHz, { min: 0, max: 1023 });
      expect(goodShare).toBe(0);
      expect(Object.keys(reasons).join()).toMatch(/no-finger|mains|noise|motion|flat|clipped/);
    });
  }

  it.each(Object.keys(LAMPS))('a lamp is hardly ever good at 100 Hz: %s', (name) => {
    const normal = normalOf(11);
    const samples = Float64Array.from({ length: 12_000 }, (_, i) => LAMPS[name]!(i, 100, normal));
    const { goodShare, reasons } = runPulse(samples, 100, { min: 0, max: 1023 });
    expect(goodShare).toBeLessThan(0.12);
    expect(Object.keys(reasons).join()).toMatch(/mains/);
  });

  it.each([110, 150, 180])('a fast heart at %i a minute is not taken for a lamp', (bpm) => {
    for (const rateHz of [50, 100]) {
      const { samples } = simulatedPulse('sinus', bpm, 60, rateHz, 0.02);
      const { goodShare, reasons } = runPulse(samples, rateHz);
      expect(goodShare).toBeGreaterThan(0.8);
      expect(Object.keys(reasons).join()).not.toMatch(/mains/);
    }
  });

  it('a fidgeting hand is not good', () => {
    for (const seed of [1, 2, 3]) expect(runPulse(handMotion(6000, 100, seed), 100).goodShare).toBeLessThan(0.1);
  });

  it('says why: flat, clipped, no numbers', () => {
    const reasonsOf = (value: (i: number) => number) =>
      Object.keys(
        runPulse(
          Float64Array.from({ length: 2000 }, (_, i) => value(i)),
          100,
          { min: 0, max: 1023 },
        ).reasons,
      ).join();
    expect(reasonsOf(() => 500)).toMatch(/flat/);
    expect(reasonsOf((i) => (i % 50 < 25 ? 0 : 1023))).toMatch(/clipped/);
    expect(reasonsOf(() => Number.NaN)).toMatch(/not-a-number/);
  });

  it('a pulse that fades away over a steady light level is no noise; a finger that leaves is no-finger', () => {
    const { samples } = simulatedPulse('sinus', 70, 40, 100, 0.01);
    const faded = samples.map((value, i) => (i < 2500 ? value : 2000 + (i % 3)));
    expect(Object.keys(runPulse(faded, 100).reasons).join()).not.toMatch(/noise|motion|no-finger/);
    const left = samples.map((value, i) => (i < 2500 ? value : 40_000 + (i % 3)));
    expect(Object.keys(runPulse(left, 100).reasons).join()).toMatch(/no-finger/);
  });

  it('obeys the device on contact, and tells each change once', () => {
    const told: Quality[] = [];
    const gate = new PulseQuality({ rateHz: 100, onChange: (quality) => told.push(quality) });
    const { samples } = simulatedPulse('sinus', 70, 40, 100, 0.02);
    for (let i = 0; i < 4000; i++) {
      gate.contact(i < 2000 || i > 2500, i * 10);
      gate.push(samples[i]!, i * 10);
    }
    expect(told.map(({ state }) => state)).toEqual(['none', 'good', 'contact-off', 'none', 'good']);
    expect(told[2]!.reasons).toEqual(['no-finger']);
  });

  it('without samples there is nothing to judge', () => {
    const told: Quality[] = [];
    const gate = new PulseQuality({ rateHz: 100, onChange: (quality) => told.push(quality) });
    const { samples } = simulatedPulse('sinus', 70, 15, 100, 0.02);
    for (const [i, value] of samples.entries()) gate.push(value, i * 10);
    expect(told.at(-1)!.state).toBe('good');
    gate.tick(20_000);
    expect(told.at(-1)).toMatchObject({ state: 'none', reasons: ['gap'] });
  });
});
