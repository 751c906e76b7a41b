import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fft } from '../../../src/inference/windows/fft.js';
import {
  parseShockablePreprocessing,
  SHOCKABLE_FEATURES,
  SHOCKABLE_RATE_HZ,
  SHOCKABLE_SAMPLES,
  ShockableInputs,
  ShockableWindows,
  UsualHeight,
} from '../../../src/inference/windows/shockable-ecg.js';

/** A heart at 75 a minute for 12 s, then a 5 Hz flutter; mV. */
function lead(rateHz: number, seconds = 20): Float64Array {
  return Float64Array.from({ length: seconds * rateHz }, (_, i) => {
    const t = i / rateHz;
    if (t > 12) return 0.6 * Math.sin(2 * Math.PI * 5 * t);
    const phase = (t % 0.8) - 0.4;
    return Math.exp(-((phase / 0.02) ** 2)) + 0.2 * Math.exp(-(((phase - 0.25) / 0.06) ** 2));
  });
}

interface Window {
  readonly signal: Float32Array;
  readonly features: Float32Array;
  readonly endSample: number;
  readonly peakHz: number;
}

function windowsOf(samples: ArrayLike<number>, rateHz: number, gapAt = -1): Window[] {
  const out: Window[] = [];
  const windows = new ShockableWindows({
    rateHz,
    everyS: 1,
    onWindow: ([signal, features], endSample, peakHz) =>
      out.push({ signal: signal.slice(), features: features.slice(), endSample, peakHz }),
  });
  for (let i = 0; i < samples.length; i++) {
    if (i === gapAt) windows.gap();
    windows.push(samples[i]!);
  }
  return out;
}

const feature = (window: Window, name: (typeof SHOCKABLE_FEATURES)[number]) =>
  window.features[SHOCKABLE_FEATURES.indexOf(name)]!;

describe('shockable windows', () => {
  it('come once a second from 4 s on, each told where it ends', () => {
    const windows = windowsOf(lead(250), 250);
    expect(windows.length).toBe(16);
    windows.forEach(({ endSample }, i) => {
      expect(endSample).toBeGreaterThan((4 + i) * 250 - 2);
      expect(endSample).toBeLessThan((4 + i) * 250 + 30);
    });
  });

  it.each([100, 128, 360, 1000])('look the same at %d Hz', (rateHz) => {
    const [reference, other] = [windowsOf(lead(250), 250).at(-1)!, windowsOf(lead(rateHz), rateHz).at(-1)!];
    expect(other.peakHz).toBeCloseTo(reference.peakHz, 1);
    for (const name of ['power2to8', 'leakage', 'thresholdCrossing', 'spectralEntropy'] as const) {
      expect(feature(other, name)).toBeCloseTo(feature(reference, name), 1);
    }
  });

  it('do not depend on gain and offset of the device', () => {
    const plain = windowsOf(lead(250), 250);
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: 5000, noNaN: true }),
        fc.integer({ min: -40000, max: 40000 }),
        (gain, offset) => {
          const other = windowsOf(
            lead(250).map((value) => offset + gain * value),
            250,
          );
          other.forEach(({ signal, features }, w) => {
            for (let i = 0; i < signal.length; i += 7) expect(signal[i]).toBeCloseTo(plain[w]!.signal[i]!, 2);
            // Counts of samples above a threshold may turn on the last bit.
            features.forEach((value, i) => {
              expect(Math.abs(value - plain[w]!.features[i]!)).toBeLessThan(0.06);
            });
          });
        },
      ),
      { numRuns: 12 },
    );
  });

  it('tell a flutter from beats', () => {
    const windows = windowsOf(lead(250), 250);
    const [beats, flutter] = [windows[6]!, windows.at(-1)!];
    expect(flutter.peakHz).toBeCloseTo(5, 0);
    expect(feature(flutter, 'leakage')).toBeLessThan(0.1);
    expect(feature(beats, 'leakage')).toBeGreaterThan(0.5);
    expect(feature(flutter, 'power2to8')).toBeGreaterThan(0.9);
    expect(feature(beats, 'nearBaseline')).toBeGreaterThan(2 * feature(flutter, 'nearBaseline'));
    expect(feature(flutter, 'periodLag')).toBeCloseTo(0.2, 1);
  });

  it('keep a line without beats as small as it is', () => {
    const samples = lead(250, 40);
    for (let i = 12 * 250; i < samples.length; i++) samples[i] = 0.004 * Math.sin((2 * Math.PI * 4 * i) / 250);
    const last = windowsOf(samples, 250).at(-1)!;
    expect(Math.max(...last.signal.map(Math.abs))).toBeLessThan(0.2);
    expect(feature(last, 'logHeight')).toBeLessThan(-3);
  });

  it('never span a gap, and go on after it', () => {
    const windows = windowsOf(lead(250), 250, 10 * 250);
    const ends = windows.map(({ endSample }) => endSample / 250);
    expect(ends.filter((end) => end > 10.1 && end < 13.9)).toEqual([]);
    expect(ends.some((end) => end > 14)).toBe(true);
  });

  it('are finite whatever comes', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.double(), fc.constant(Number.NaN), fc.integer({ min: -3e4, max: 3e4 })), {
          minLength: 520,
          maxLength: 700,
        }),
        (samples) => {
          const safe = samples.map((value) => (Math.abs(value) > 1e9 ? Number.NaN : value));
          for (const { signal, features } of windowsOf(safe, 125)) {
            for (const value of signal) expect(Number.isFinite(value)).toBe(true);
            for (const value of features) expect(Number.isFinite(value)).toBe(true);
          }
        },
      ),
      { numRuns: 20 },
    );
    const dead = windowsOf(new Float64Array(6 * 250).fill(2048), 250);
    expect([...dead[0]!.features].every((value) => value === 0)).toBe(true);
  });
});

