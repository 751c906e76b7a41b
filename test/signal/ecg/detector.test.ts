import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeAll, describe, expect, it } from 'vitest';
import { beatMetrics, scoreBeats } from '../../../src/lab/evaluation/beat-match.js';
import { EcgBeatDetector } from '../../../src/signal/ecg/detector.js';
import { HAND_RULE } from '../../../src/signal/ecg/judge.js';
import { atRate, detect, type Excerpt, excerpt, samplesOf } from './lead-fixture.js';

let normal: Excerpt;
let ectopic: Excerpt;

beforeAll(async () => {
  normal = await excerpt('100');
  ectopic = await excerpt('208');
});

describe('on one minute of MITDB', () => {
  it('finds every beat of 100 to the sample, and no other', () => {
    const beats = samplesOf(detect(normal.signal, normal.rateHz));
    const score = scoreBeats(normal.reference, beats, { toleranceMs: 50 });
    expect(score).toMatchObject({ fp: 0, fn: 0 });
    expect(beatMetrics(score).absOffsetMedianMs).toBeLessThanOrEqual(3);
  });

  it('finds the wide and fused beats of 208', () => {
    const score = scoreBeats(ectopic.reference, samplesOf(detect(ectopic.signal, ectopic.rateHz)));
    expect(score.tp).toBeGreaterThan(90);
    expect(score.fp + score.fn).toBeLessThanOrEqual(1);
  });

  it('works without weights too', () => {
    const beats = samplesOf(detect(normal.signal, normal.rateHz, { judge: HAND_RULE }));
    expect(scoreBeats(normal.reference, beats)).toMatchObject({ fp: 0, fn: 0 });
  });
});

describe('what the lead looks like does not matter', () => {
  it.each([
    ['offset -5', (v: number) => v - 5],
    ['offset 20000', (v: number) => v + 20000],
    ['gain 1e-3 (volts)', (v: number) => v * 1e-3],
    ['gain 3.7', (v: number) => v * 3.7],
    ['counts of a 24-bit converter', (v: number) => Math.round(v * 40000 + 3e6)],
    ['upside down', (v: number) => -v],
  ])('%s: the same beats', (_, change) => {
    const plain = samplesOf(detect(ectopic.signal, ectopic.rateHz));
    const changed = samplesOf(detect(Float64Array.from(ectopic.signal, change), ectopic.rateHz));
    expect(changed).toHaveLength(plain.length);
    // Turned over, the peak of a two-sided complex may be the other lobe: allow its width.
    changed.forEach((sample, i) => {
      expect(Math.abs(sample - plain[i]!)).toBeLessThanOrEqual(_ === 'upside down' ? 54 : 1);
    });
  });

  it.each([100, 125, 128, 200, 250, 256, 300, 500, 512, 1000])('%i samples a second', (toHz) => {
    for (const { signal, rateHz, reference } of [normal, ectopic]) {
      const beats = samplesOf(detect(atRate(signal, rateHz, toHz), toHz));
      const back = beats.map((sample) => (sample * rateHz) / toHz);
      const score = scoreBeats(reference, back);
      expect(score.fp + score.fn).toBeLessThanOrEqual(1);
      expect(beatMetrics(score).absOffsetMedianMs).toBeLessThanOrEqual(8);
    }
  });

  it('goes on finding beats after the line steps', () => {
    const stepped = ectopic.signal.map((v, i) => v + 4 * Math.floor(i / (20 * 360)));
    const score = scoreBeats(ectopic.reference, samplesOf(detect(stepped, 360)));
    expect(score.fp + score.fn).toBeLessThanOrEqual(3);
  });

  it.each([0.1, 8])('finds beats again within 10 s of a gain change to %f', (gain) => {
    const changed = normal.signal.map((v, i) => (i < 20 * 360 ? v : gain * v));
    const score = scoreBeats(normal.reference, samplesOf(detect(changed, 360)), {
      windows: [
        [0, 19.5],
        [30, 60],
      ],
    });
    expect(score).toMatchObject({ fp: 0, fn: 0 });
  });

  it('counts beats and nothing else once a lead that was flat, or at the rail, is back', () => {
    for (const level of [0, 8]) {
      const broken = Float32Array.from(normal.signal);
      broken.fill(level, 20 * 360, 25 * 360);
      const windows = [[26, 60]] as const;
      const score = scoreBeats(normal.reference, samplesOf(detect(broken, 360)), { windows });
      expect(score).toMatchObject({ fp: 0, fn: 0 });
    }
  });

  it('refuses a rate that cannot be', () => {
    for (const rateHz of [0, -360, Number.NaN, 20, 1e5]) {
      expect(() => new EcgBeatDetector({ rateHz, onBeat: () => {} })).toThrow(RangeError);
    }
  });
});

