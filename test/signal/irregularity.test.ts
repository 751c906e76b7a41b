import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Rhythm } from '../../src/domain/rhythm.js';
import { isBeatSymbol, readAnnotations } from '../../src/lab/wfdb/index.js';
import { RrIrregularity } from '../../src/signal/irregularity.js';
import { RrCleaner } from '../../src/signal/rr.js';

function rhythms(intervals: readonly number[]): (Rhythm | null)[] {
  const irregularity = new RrIrregularity();
  let tMs = 0;
  return intervals.map((rrMs) => {
    tMs += rrMs;
    return irregularity.push(rrMs, tMs);
  });
}

const randoms = (count: number) => {
  let seed = 7;
  return Array.from({ length: count }, () => {
    seed = (seed * 16807) % 2147483647;
    return seed / 2147483647;
  });
};

describe('RrIrregularity', () => {
  it('gives a hint after 30 intervals and a verdict over 60', () => {
    const out = rhythms(Array(70).fill(800));
    expect(out.slice(0, 29).every((rhythm) => rhythm === null)).toBe(true);
    expect(out[29]).toMatchObject({ windowBeats: 30, tMs: 30 * 800, windowStartMs: 800 });
    expect(out[58]?.windowBeats).toBe(30);
    expect(out[59]).toMatchObject({ windowBeats: 60, tMs: 60 * 800, windowStartMs: 800 });
    expect(out[69]).toMatchObject({ windowBeats: 60, tMs: 70 * 800, windowStartMs: 11 * 800 });
  });

  it('tells fibrillation from sinus rhythm with breathing, from bigeminy and from trigeminy', () => {
    const random = randoms(300);
    const last = (intervals: number[]) => rhythms(intervals).at(-1) as Rhythm;
    const jitter = (at: number) => 20 * ((random[at] ?? 0) - 0.5);
    expect(last(random.map((r) => 450 + 600 * r))).toMatchObject({ label: 'afib' });
    expect(last(random.map((r) => 450 + 600 * r)).score).toBeGreaterThan(0.9);
    for (const regular of [
      random.map((_, at) => 900 + 60 * Math.sin(at / 2) + jitter(at)),
      random.map((_, at) => (at % 2 ? 550 : 1050) + jitter(at)),
      random.map((_, at) => [500, 1100, 800][at % 3]! + jitter(at)),
    ]) {
      expect(last(regular)).toMatchObject({ label: 'regular' });
      expect(last(regular).score).toBeLessThan(0.1);
    }
  });

  it('starts anew after a hole of two minutes', () => {
    const irregularity = new RrIrregularity();
    for (let at = 1; at <= 60; at++) irregularity.push(800, at * 800);
    expect(irregularity.push(800, 48_000 + 119_000)).not.toBeNull();
    expect(irregularity.push(800, 48_000 + 119_000 + 120_001)).toBeNull();
  });
});

const AFDB = join(process.env.SLOTHD_DATA ?? '/nowhere', 'afdb');

describe.skipIf(!existsSync(AFDB))('RrIrregularity on afdb (SLOTHD_DATA)', () => {
  it('finds fibrillation in real intervals: Se above 90 %, Sp above 95 % on four records', async () => {
    let [truePositive, falseNegative, falsePositive, trueNegative] = [0, 0, 0, 0];
    for (const record of ['04015', '04746', '05091', '07162', '08219']) {
      const beats = (await readAnnotations(join(AFDB, `${record}.qrs`))).filter((beat) => isBeatSymbol(beat.symbol));
      const changes = (await readAnnotations(join(AFDB, `${record}.atr`))).filter((change) => change.symbol === '+');
      const cleaner = new RrCleaner();
      const irregularity = new RrIrregularity();
      let next = 0;
      let inAf = false;
      let before: number | null = null;
      for (const { sample } of beats) {
        while ((changes[next]?.sample ?? Number.POSITIVE_INFINITY) <= sample)
          inAf = changes[next++]?.aux.startsWith('(AFIB') ?? false;
        const cleaned = before === null ? null : cleaner.push((sample - before) * 4);
        before = sample;
        const rhythm = cleaned?.usable ? irregularity.push(cleaned.rrMs, sample * 4) : null;
        if (rhythm?.windowBeats !== 60) continue;
        if (inAf && rhythm.label === 'afib') truePositive++;
        else if (inAf) falseNegative++;
        else if (rhythm.label === 'afib') falsePositive++;
        else trueNegative++;
      }
    }
    expect(truePositive + falseNegative).toBeGreaterThan(10_000);
    expect(truePositive / (truePositive + falseNegative)).toBeGreaterThan(0.9);
    expect(trueNegative / (trueNegative + falsePositive)).toBeGreaterThan(0.95);
  });
});
