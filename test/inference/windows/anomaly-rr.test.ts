import { describe, expect, it } from 'vitest';
import {
  ANOMALY_FEATURES,
  ANOMALY_LEARNING_MS,
  type AnomalyFeature,
  AnomalyWindows,
  departureOf,
  PersonBaseline,
  parseAnomalyPreprocessing,
} from '../../../src/inference/windows/anomaly-rr.js';
import { AnomalyJudge } from '../../../src/inference/windows/anomaly-verdict.js';
import { Random } from '../../../src/lab/train/random.js';

const COUNT = ANOMALY_FEATURES.length;
const all = (value: number) => ANOMALY_FEATURES.map(() => value);
const preprocessing = { mean: all(0), between: all(1), within: all(1), usualScore: 1 };
const at = (name: AnomalyFeature) => ANOMALY_FEATURES.indexOf(name);

/** Features of the last window of intervals, ms. */
function described(rr: readonly number[]): { features: Float32Array; windows: number } {
  let features = new Float32Array(COUNT);
  let windows = 0;
  const stream = new AnomalyWindows({
    everyBeats: 20,
    onWindow: (vector) => {
      features = vector.slice();
      windows++;
    },
  });
  let tMs = 0;
  for (const rrMs of rr) {
    tMs += rrMs;
    stream.push(rrMs, tMs);
  }
  return { features, windows };
}

const random = new Random(1);
const calm = (count: number, rrMs = 850) => Array.from({ length: count }, () => rrMs + 20 * random.normal());
const wild = (count: number) => Array.from({ length: count }, () => 400 + 500 * random.uniform());
const pairs = (count: number) => Array.from({ length: count }, (_, i) => (i % 2 ? 1100 : 600) + 10 * random.normal());

describe('anomaly windows', () => {
  it('come every 20 intervals once there are 60', () => {
    expect(described(calm(59)).windows).toBe(0);
    expect(described(calm(60)).windows).toBe(1);
    expect(described(calm(119)).windows).toBe(3);
  });

  it('are passed over while a tenth and more of the intervals were junk, and come again when it is out of them', () => {
    let windows = 0;
    const stream = new AnomalyWindows({ everyBeats: 20, onWindow: () => windows++ });
    let tMs = 0;
    const push = (count: number) => {
      for (const rrMs of calm(count)) {
        tMs += rrMs;
        stream.push(rrMs, tMs);
      }
    };
    push(60);
    for (let i = 0; i < 6; i++) stream.skip();
    push(20);
    expect(windows).toBe(2);
    for (let i = 0; i < 6; i++) stream.skip();
    push(20);
    expect(windows).toBe(2);
    push(20);
    expect(windows).toBe(3);
  });

  it('describe what they hold', () => {
    const [a, b, c] = [calm(60), wild(60), pairs(60)].map((rr) => described(rr).features);
    expect(Math.exp(a![at('rate')]!) * 60).toBeCloseTo(60 / 0.85, -1);
    expect(b![at('change')]!).toBeGreaterThan(a![at('change')]! + 2);
    expect(c![at('alternation')]!).toBeGreaterThan(0.9);
    const faster = described([...calm(40), ...calm(20, 500)]).features;
    expect(faster[at('drift')]!).toBeGreaterThan(0.4);
  });
});

describe('baseline of a person', () => {
  it('begins with what is usual of people and becomes their own, within bounds', () => {
    const baseline = new PersonBaseline(preprocessing);
    expect(baseline.usualOf(0)).toEqual({ mean: 0, deviation: 1 });
    for (let i = 0; i < 600; i++) baseline.learn(Float32Array.from(all(i % 2 ? 1.2 : 0.8)), 60_000, 0, false);
    expect(baseline.usualOf(0).mean).toBeCloseTo(1, 1);
    expect(baseline.usualOf(0).deviation).toBeCloseTo(0.6);
    for (let i = 0; i < 5000; i++) baseline.learn(Float32Array.from(all(9)), 60_000, 0, false);
    // Nobody is like this by nature.
    expect(baseline.usualOf(0).mean).toBe(2);
  });

  it('learns little from what departs', () => {
    const baseline = new PersonBaseline(preprocessing);
    for (let i = 0; i < 120; i++) baseline.learn(Float32Array.from(all(0)), 60_000, 0, false);
    for (let i = 0; i < 60; i++) baseline.learn(Float32Array.from(all(5)), 60_000, 3, true);
    expect(baseline.usualOf(0).mean).toBeLessThan(0.1);
  });

  it('is the same after a restart, and takes up no nonsense', () => {
    const before = new PersonBaseline(preprocessing);
    for (let i = 0; i < 60; i++) before.learn(Float32Array.from(all(0.3)), 60_000, 0.5, false);
    const after = new PersonBaseline(preprocessing);
    expect(after.restore(JSON.parse(JSON.stringify(before.snapshot())))).toBe(true);
    expect(after.usualOf(3)).toEqual(before.usualOf(3));
    expect(after.learntMs).toBe(before.learntMs);
    expect(JSON.stringify(before.snapshot()).length).toBeLessThan(2000);
    for (const bad of [
      null,
      5,
      {},
      { ...before.snapshot(), mean: [1] },
      { ...before.snapshot(), weight: Number.NaN },
    ]) {
      expect(new PersonBaseline(preprocessing).restore(bad)).toBe(false);
    }
  });

  it('needs constants that fit', () => {
    expect(() => parseAnomalyPreprocessing({ ...preprocessing, within: all(0) })).toThrow(/within/);
    expect(() => parseAnomalyPreprocessing({ ...preprocessing, usualScore: -1 })).toThrow(/usualScore/);
  });
});

describe('the judge', () => {
  it('is learning at first, then scores what the model takes for no usual rhythm, with usual ranges', () => {
    const judge = new AnomalyJudge({
      ...preprocessing,
      mean: all(0).map((_, i) => (i === at('rate') ? Math.log(70 / 60) : 0)),
    });
    const features = Float32Array.from(all(0));
    features[at('rate')] = Math.log(140 / 60);
    const [usual, departs] = [Float32Array.of(9, -9), Float32Array.of(-3, 3)];
    const times = { tMs: 60_000, startMs: 0, spanMs: ANOMALY_LEARNING_MS };
    const first = judge.judge(features, usual, times);
    expect(first.learning).toBe(true);
    expect(first.score).toBeLessThan(0.01);
    expect(first.rateBpm.now).toBeCloseTo(140);
    expect(first.rateBpm.low).toBeLessThan(70);
    // One wild look among calm ones moves the score a little; after a hole what is seen is all that is known.
    const second = judge.judge(features, departs, { tMs: 80_000, startMs: 20_000, spanMs: 20_000 });
    expect(second.learning).toBe(false);
    expect(second.score).toBeGreaterThan(0.5);
    expect(second.score).toBeLessThan(2);
    const third = judge.judge(features, departs, { tMs: 380_000, startMs: 320_000, spanMs: 20_000 });
    expect(third.score).toBeGreaterThan(5);
  });

  it('measures departures from nil upwards, evenly above, and finite for any answer', () => {
    expect(departureOf(Float32Array.of(50, -50))).toBeCloseTo(0);
    expect(departureOf(Float32Array.of(0, 20)) - departureOf(Float32Array.of(0, 10))).toBeCloseTo(10, 3);
    expect(departureOf(Float32Array.of(-1000, 1000))).toBe(2005);
  });
});
