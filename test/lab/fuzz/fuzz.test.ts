import { describe, expect, it } from 'vitest';
import type { Format } from '../../../src/domain/reading.js';
import { CheckingSink } from '../../../src/lab/fuzz/checking-sink.js';
import { deviceStream } from '../../../src/lab/fuzz/device-stream.js';
import { fuzzInput } from '../../../src/lab/fuzz/mutate.js';
import { fuzzFormat } from '../../../src/lab/fuzz/run.js';
import { seededRandom } from '../../../src/lab/random.js';
import { FORMATS, findFormat } from '../../../src/sensor/formats/registry.js';

const INPUTS = 150;

describe('fuzz', () => {
  it.each([...FORMATS.keys()])('%s: nothing thrown, nothing impossible said', (id) => {
    const result = fuzzFormat(findFormat(id), {}, INPUTS, 5);
    expect(result.examples).toEqual([]);
    expect(result.throws + result.violations).toBe(0);
    expect(result.drops).toBeGreaterThan(INPUTS / 3);
    // Damaged streams still hold good frames: a fuzzer that only made rubbish would test the framers alone.
    expect(result.frames).toBeGreaterThan(0);
  });

  it('gives the same run for the same seed', () => {
    const run = (seed: number) => {
      const { seconds: _, heldBytes: __, ...rest } = fuzzFormat(findFormat('nonin-df2'), {}, 50, seed);
      return rest;
    };
    expect(run(3)).toEqual(run(3));
    expect(run(3)).not.toEqual(run(4));
  });

  it('finds a decoder that throws or says what cannot be', () => {
    const good = findFormat('nonin-df8');
    const bad: Format = {
      ...good,
      createDecoder: (sink) => ({
        push: (chunk) => {
          if (chunk.includes(0xff)) throw new Error('ff');
          sink.heartRate(chunk[0]! + 300);
          sink.rr(800);
        },
        reset: () => {},
      }),
    };
    const result = fuzzFormat(bad, {}, 200, 1);
    expect(result.throws).toBeGreaterThan(0);
    expect(result.violations).toBeGreaterThan(0);
    expect(result.examples.join()).toMatch(/threw Error: ff/);
    expect(result.examples.join()).toMatch(/rr 800/);
  });

  it('damages what the device writes, and makes it up as well', () => {
    const device = deviceStream(findFormat('nonin-df2'), {}, 5);
    const before = Buffer.from(device);
    const random = seededRandom(1);
    const inputs = Array.from({ length: 100 }, () => Buffer.from(fuzzInput(device, random)));
    const whole = Buffer.from(device);
    expect(whole).toEqual(before);
    expect(inputs.filter((input) => input.length > 0 && whole.includes(input)).length).toBeLessThan(30);
    expect(new Set(inputs.map((input) => input.toString('hex'))).size).toBeGreaterThan(90);
  });

  it('allows NaN and refuses values out of range', () => {
    const sink = new CheckingSink(findFormat('nonin-df2').carries({}));
    sink.sample(Number.NaN);
    sink.heartRate(Number.NaN);
    sink.sample(255);
    expect(sink.violations).toBe(0);
    sink.sample(256);
    sink.lost(0);
    sink.spo2(101);
    sink.battery(5);
    expect(sink.examples).toEqual(['sample 256', 'lost 0', 'spo2 101', 'battery 5']);
  });
});
