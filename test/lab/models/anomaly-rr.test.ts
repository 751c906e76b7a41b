import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadBundle, pickVariant } from '../../../src/inference/bundle/load.js';
import { openBackend } from '../../../src/lab/backend.js';
import { type AnomalyRecord, windowsOfBeats } from '../../../src/lab/data/anomaly-records.js';
import { fitNetwork } from '../../../src/lab/models/anomaly-rr/fit.js';
import { makeUp } from '../../../src/lab/models/anomaly-rr/made-up.js';
import { ANOMALY_RECIPE } from '../../../src/lab/models/anomaly-rr/recipe.js';
import {
  type Answer,
  alertsOf,
  answerOf,
  type JudgedRecord,
  judgeRecord,
} from '../../../src/lab/models/anomaly-rr/score.js';
import { shippedSetting } from '../../../src/lab/models/anomaly-rr/train.js';
import { decodeModel } from '../../../src/lab/onnx/index.js';
import { answers } from '../../../src/lab/quantize/index.js';
import { Random } from '../../../src/lab/train/random.js';

const MINUTE_MS = 60_000;

/** A made-up person: an hour of calm breathing, ten minutes of intervals without memory, and calm again. */
function person(seed: number, { wild = true, junk = 0 } = {}): AnomalyRecord {
  const random = new Random(seed);
  const beats = [0];
  let longMs = 0;
  while (beats.at(-1)! < 100 * MINUTE_MS) {
    const tMs = beats.at(-1)!;
    const isWild = wild && tMs > 60 * MINUTE_MS && tMs < 70 * MINUTE_MS;
    longMs = 0.97 * longMs + 12 * random.normal();
    const breath = 25 * Math.sin((2 * Math.PI * tMs) / 4500);
    const rrMs = isWild ? 650 * Math.exp(0.22 * random.normal()) : 850 + longMs + breath + 8 * random.normal();
    const isJunk = random.uniform() < junk;
    beats.push(tMs + (isJunk ? 300 + 1900 * random.uniform() : rrMs));
  }
  return { database: 'made-up', record: String(seed), ...windowsOfBeats(beats), episodes: [] };
}

const minutesOf = (judged: JudgedRecord) =>
  alertsOf(judged, shippedSetting()).map(({ raisedMs }) => Math.round(raisedMs / MINUTE_MS));

describe('made-up rhythms', () => {
  it('are intervals a heart can have, the same for the same seed, and wilder where they depart', () => {
    const spread = { usual: 0, departs: 0 };
    for (const what of ['usual', 'departs'] as const) {
      const [a, b] = [new Random(5), new Random(5)];
      for (let k = 0; k < 200; k++) {
        const [one, two] = [new Float64Array(60), new Float64Array(60)];
        makeUp(what, one, 0.8, a);
        makeUp(what, two, 0.8, b);
        expect(one).toEqual(two);
        expect(Math.min(...one)).toBeGreaterThanOrEqual(0.2);
        expect(Math.max(...one)).toBeLessThanOrEqual(3);
        for (let i = 1; i < 60; i++) spread[what] += Math.abs(one[i]! - one[i - 1]!);
      }
    }
    expect(spread.departs).toBeGreaterThan(2 * spread.usual);
  });
});

describe('training anomaly-rr', () => {
  let answer: Answer;
  let preprocessing: object;
  beforeAll(async () => {
    await openBackend('auto');
    const people = [1, 2, 3, 4, 5].map((seed) => person(seed, { wild: false }));
    const fitted = await fitNetwork(people, { ...ANOMALY_RECIPE, epochs: 2, stepsPerEpoch: 60 }, 3);
    answer = answerOf(fitted.model);
    preprocessing = fitted.preprocessing;
  }, 120_000);

  it('scores a rhythm it was never shown far above calm, in somebody it never saw', async () => {
    const { verdicts } = await judgeRecord(person(98), preprocessing, answer);
    const mean = (fromMs: number, toMs: number) => {
      const scores = verdicts.filter(({ tMs }) => tMs > fromMs && tMs < toMs).map(({ score }) => score);
      return scores.reduce((sum, score) => sum + score, 0) / scores.length;
    };
    expect(mean(64 * MINUTE_MS, 70 * MINUTE_MS)).toBeGreaterThan(2 * mean(20 * MINUTE_MS, 60 * MINUTE_MS));
  });
});

describe('the shipped anomaly-rr', () => {
  it('finds ten wild minutes after an hour of calm, and is silent over calm and over junk', async () => {
    const { manifest, files } = await loadBundle(join('models', 'anomaly-rr'));
    expect(manifest.output.labels).toEqual(['usual', 'departs']);
    const model = decodeModel(files.get(pickVariant(manifest).id)!);
    const shipped: Answer = async (departures) => (await answers(model, [[departures.slice()]]))[0]!;
    const judge = (record: AnomalyRecord) => judgeRecord(record, manifest.preprocessing, shipped);
    const found = minutesOf(await judge(person(98)));
    expect(found).toHaveLength(1);
    expect(found[0]).toBeGreaterThan(60);
    expect(found[0]).toBeLessThan(66);
    expect(minutesOf(await judge(person(99, { wild: false })))).toEqual([]);
    expect(minutesOf(await judge(person(97, { wild: false, junk: 0.15 })))).toEqual([]);
  }, 60_000);
});