describe('the usual height', () => {
  const window = (height: number) =>
    Float64Array.from({ length: SHOCKABLE_SAMPLES }, (_, i) => (i % 50 === 0 ? height : 0));

  it('follows the heart, and hardly silence or a storm', () => {
    const usual = new UsualHeight();
    expect(usual.push(window(1))).toBe(1);
    for (let i = 0; i < 60; i++) usual.push(window(1.5));
    expect(usual.push(window(1.5))).toBeGreaterThan(1.4);
    for (let i = 0; i < 20; i++) usual.push(window(0.05));
    expect(usual.push(window(0.05))).toBeGreaterThan(1.1);
    for (let i = 0; i < 10; i++) usual.push(window(20));
    expect(usual.push(window(20))).toBeLessThan(2.5);
  });
});

describe('constants of a manifest', () => {
  const numbers = (value: number) => SHOCKABLE_FEATURES.map(() => value);

  it('are refused where they do not fit', () => {
    expect(() => parseShockablePreprocessing({ featureMean: [1], featureDeviation: numbers(1) })).toThrow(
      /featureMean/,
    );
    expect(() => parseShockablePreprocessing({ featureMean: numbers(0), featureDeviation: numbers(0) })).toThrow(
      /above 0/,
    );
  });

  it('put features in deviations, limited', () => {
    const inputs = new ShockableInputs({ featureMean: numbers(0), featureDeviation: numbers(1e-6) });
    const [, features] = inputs.write(lead(SHOCKABLE_RATE_HZ).subarray(0, SHOCKABLE_SAMPLES), 1);
    expect(Math.max(...features)).toBe(6);
  });
});

describe('Fft', () => {
  it('finds a tone, keeps the energy, and comes back', () => {
    const fft = new Fft(256);
    const x = Float64Array.from({ length: 256 }, (_, i) => Math.sin((2 * Math.PI * 12 * i) / 256) + 0.3);
    const [re, im] = [x.slice(), new Float64Array(256)];
    fft.run(re, im);
    expect(Math.hypot(re[12]!, im[12]!)).toBeCloseTo(128, 6);
    const energy = re.reduce((sum, value, i) => sum + value ** 2 + im[i]! ** 2, 0) / 256;
    expect(energy).toBeCloseTo(
      x.reduce((sum, value) => sum + value ** 2, 0),
      6,
    );
    fft.run(re, im, true);
    re.forEach((value, i) => {
      expect(value / 256).toBeCloseTo(x[i]!, 9);
    });
    expect(() => new Fft(100)).toThrow(/power of two/);
  });
});