describe('in time', () => {
  it('decides within half a second of the R peak in steady rhythm, and in order', () => {
    const beats = detect(normal.signal, normal.rateHz);
    const delaysMs = beats.slice(3).map((beat) => ((beat.decidedAt - beat.sample) / 360) * 1000);
    expect(Math.max(...delaysMs)).toBeLessThan(500);
    for (let i = 1; i < beats.length; i++) {
      expect(beats[i]!.sample).toBeGreaterThan(beats[i - 1]!.sample);
      expect(beats[i]!.decidedAt).toBeGreaterThanOrEqual(beats[i - 1]!.decidedAt);
    }
  });

  it('never looks at what has not been pushed', () => {
    const whole = detect(ectopic.signal, 360);
    for (const cut of [800, 3001, 7777, 14010, 20000]) {
      const start = detect(ectopic.signal.subarray(0, cut), 360, { flush: false });
      expect(start).toEqual(whole.filter((beat) => beat.decidedAt < cut));
    }
  });

  it('keeps all its memory to itself: two leads pushed in turn give what each gives alone', () => {
    const [a, b]: number[][] = [[], []];
    const first = new EcgBeatDetector({ rateHz: 360, onBeat: (sample) => a!.push(sample) });
    const second = new EcgBeatDetector({ rateHz: 360, onBeat: (sample) => b!.push(sample) });
    for (let i = 0; i < normal.signal.length; i++) {
      first.push(normal.signal[i]!);
      second.push(ectopic.signal[i]!);
    }
    first.flush();
    second.flush();
    expect(a).toEqual(samplesOf(detect(normal.signal, 360)));
    expect(b).toEqual(samplesOf(detect(ectopic.signal, 360)));
  });

  it('reports the last beat when the lead ends right after it', () => {
    const last = normal.reference.samples.at(-2)!;
    const cut = normal.signal.subarray(0, last + 15);
    expect(samplesOf(detect(cut, 360)).at(-1)).toBeGreaterThan(last - 18);
  });
});

describe('a gap', () => {
  it('forgets what waits, and finds beats at once after it', () => {
    const beats: number[] = [];
    const detector = new EcgBeatDetector({ rateHz: 360, onBeat: (sample) => beats.push(sample) });
    const { signal, reference } = normal;
    const at = reference.samples[20]! + 30;
    const skipped = 3600 + 77;
    for (let i = 0; i < at; i++) detector.push(signal[i]!);
    const before = beats.length;
    detector.gap();
    for (let i = at + skipped; i < signal.length; i++) detector.push(signal[i]! + 2);
    detector.flush();
    const after = beats.slice(before);
    expect(after[0]).toBeGreaterThan(at);
    const expected = [...reference.samples].filter((s) => s > at + skipped + 100).map((s) => s - skipped);
    const found = expected.filter((s) => after.some((b) => Math.abs(b - s) <= 18));
    expect(found).toEqual(expected);
    expect(after.length).toBeLessThanOrEqual(expected.length + 1);
  });

  it('may come at any time, and often', () => {
    const beats: number[] = [];
    const detector = new EcgBeatDetector({ rateHz: 360, onBeat: (sample) => beats.push(sample) });
    detector.gap();
    for (let i = 0; i < normal.signal.length; i++) {
      detector.push(normal.signal[i]!);
      if (i % 501 === 0) detector.gap();
    }
    detector.flush();
    detector.flush();
    detector.gap();
    expect(beats.every((sample, i) => i === 0 || sample > beats[i - 1]!)).toBe(true);
  });
});

