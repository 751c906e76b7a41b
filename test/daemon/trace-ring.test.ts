import { describe, expect, it } from 'vitest';
import { TraceRing } from '../../src/daemon/trace-ring.js';
import { exactSampleClock } from '../../src/sensor/sample-clock.js';

const { timeOf } = exactSampleClock(125);

function ring(count: number, value = (i: number) => i): TraceRing {
  const trace = new TraceRing(125, 'mV');
  for (let i = 0; i < count; i++) trace.push(value(i));
  return trace;
}

describe('TraceRing', () => {
  it('gives the stretch that was asked for, ends included', () => {
    expect(ring(1000).capture(800, 840, timeOf)).toEqual({
      startAtMs: 800,
      rateHz: 125,
      unit: 'mV',
      samples: [100, 101, 102, 103, 104, 105],
    });
  });

  it('gives what it has of a stretch that reaches beyond it', () => {
    const trace = ring(10_000);
    const all = trace.capture(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, timeOf);
    expect(all?.samples).toHaveLength(15 * 125);
    expect(all?.samples[0]).toBe(10_000 - 15 * 125);
    expect(all?.startAtMs).toBe(timeOf(10_000 - 15 * 125));
    expect(all?.samples.at(-1)).toBe(9999);
  });

  it('has nothing of what is gone, not there yet, or never was', () => {
    expect(ring(10_000).capture(0, 1000, timeOf)).toBeUndefined();
    expect(ring(10).capture(1000, 2000, timeOf)).toBeUndefined();
    expect(ring(0).capture(0, 1000, timeOf)).toBeUndefined();
    expect(ring(100).capture(500, 400, timeOf)).toBeUndefined();
    expect(ring(100).capture(Number.NaN, 400, timeOf)).toBeUndefined();
  });

  it('thins fast signals by means, so that hum does not become a slow wave', () => {
    const trace = new TraceRing(1000, 'count');
    // Hum of a quarter of the sampling rate on a line of 5: any thinning by picking would show it, at any phase.
    for (let i = 0; i < 2000; i++) trace.push(5 + Math.sin((Math.PI * i) / 2));
    const evidence = trace.capture(0, 2000, exactSampleClock(1000).timeOf);
    expect(evidence?.rateHz).toBe(125);
    expect(evidence?.samples).toHaveLength(250);
    for (const value of evidence?.samples ?? []) expect(value).toBeCloseTo(5, 2);
  });

  it('is JSON: no value of it is NaN in the middle of lost samples', () => {
    const trace = ring(100);
    trace.push(Number.NaN);
    for (let i = 0; i < 100; i++) trace.push(i);
    const evidence = trace.capture(0, 2000, timeOf);
    expect(evidence?.samples.filter((value) => !Number.isFinite(value))).toHaveLength(1);
    expect(JSON.parse(JSON.stringify(evidence)).samples[100]).toBeNull();
  });
});
