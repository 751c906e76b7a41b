import { describe, expect, it } from 'vitest';
import { runPulse, simulatedPulse } from '../../../src/lab/bench/ppg-run.js';
import { bestDelay, f1, matched } from '../../../src/lab/bench/ppg-score.js';
import { PulseDetector } from '../../../src/signal/ppg/detector.js';

function score(rhythm: string, bpm: number | undefined, rateHz: number, noise: number) {
  const { samples, beatsMs } = simulatedPulse(rhythm, bpm, 60, rateHz, noise);
  const found = runPulse(samples, rateHz).beatsMs.filter((t) => t > 8000);
  const reference = beatsMs.filter((t) => t > 8000);
  const delay = bestDelay(reference, found, 150);
  return { f1: f1(matched(reference, found, delay, 150), reference.length, found.length), found, reference };
}

describe('PulseDetector', () => {
  it.each([25, 50, 75, 100, 250, 500])('finds the beats of a finger at %i samples a second', (rateHz) => {
    expect(score('sinus', 70, rateHz, 0.05).f1).toBeGreaterThan(0.97);
  });

  it.each([45, 55, 90, 130, 180])('at %i beats a minute counts neither half nor double', (bpm) => {
    const { found, reference } = score('sinus', bpm, 100, 0.05);
    expect(Math.abs(found.length - reference.length)).toBeLessThanOrEqual(0.05 * reference.length + 1);
  });

  it('follows atrial fibrillation', () => {
    expect(score('af', undefined, 100, 0.05).f1).toBeGreaterThan(0.93);
  });

  it('finds the weak pulses of bigeminy, also under noise: not every other beat alone', () => {
    expect(score('bigeminy', undefined, 100, 0.02).f1).toBeGreaterThan(0.93);
    expect(score('bigeminy', undefined, 100, 0.1).f1).toBeGreaterThan(0.9);
  });

  /** A pulse whose dicrotic wave is nearly as high as the systolic one. */
  function withTallNotch(i: number): number {
    const phase = ((i * 10) % 1000) - 200;
    return 2000 + 300 * Math.exp(-((phase / 60) ** 2)) + 210 * Math.exp(-(((phase - 330) / 70) ** 2));
  }

  it('does not count a tall dicrotic wave as a beat', () => {
    const beats: number[] = [];
    const detector = new PulseDetector({ rateHz: 100, onBeat: (sample) => beats.push(sample) });
    for (let i = 0; i < 6000; i++) detector.push(withTallNotch(i));
    const late = beats.filter((sample) => sample > 1500);
    expect(late.length).toBeGreaterThanOrEqual(44);
    expect(late.length).toBeLessThanOrEqual(46);
  });

  it('one jerk does not deafen it', () => {
    const { samples } = simulatedPulse('sinus', 70, 40, 100, 0.02);
    for (let i = 2000; i < 2030; i++) samples[i] = samples[i]! + 4_000 * Math.sin(((i - 2000) / 30) * Math.PI);
    const after = runPulse(samples, 100).beatsMs.filter((t) => t > 24_000 && t < 39_000);
    expect(after.length).toBeGreaterThanOrEqual(15);
  });

  it('does not care for offset and unit', () => {
    const { samples } = simulatedPulse('sinus', 70, 30, 100, 0.02);
    const scaled = samples.map((value) => -5 + value / 1e5);
    expect(runPulse(scaled, 100).beatsMs).toEqual(runPulse(samples, 100).beatsMs);
  });

  it('tells of a beat within 0.8 s, and after a gap begins anew', () => {
    const { samples } = simulatedPulse('sinus', 70, 30, 100, 0.02);
    const run = runPulse(samples, 100);
    expect(Math.max(...run.delaysMs)).toBeLessThan(800);
    const beats: number[] = [];
    const detector = new PulseDetector({ rateHz: 100, onBeat: (sample) => beats.push(sample) });
    for (let i = 0; i < 1500; i++) detector.push(samples[i]!);
    detector.gap();
    const before = beats.length;
    for (let i = 1500; i < 3000; i++) detector.push(samples[i]! + 30_000);
    expect(beats.length - before).toBeGreaterThanOrEqual(14);
  });
});