describe('no heart', () => {
  it.each([
    ['nothing at all', () => Number.NaN],
    ['zero', () => 0],
    ['a constant', () => 512],
    ['infinity', () => Number.POSITIVE_INFINITY],
    ['the greatest number', () => Number.MAX_VALUE],
  ])('%s: no beats', (_, value) => {
    expect(detect(Float64Array.from({ length: 36000 }, value), 360)).toEqual([]);
  });

  it('starts with the first value that is one, however late', () => {
    const late = [...new Float64Array(5000).fill(Number.NaN), ...normal.signal];
    const beats = samplesOf(detect(late, 360)).map((sample) => sample - 5000);
    expect(scoreBeats(normal.reference, beats)).toMatchObject({ fp: 0, fn: 0 });
  });

  it('finds beats after half a minute of flat line', () => {
    const late = [...new Float64Array(30 * 360).fill(normal.signal[0]!), ...normal.signal];
    const beats = samplesOf(detect(late, 360)).map((sample) => sample - 30 * 360);
    const score = scoreBeats(normal.reference, beats, { windows: [[3, 60]] });
    expect(score).toMatchObject({ fp: 0, fn: 0 });
  });

  it('finds beats after half a minute of a faintly rustling line, without being told of a gap', () => {
    const rustle = Float64Array.from({ length: 30 * 360 }, (_, i) => -0.1 + 0.005 * ((i * 7919) % 13 > 6 ? 1 : 0));
    const beats = samplesOf(detect([...rustle, ...normal.signal], 360)).map((sample) => sample - rustle.length);
    const score = scoreBeats(normal.reference, beats, { windows: [[12, 60]] });
    expect(score).toMatchObject({ fp: 0, fn: 0 });
  });

  it('is not put off by single bad values', () => {
    const bad = Float64Array.from(normal.signal);
    for (let i = 100; i < bad.length; i += 997) bad[i] = [Number.NaN, Number.NEGATIVE_INFINITY][i % 2]!;
    expect(scoreBeats(normal.reference, samplesOf(detect(bad, 360)))).toMatchObject({ fp: 0, fn: 0 });
  });

  it('recovers from an absurd spike', () => {
    const bad = Float64Array.from(normal.signal);
    bad[7200] = 1e300;
    const score = scoreBeats(normal.reference, samplesOf(detect(bad, 360)), { windows: [[30, 60]] });
    expect(score).toMatchObject({ fp: 0, fn: 0 });
  });
});

it('allocates nothing per sample', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  let beats = 0;
  const detector = new EcgBeatDetector({
    rateHz: 360,
    onBeat: () => {
      beats++;
    },
  });
  const run = (signal: Float32Array) => {
    for (let i = 0; i < signal.length; i++) detector.push(signal[i]!);
  };
  for (let i = 0; i < 5; i++) run(normal.signal);
  // A line without candidates, so that only what happens for each sample is measured.
  const wander = normal.signal.map((_, i) => 0.2 * Math.sin(i / 300));
  for (let i = 0; i < 5; i++) run(wander);
  // The least of some rounds: the compiler and the test runner allocate now and then, the detector would each time.
  let grown = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 6; round++) {
    collect();
    const before = process.memoryUsage().heapUsed;
    run(wander);
    grown = Math.min(grown, process.memoryUsage().heapUsed - before);
  }
  expect(beats).toBeGreaterThan(300);
  // One boxed number for each sample would be 16 B * 21,600 = 346 kB; for each 128 Hz step 123 kB.
  expect(grown).toBeLessThan(60_000);
});
