import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BeatShape } from '../../../src/domain/beat.js';
import { readAnnotationFile, readRecord } from '../../../src/lab/wfdb/index.js';
import { EcgQuality } from '../../../src/signal/quality.js';
import { Heart } from '../../../src/simulator/heart/heart.js';
import { makeScenario } from '../../../src/simulator/scenario.js';

/** What the gate says of beats at these samples, each asked for `lateS` after it. */
function shapesOf(samples: Float32Array, rateHz: number, beats: readonly number[], lateS = 0.41): BeatShape[] {
  const gate = new EcgQuality({ rateHz, onChange: () => undefined });
  const out: BeatShape[] = [];
  let next = 0;
  for (const [i, value] of samples.entries()) {
    gate.push(value, (i * 1000) / rateHz);
    while (next < beats.length && beats[next]! + Math.round(lateS * rateHz) <= i)
      out.push(gate.shapeAt(i - beats[next++]!));
  }
  return out;
}

const middle = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;

function simulated(rhythm: 'ventricular-tachycardia' | 'ventricular-fibrillation' | 'sinus', rateHz: number) {
  const samples = new Float32Array(rateHz * 20);
  const beats: number[] = [];
  const heart = new Heart({
    scenario: makeScenario({ episodes: [{ rhythm, bpm: 170, seconds: 20 }] }),
    seed: 5,
    rateHz,
    waveform: 'ecg',
    onBeat: ({ tMs }) => beats.push(Math.round((tMs * rateHz) / 1000)),
    onTruth: () => undefined,
  });
  for (let i = 0; i < samples.length; i++) {
    heart.step();
    samples[i] = heart.value;
  }
  return { samples, beats };
}

describe('the shape of beats', () => {
  it.each([128, 250, 360, 500, 1000])('beats of one origin repeat one another at %i Hz', (rateHz) => {
    const { samples, beats } = simulated('ventricular-tachycardia', rateHz);
    const shapes = shapesOf(samples, rateHz, beats).filter((_, i) => i > 12);
    expect(shapes.length).toBeGreaterThan(20);
    expect(middle(shapes.flatMap(({ alike }) => alike))).toBeGreaterThan(0.95);
    for (const { alike } of shapes) expect(alike).toHaveLength(4);
  });

  it('fibrillation comes near a sine wave, a sinus rhythm does not', () => {
    const wild = simulated('ventricular-fibrillation', 250);
    const ticks = Array.from({ length: 40 }, (_, i) => 1250 + i * 80);
    expect(middle(shapesOf(wild.samples, 250, ticks).map(({ leak }) => leak))).toBeLessThan(0.5);
    const calm = simulated('sinus', 250);
    expect(middle(shapesOf(calm.samples, 250, calm.beats).map(({ leak }) => leak))).toBeGreaterThan(0.6);
  });

  it('what a threshold cuts out of noise is not alike', () => {
    // Brownian noise, whose power falls with the square of the frequency, as that of an electrode that moves.
    let state = 7;
    const random = () => {
      state = (state * 16807) % 2147483647;
      return state / 2147483647 - 0.5;
    };
    let level = 0;
    const samples = Float32Array.from({ length: 250 * 60 }, () => {
      level = 0.98 * level + random();
      return level;
    });
    const peaks: number[] = [];
    for (let i = 40; i < samples.length - 40; i++) {
      const around = samples.subarray(i - 40, i + 41);
      if (samples[i] === Math.max(...around) && i - (peaks.at(-1) ?? 0) > 60) peaks.push(i);
    }
    expect(peaks.length).toBeGreaterThan(40);
    const shapes = shapesOf(samples, 250, peaks).filter((_, i) => i > 12);
    expect(middle(shapes.flatMap(({ alike }) => alike))).toBeLessThan(0.85);
    expect(middle(shapes.map(({ leak }) => leak))).toBeGreaterThan(0.65);
  });

  it('contact that was lost leaves nothing to compare with', () => {
    const { samples, beats } = simulated('ventricular-tachycardia', 250);
    const gate = new EcgQuality({ rateHz: 250, onChange: () => undefined });
    const at = beats[20]!;
    for (const [i, value] of samples.subarray(0, at + 100).entries()) gate.push(value, i * 4);
    gate.shapeAt(100);
    expect(gate.shapeAt(100).alike.length).toBe(1);
    gate.contact(false, at * 4 + 500);
    gate.contact(true, at * 4 + 600);
    expect(gate.shapeAt(0)).toEqual({ alike: [], leak: 1 });
  });

  const folder = join(process.env.SLOTHD_DATA ?? '', 'nstdb');
  it.skipIf(!existsSync(join(folder, '118e00.dat')))(
    'the beats of a real ECG repeat one another until noise comes',
    async () => {
      const { rateHz, signals } = await readRecord(join(folder, '118e00'));
      const { annotations } = await readAnnotationFile(join(folder, '118e00.atr'));
      const beats = annotations.filter(({ symbol }) => symbol === 'R').map(({ sample }) => sample);
      const within = (fromS: number, toS: number) => {
        const from = Math.round(fromS * rateHz);
        const own = beats.filter((at) => at > from && at < toS * rateHz).map((at) => at - from);
        return shapesOf(signals[0]!.samples.subarray(from, Math.round(toS * rateHz)), rateHz, own).slice(8);
      };
      const clean = within(200, 299);
      const noisy = within(301, 419);
      expect(middle(clean.flatMap(({ alike }) => alike))).toBeGreaterThan(0.9);
      expect(middle(noisy.flatMap(({ alike }) => alike))).toBeLessThan(0.8);
    },
  );
});
