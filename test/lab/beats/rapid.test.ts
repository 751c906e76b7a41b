import { describe, expect, it } from 'vitest';
import { BEAT, NOT_A_BEAT, UNKNOWN } from '../../../src/lab/beats/labels.js';
import { labelWaves } from '../../../src/lab/beats/rapid-leads.js';
import { type RapidRecord, rapidWindows } from '../../../src/lab/beats/rapid-rates.js';

const RATE_HZ = 250;

/** 40 s: quiet, then from 10 s to 30 s broad waves at a rate, some with a small bump between them, then quiet. */
function tachycardia(perMinute: number, bump = 0): RapidRecord {
  const cycle = (60 * RATE_HZ) / perMinute;
  const signal = Float32Array.from({ length: 40 * RATE_HZ }, (_, i) => {
    const inside = i >= 10 * RATE_HZ && i < 30 * RATE_HZ;
    const phase = ((i - 10 * RATE_HZ) % cycle) / cycle;
    const wave = Math.exp(-(((phase - 0.3) / 0.13) ** 2)) + bump * Math.exp(-(((phase - 0.75) / 0.06) ** 2));
    return (inside ? wave : 0) + 0.003 * Math.sin(i * i);
  });
  return { database: 'vfdb', name: 'made', rateHz: RATE_HZ, signals: [signal], episodes: [[10, 30]] };
}

describe('the rate of rapid waves', () => {
  it.each([130, 180, 230, 300])('is found at %i a minute', (perMinute) => {
    const record = tachycardia(perMinute);
    const windows = rapidWindows(record, record.signals[0]!);
    expect(windows.length).toBeGreaterThanOrEqual(4);
    for (const { ratePerMinute } of windows) expect(Math.abs(ratePerMinute / perMinute - 1)).toBeLessThan(0.03);
  });

  it('is none where there are no episodes, and none in noise', () => {
    const record = tachycardia(180);
    expect(rapidWindows({ ...record, episodes: [] }, record.signals[0]!)).toEqual([]);
    const noise = record.signals[0]!.map((_, i) => Math.sin(i * i * 1.37));
    expect(rapidWindows(record, noise)).toEqual([]);
  });
});

describe('labels of waves without beat marks', () => {
  it.each([150, 200, 250])('one beat a wave at %i a minute, and nothing said outside', (perMinute) => {
    const record = tachycardia(perMinute, 0.4);
    const signal = record.signals[0]!;
    const windows = rapidWindows(record, signal);
    const labels = labelWaves(signal, RATE_HZ, RATE_HZ, windows);
    const beats = [...labels.keys()].filter((i) => labels[i] === BEAT);
    const seconds = windows.length * 4;
    expect(Math.abs(beats.length - (perMinute * seconds) / 60)).toBeLessThanOrEqual(2);
    const cycle = (60 * RATE_HZ) / perMinute;
    for (let i = 1; i < beats.length; i++)
      expect(Math.abs(beats[i]! - beats[i - 1]! - cycle)).toBeLessThan(0.2 * cycle);
    for (let i = 0; i < 10 * RATE_HZ; i++) expect(labels[i]).toBe(UNKNOWN);
  });

  it('what lies between two waves of the train is no beat', () => {
    const record = tachycardia(130, 0.6);
    const labels = labelWaves(record.signals[0]!, RATE_HZ, RATE_HZ, rapidWindows(record, record.signals[0]!));
    expect([...labels].filter((label) => label === NOT_A_BEAT).length).toBeGreaterThan(10);
  });

  it('are said at another rate too, at the samples where the detector will ask', () => {
    const record = tachycardia(180);
    const signal = record.signals[0]!;
    const windows = rapidWindows(record, signal);
    const count = (toldHz: number) =>
      labelWaves(signal, RATE_HZ, toldHz, windows).reduce((n, label) => n + (label === BEAT ? 1 : 0), 0);
    expect(Math.abs(count(300) - count(RATE_HZ))).toBeLessThanOrEqual(2);
  });
});
