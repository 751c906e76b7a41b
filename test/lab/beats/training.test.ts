import { describe, expect, it } from 'vitest';
import { Examples } from '../../../src/lab/beats/examples.js';
import { assignFolds, FOLDS } from '../../../src/lab/beats/folds.js';
import { BEAT, labelCandidates, NOT_A_BEAT } from '../../../src/lab/beats/labels.js';
import { leadsOf } from '../../../src/lab/beats/leads.js';
import { trainMlp } from '../../../src/lab/beats/mlp.js';
import { addNoise, qrsHeight } from '../../../src/lab/beats/noise.js';
import type { BeatRecord } from '../../../src/lab/beats/records.js';
import { trainBeatVerifier } from '../../../src/lab/beats/train.js';
import { scoreBeats } from '../../../src/lab/evaluation/beat-match.js';
import { seededRandom } from '../../../src/lab/random.js';
import { FEATURE_COUNT } from '../../../src/signal/ecg/features.js';
import { BeatVerifier, WEIGHT_COUNT } from '../../../src/signal/ecg/verifier.js';
import { detect, excerpt, samplesOf } from '../../signal/ecg/lead-fixture.js';

async function minuteOf(name: '100' | '208'): Promise<BeatRecord> {
  const { signal, rateHz, reference } = await excerpt(name);
  return { database: 'mitdb', name, rateHz, signals: [signal, signal.map((v) => -0.5 * v)], reference };
}

describe('folds', () => {
  const records = Array.from({ length: 24 }, (_, i) => ({ database: 'mitdb', name: String(190 + i) }));

  it('keep one patient together and spread the rest evenly', () => {
    const folds = assignFolds(records);
    expect(folds.get('mitdb/202')).toBe(folds.get('mitdb/201'));
    const sizes = Array.from({ length: FOLDS }, (_, f) => [...folds.values()].filter((v) => v === f).length);
    expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(2);
  });

  it('do not depend on the order in which records come', () => {
    expect(assignFolds([...records].reverse())).toEqual(assignFolds(records));
  });
});

describe('labels', () => {
  it('give every beat of the excerpts one candidate, within 156 ms', async () => {
    for (const name of ['100', '208'] as const) {
      const { signal, rateHz, reference } = await excerpt(name);
      const labels = labelCandidates(signal, rateHz, reference);
      const at = [...labels.keys()].filter((i) => labels[i] === BEAT);
      expect(at).toHaveLength(reference.samples.length);
      expect(scoreBeats(reference, at, { toleranceMs: 157 })).toMatchObject({ fp: 0, fn: 0 });
    }
  });

  it('hold in flutter neither way', async () => {
    const { signal, rateHz, reference } = await excerpt('100');
    const labels = labelCandidates(signal, rateHz, {
      ...reference,
      flutter: [[0, signal.length]],
      samples: new Float64Array(),
    });
    expect(labels.subarray(0, signal.length)).not.toContain(NOT_A_BEAT);
  });
});

describe('the leads shown in training', () => {
  it('are the same for the same seed, and others for another', async () => {
    const record = await minuteOf('208');
    const noise = [{ rateHz: 360, channels: [Float32Array.from({ length: 40000 }, (_, i) => Math.sin(i * i))] }];
    const [a, b, c] = [1, 1, 2].map((seed) => [...leadsOf(record, noise, seed)].map((lead) => lead.signal));
    expect(a).toEqual(b);
    expect(a![3]).not.toEqual(c![3]);
  });

  it('keep their beats where the labels say: also where beats were made early', async () => {
    const record = await minuteOf('208');
    for (let seed = 0; seed < 5; seed++) {
      const [plain, , mixed] = leadsOf(record, [{ rateHz: 360, channels: [new Float32Array(40000)] }], seed);
      const count = (labels: Uint8Array) => labels.reduce((n, label) => n + (label === BEAT ? 1 : 0), 0);
      // Half of the record is shown, of which breaks of up to 8 s may be gone: what remains is labelled beat by beat.
      expect(count(mixed!.labels)).toBeGreaterThan(0.36 * count(plain!.labels));
      expect(count(mixed!.labels)).toBeLessThan(0.6 * count(plain!.labels));
    }
  });

  it('get noise of the asked strength, in stretches', async () => {
    const { signal, reference } = await excerpt('100');
    const height = qrsHeight(signal, reference);
    expect(height).toBeGreaterThan(0.5);
    expect(height).toBeLessThan(3);
    const source = [{ rateHz: 360, channels: [signal] }];
    const changed = Array.from({ length: 20 }, (_, i) => i).map((seed) => {
      const { signal: noisy, heavy } = addNoise(signal, 360, height, source, seededRandom(seed));
      heavy.forEach((mark, i) => {
        if (mark) expect(noisy[i]).not.toBe(signal[i]);
      });
      return noisy.reduce((n, v, i) => n + (v === signal[i] ? 0 : 1), 0) / signal.length;
    });
    // The noise starts anywhere in the minute.
    expect(Math.max(...changed)).toBeGreaterThan(0.3);
    expect(Math.max(...changed)).toBeLessThanOrEqual(1);
    expect(Math.min(...changed)).toBeLessThan(0.5);
  });
});

describe('the network', () => {
  it('learns what no straight line divides, and gives weights that take plain features', () => {
    const random = seededRandom(7);
    const examples = new Examples();
    const row = new Float64Array(FEATURE_COUNT);
    const fill = () => {
      for (let i = 0; i < 12; i++) row[i] = 5 + 3 * random();
      return row[3]! > 6.5 !== row[10]! > 6.5 ? 1 : 0;
    };
    for (let i = 0; i < 6000; i++) {
      const label = fill();
      examples.add(row, label, 1);
    }
    const weights = trainMlp([examples], { epochs: 25, random, featureDropout: 0, learningRate: 0.02 });
    expect(weights).toHaveLength(WEIGHT_COUNT);
    const net = new BeatVerifier(weights);
    let right = 0;
    for (let i = 0; i < 1000; i++) {
      const label = fill();
      if (net.judge(row) > 0.5 === (label === 1)) right++;
    }
    expect(right).toBeGreaterThan(900);
  });

  it('goes on from earlier weights', () => {
    const random = seededRandom(1);
    const examples = new Examples();
    const row = new Float64Array(FEATURE_COUNT);
    for (let i = 0; i < 3000; i++) {
      for (let k = 0; k < FEATURE_COUNT; k++) row[k] = random();
      examples.add(row, row[0]! > 0.5 ? 1 : 0, 1);
    }
    const first = trainMlp([examples], { epochs: 8, random });
    const kept = trainMlp([examples], { epochs: 0, random, from: first });
    kept.forEach((w, i) => {
      expect(w).toBeCloseTo(first[i]!, 6);
    });
  });
});

it('trains a verifier from two minutes of MITDB that finds their beats, the same one each time', async () => {
  const records = [await minuteOf('100'), await minuteOf('208')];
  const noise = [
    { rateHz: 360, channels: [Float32Array.from({ length: 50000 }, (_, i) => Math.sin(i / 7) + Math.cos(i / 3.3))] },
  ];
  const train = () => trainBeatVerifier({ records, noise, rounds: 2, epochs: 60, seed: 5 });
  const weights = await train();
  expect(await train()).toEqual(weights);
  const judge = new BeatVerifier(weights);
  for (const { signals, rateHz, reference } of records) {
    const score = scoreBeats(reference, samplesOf(detect(signals[0]!, rateHz, { judge })));
    expect(score.fp + score.fn).toBeLessThanOrEqual(2);
  }
});
