import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { BEAT_ECG_INPUT_SHAPES, BeatEcgWindows } from '../../../src/inference/windows/beat-ecg.js';
import { BEAT_ECG_FEATURE_COUNT, BEAT_ECG_FEATURES } from '../../../src/inference/windows/beat-ecg-features.js';
import { isBeatSymbol, readAnnotations, readRecord } from '../../../src/lab/wfdb/index.js';

interface Item {
  readonly index: number;
  readonly window: Float32Array;
  readonly features: Float32Array;
  /** Samples pushed when it came. */
  readonly at: number;
}

const RATE = 360;
let samples: Float32Array;
let beats: number[];

beforeAll(async () => {
  const fixture = join(import.meta.dirname, '../../fixtures/wfdb/208');
  samples = (await readRecord(fixture)).signals[0]!.samples;
  beats = (await readAnnotations(`${fixture}.atr`)).filter(({ symbol }) => isBeatSymbol(symbol)).map((a) => a.sample);
});

/** Runs a signal with its beats, each told `delay` samples after its R peak. */
function run(
  signal: ArrayLike<number>,
  marks: readonly number[],
  { rateHz = RATE, delay = 0, gapAt = -1 } = {},
): Item[] {
  const items: Item[] = [];
  let pushed = 0;
  const windows = new BeatEcgWindows({
    rateHz,
    onWindow: (index, [window, features]) =>
      items.push({ index, window: window!.slice(), features: features!.slice(), at: pushed }),
  });
  let next = 0;
  let afterGap = false;
  const tellUpTo = (position: number) => {
    for (; next < marks.length && marks[next]! + delay <= position; next++) {
      const known = next > 0 && !(afterGap && marks[next - 1]! < gapAt);
      windows.beat(marks[next]!, known ? ((marks[next]! - marks[next - 1]!) * 1000) / rateHz : null);
    }
  };
  for (let i = 0; i < signal.length; i++) {
    if (i === gapAt) {
      windows.gap();
      afterGap = true;
    }
    windows.push(signal[i]!);
    pushed++;
    tellUpTo(i);
  }
  tellUpTo(Number.POSITIVE_INFINITY);
  windows.flush();
  return items;
}

function closeTo(a: readonly Item[], b: readonly Item[], tolerance: number): void {
  expect(a.map(({ index }) => index)).toEqual(b.map(({ index }) => index));
  for (const [k, item] of a.entries()) {
    for (const key of ['window', 'features'] as const) {
      item[key].forEach((value, i) => {
        if (Math.abs(value - b[k]![key][i]!) > tolerance) {
          throw new Error(`beat ${item.index}, ${key}[${i}]: ${value} against ${b[k]![key][i]}`);
        }
      });
    }
  }
}

describe('BeatEcgWindows', () => {
  it('gives every beat of a record one item, in order, with finite values of the stated shapes', () => {
    const items = run(samples, beats);
    expect(items.map(({ index }) => index)).toEqual(beats.map((_, i) => i));
    const [[length, channels], [count]] = BEAT_ECG_INPUT_SHAPES;
    for (const { window, features } of items) {
      expect(window.length).toBe(length * channels);
      expect(features.length).toBe(count);
      expect([...window, ...features].every(Number.isFinite)).toBe(true);
    }
    expect(new Set(BEAT_ECG_FEATURES).size).toBe(BEAT_ECG_FEATURE_COUNT);
  });

  it('is causal: what comes after an item cannot have been in it', () => {
    const items = run(samples, beats);
    for (const cut of [4000, 9001, 15000]) {
      const changed = samples.map((value, i) => (i < cut ? value : Math.sin(i) * 3));
      const marks = [...beats.filter((mark) => mark < cut), cut + 11, cut + 400];
      const upToCut = (all: Item[]) => all.filter(({ at }) => at <= cut);
      expect(upToCut(items).length).toBeGreaterThan(10);
      closeTo(upToCut(run(changed, marks)), upToCut(items), 0);
    }
  });

  it('waits for the next beat and for its own window, never longer than 2.5 s', () => {
    for (const { index, at } of run(samples, beats)) {
      const ready = Math.max(beats[index]! + 0.72 * RATE, beats[index + 1] ?? 0);
      expect(at).toBeLessThanOrEqual(Math.max(ready, beats[index]! + 0.72 * RATE) + 3);
    }
    const alone = run(samples, [beats[5]!]);
    expect((alone[0]!.at - beats[5]!) / RATE).toBeGreaterThan(2.5);
    expect((alone[0]!.at - beats[5]!) / RATE).toBeLessThan(2.6);
  });

  it('does not depend on how late the detector tells of a beat', () => {
    closeTo(run(samples, beats, { delay: 150 }), run(samples, beats), 0);
  });

  it('does not depend on which deflection the detector marks as R', () => {
    const late = run(
      samples,
      beats.map((mark) => mark + 11),
    );
    const items = run(samples, beats);
    let moved = 0;
    for (const [k, { window }] of items.entries()) {
      // Positions are whole samples of 128 Hz: one of them is the most that may be left.
      const difference = (by: number) =>
        Array.from({ length: 100 }, (_, i) => Math.abs(window[2 * (i + 14)]! - late[k]!.window[2 * (i + 14 + by)]!));
      const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
      if (Math.min(...[-1, 0, 1].map((by) => mean(difference(by)))) > 0.02) moved++;
    }
    expect(moved / items.length).toBeLessThan(0.05);
  });

  it('does not depend on gain, unit or offset', () => {
    const items = run(samples, beats);
    closeTo(
      run(
        samples.map((value) => value * 0.01),
        beats,
      ),
      items,
      2e-3,
    );
    const counts = Float64Array.from(samples, (value) => 20_000 + 3.7 * 200 * value);
    closeTo(run(counts, beats), items, 2e-3);
  });

  it('sees nearly the same at another sampling rate', () => {
    // 720 Hz by linear interpolation of 360 Hz.
    const doubled = Float64Array.from({ length: 2 * samples.length - 1 }, (_, i) =>
      i % 2 === 0 ? samples[i / 2]! : (samples[(i - 1) / 2]! + samples[(i + 1) / 2]!) / 2,
    );
    const marks = beats.map((mark) => 2 * mark);
    const other = run(doubled, marks, { rateHz: 720 });
    const items = run(samples, beats);
    let sum = 0;
    let count = 0;
    for (const [k, { window }] of items.entries()) {
      for (let i = 0; i < window.length; i += 2, count++) sum += Math.abs(window[i]! - other[k]!.window[i]!);
    }
    expect(sum / count).toBeLessThan(0.01);
  });

  it('puts the R peak at its place and scales by the usual QRS height', () => {
    // A heart of triangles, 1 s apart, 1 mV high.
    const rateHz = 250;
    const marks = Array.from({ length: 20 }, (_, k) => 200 + 250 * k);
    const signal = new Float64Array(20 * 250 + 200);
    for (const mark of marks) for (let d = -8; d <= 8; d++) signal[mark + d] = 1 - Math.abs(d) / 9;
    const last = run(signal, marks, { rateHz }).at(-2)!;
    const beat = Array.from({ length: 128 }, (_, i) => last.window[2 * i]!);
    // The 40 Hz filter takes about 1.4 samples of time.
    expect(Math.abs(beat.indexOf(Math.max(...beat)) - 59)).toBeLessThanOrEqual(1);
    expect(Math.max(...beat) - Math.min(...beat)).toBeCloseTo(1, 2);
    // Equal beats differ in nothing from their template.
    for (let i = 0; i < 128; i++) expect(Math.abs(last.window[2 * i + 1]!)).toBeLessThan(0.05);
    expect(last.features[BEAT_ECG_FEATURES.indexOf('rr_prev_median10')]).toBeCloseTo(0, 5);
  });

  it('starts anew at a gap: no interval across it, no signal from before it', () => {
    const gapAt = 7000;
    const items = run(samples, beats, { gapAt });
    const first = items.find(({ index }) => beats[index]! > gapAt)!;
    expect(first.features[BEAT_ECG_FEATURES.indexOf('rr_prev_median10')]).toBe(0);
    // The same beats come, except one that the gap may have cut in two.
    expect(items.length).toBeGreaterThanOrEqual(beats.length - 1);
    // What was before the gap does not matter for the signal after it, but for the scale and the templates.
    const far = run(
      samples.map((value, i) => (i < gapAt ? value : value + 4000)),
      beats,
      { gapAt },
    );
    closeTo(far, items, 2e-3);
  });

  it('lives with no signal, no values and impossible beats', () => {
    const flat = run(new Float64Array(3000), [500, 800, 1100]);
    expect(flat.map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(flat.every(({ window, features }) => [...window, ...features].every(Number.isFinite))).toBe(true);
    const none = run(new Float64Array(3000).fill(Number.NaN), [500, 800, 1100]);
    expect(none.every(({ window, features }) => [...window, ...features].every(Number.isFinite))).toBe(true);
    // Twenty marks on one spot: a detector gone wrong.
    const heap = run(samples, [...new Array(20).fill(3000), ...beats.filter((mark) => mark > 4000)]);
    expect(heap.at(-1)!.index).toBe(20 + beats.filter((mark) => mark > 4000).length - 1);
    expect(heap.every(({ features }) => [...features].every(Number.isFinite))).toBe(true);
  });

  it('standardises by the constants of the manifest, and refuses ones that do not fit', () => {
    const plain = run(samples, beats);
    const featureMean = new Array(BEAT_ECG_FEATURE_COUNT).fill(0.25);
    const featureDeviation = new Array(BEAT_ECG_FEATURE_COUNT).fill(2);
    let index = 0;
    const windows = new BeatEcgWindows({
      rateHz: RATE,
      preprocessing: { featureMean, featureDeviation },
      onWindow: (_, [, features]) => {
        features!.forEach((value, i) => {
          expect(value).toBeCloseTo(Math.max(-4, Math.min(4, (plain[index]!.features[i]! - 0.25) / 2)), 5);
        });
        index++;
      },
    });
    for (let i = 0, next = 0; i < samples.length; i++) {
      windows.push(samples[i]!);
      for (; beats[next]! <= i; next++) {
        windows.beat(beats[next]!, next > 0 ? ((beats[next]! - beats[next - 1]!) * 1000) / RATE : null);
      }
    }
    expect(index).toBeGreaterThan(90);
    const make = (preprocessing: Record<string, unknown>) => () =>
      new BeatEcgWindows({ rateHz: RATE, preprocessing, onWindow: () => {} });
    expect(make({ featureMean, featureDeviation: [1] })).toThrow(
      `preprocessing.featureDeviation must hold ${BEAT_ECG_FEATURE_COUNT} numbers`,
    );
    expect(make({ featureMean, featureDeviation: featureMean.map(() => 0) })).toThrow(/above 0/);
    expect(make({})).toThrow(TypeError);
  });
});
