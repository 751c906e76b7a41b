import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { RhythmRrInputs } from '../../../src/inference/windows/rhythm-rr.js';
import { openBackend } from '../../../src/lab/backend.js';
import { AF, OTHER, type RhythmRecord, rhythmArrays } from '../../../src/lab/data/rhythm-records.js';
import { type AlarmSetting, alarmFigures, alertsOf } from '../../../src/lab/models/rhythm-rr/alarm-level.js';
import { addEctopy, dither, misdetect } from '../../../src/lab/models/rhythm-rr/augment.js';
import { loadTraining, saveTraining } from '../../../src/lab/models/rhythm-rr/bundle.js';
import { featureConstants, patientFolds } from '../../../src/lab/models/rhythm-rr/data.js';
import { falsePositivesByEctopy, windowFigures } from '../../../src/lab/models/rhythm-rr/figures.js';
import { type Fitted, fitNetwork, fitPruned } from '../../../src/lab/models/rhythm-rr/fit.js';
import { featureHead, joinHeads, sequenceHead } from '../../../src/lab/models/rhythm-rr/network.js';
import { RHYTHM_RR_RECIPE } from '../../../src/lab/models/rhythm-rr/recipe.js';
import { replayedFigures } from '../../../src/lab/models/rhythm-rr/replayed.js';
import { RhythmSampler, windowShareAf } from '../../../src/lab/models/rhythm-rr/sampling.js';
import { type ScoredRhythm, score, windowsOf } from '../../../src/lab/models/rhythm-rr/score.js';
import { layersModelToOnnx } from '../../../src/lab/onnx/index.js';
import { answers } from '../../../src/lab/quantize/index.js';
import { predict } from '../../../src/lab/train/loop.js';
import { Random } from '../../../src/lab/train/random.js';
import { type Annotation, writeAnnotations } from '../../../src/lab/wfdb/index.js';

const RATE_HZ = 250;

/** A made-up patient: 300 calm beats, 300 of chance, in turn. */
function patient(record: string, seed: number, stretches = 6): RhythmRecord {
  const random = new Random(seed);
  const beats: Annotation[] = [];
  const rhythm: Annotation[] = [];
  let sample = 0;
  const mark = (symbol: string, aux = ''): Annotation => ({ sample, symbol, subtype: 0, chan: 0, num: 0, aux });
  for (let k = 0; k < stretches; k++) {
    rhythm.push(mark('+', k % 2 ? '(AFIB' : '(N'));
    for (let i = 0; i < 300; i++) {
      const rrS = k % 2 ? 0.45 + 0.5 * random.uniform() : 0.85 + 0.02 * random.normal();
      sample += Math.round(rrS * RATE_HZ);
      beats.push(mark('N'));
    }
  }
  return { database: 'ltafdb', record, ...rhythmArrays(beats, rhythm, RATE_HZ) };
}

const train = [patient('a', 1), patient('b', 2), patient('c', 3)];
const unseen = [patient('x', 99)];
const RECIPE = {
  ...RHYTHM_RR_RECIPE,
  sequence: { ...RHYTHM_RR_RECIPE.sequence, epochs: 1, stepsPerEpoch: 30, batchSize: 64 },
  features: { ...RHYTHM_RR_RECIPE.features, epochs: 1, stepsPerEpoch: 30, batchSize: 64 },
};

describe('training rhythm-rr', () => {
  let fitted: Fitted;
  beforeAll(async () => {
    await openBackend('auto');
    fitted = await fitNetwork(train, RECIPE, 3);
  }, 120_000);

  it('tells fibrillation from calm in a patient it never saw', () => {
    const { sensitivity, specificity, windows } = windowFigures(score(fitted, unseen, 5), 'other');
    expect(windows).toBeGreaterThan(200);
    expect(sensitivity).toBeGreaterThan(0.9);
    expect(specificity).toBeGreaterThan(0.9);
  });

  it('is the same again with the same seed, and another with another', async () => {
    const scores = [...score(fitted, unseen, 50)[0]!.scores];
    const again = await fitNetwork(train, RECIPE, 3);
    [...score(again, unseen, 50)[0]!.scores].forEach((value, i) => {
      expect(value).toBeCloseTo(scores[i]!, 4);
    });
    const other = await fitNetwork(train, RECIPE, 4);
    expect([...score(other, unseen, 50)[0]!.scores]).not.toEqual(scores);
  }, 120_000);

  it('has one network whose logits are the weighted mean of its halves', () => {
    const [sequence, features] = [sequenceHead(5), featureHead(5)];
    const joined = joinHeads(sequence, features, 0.75);
    const { sequences, features: vectors, count } = windowsOf(unseen[0]!, 100, fitted.preprocessing);
    const a = predict(sequence, [sequences], count);
    const b = predict(features, [vectors], count);
    predict(joined, [sequences, vectors], count).forEach((value, i) => {
      expect(value).toBeCloseTo((a[i]! + 3 * b[i]!) / 4, 4);
    });
    const kernels = joined.countParams();
    expect(kernels).toBe(256 + 1944 + 1752 + 792 + (48 + 24 + 1) * 2);
  });

  it('is trained on rows of intervals as the daemon makes them, without the cost of the features', () => {
    const inputs = new RhythmRrInputs();
    const random = new Random(8);
    for (let k = 0; k < 20; k++) {
      const rrS = Float64Array.from({ length: 60 }, () => 0.4 + random.uniform());
      const whole = [...inputs.write(rrS)[0]];
      expect([...inputs.writeSequence(rrS)]).toEqual(whole);
    }
  });

  it('answers the same as ONNX in the shipped runtime', async () => {
    const { sequences, features, count } = windowsOf(unseen[0]!, 100, fitted.preprocessing);
    const onnx = layersModelToOnnx(fitted.model, {
      name: 'rhythm-rr',
      inputNames: ['sequence', 'features'],
      outputNames: ['logits'],
    });
    const wanted = predict(fitted.model, [sequences, features], count);
    const items = Array.from({ length: count }, (_, w) => [
      sequences.subarray(w * 180, (w + 1) * 180),
      features.subarray(w * 32, (w + 1) * 32),
    ]);
    (await answers(onnx, items))
      .flatMap((values) => [...values])
      .forEach((value, i) => {
        expect(value).toBeCloseTo(wanted[i]!, 4);
      });
  });

  it('is saved and read whole, and pruned to the share asked for', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'slothd-rhythm-rr-'));
    await saveTraining(folder, fitted, {
      model: 'rhythm-rr',
      seed: 3,
      backend: 'test',
      sparsity: 0,
      preprocessing: fitted.preprocessing,
      recipe: RECIPE,
      trainedOn: [],
      validation: null,
    });
    const { fitted: read } = await loadTraining(folder);
    await rm(folder, { recursive: true });
    expect([...score(read, unseen, 50)[0]!.scores]).toEqual([...score(fitted, unseen, 50)[0]!.scores]);
    await fitPruned(read, train, RECIPE, 3, { sparsity: 0.5 });
    const weights = read.model.trainableWeights
      .filter(({ originalName }) => originalName.includes('kernel'))
      .map((weight) => [...weight.read().dataSync()]);
    for (const values of weights) {
      expect(values.filter((value) => value === 0).length / values.length).toBeGreaterThanOrEqual(0.45);
    }
    expect(windowFigures(score(read, unseen, 5), 'other').accuracy).toBeGreaterThan(0.9);
  }, 120_000);
});

describe('what rhythm-rr is trained on', () => {
  it('windows are whole, wholly labelled, and named by the majority of their beats', () => {
    const [record] = train as [RhythmRecord];
    const calmEnd = record.labels.indexOf(AF) - 1;
    expect(windowShareAf(record, 58)).toBeNull();
    expect(windowShareAf(record, 59)).toBe(0);
    expect(windowShareAf(record, calmEnd + 30)).toBe(0.5);
    const options = { seed: 1, batchSize: 256, half: 'both', preprocessing: null } as const;
    const { targets, inputs } = new RhythmSampler(train, null, options).next();
    // Feature 9: share of unequal pairs. Calm windows have few, windows of chance many; mixed ones lie between.
    for (let item = 0; item < 256; item++) {
      const unequal = inputs[1]![32 * item + 9]!;
      if (unequal < 0.3) expect([...targets.subarray(2 * item, 2 * item + 2)]).toEqual([1, 0]);
      if (unequal > 0.86) expect([...targets.subarray(2 * item, 2 * item + 2)]).toEqual([0, 1]);
    }
  });

  it('the same seed draws the same batches', () => {
    const options = { seed: 7, batchSize: 32, half: 'sequence', preprocessing: null } as const;
    const draw = () => [...new RhythmSampler(train, RHYTHM_RR_RECIPE.augmentation, options).next().inputs[0]!];
    expect(draw()).toEqual(draw());
  });

  it('a record of many short stretches gives a window of each, however few are asked for', () => {
    const [first] = train as [RhythmRecord];
    const record = { ...first, tMs: first.tMs.map((tMs, i) => tMs + 200_000 * Math.floor(i / 60)) };
    const { count, ends } = windowsOf(record, 10_000, featureConstants(train, 1));
    expect(count).toBe(Math.floor(record.count / 60));
    expect([...ends.slice(0, 2)]).toEqual([59, 119]);
  });

  it('a record without a whole window is left out; none at all is an error', () => {
    const short = { ...patient('s', 5, 1), unbroken: new Uint8Array(300).fill(10) };
    const options = { seed: 1, batchSize: 8, half: 'both', preprocessing: null } as const;
    expect(() => new RhythmSampler([short], null, options)).toThrow('no record has a window');
    expect(() => new RhythmSampler([short, ...train], null, options).next()).not.toThrow();
  });

  it('ectopy disturbs a calm row but keeps it a heart; it takes the time it gives in compensated pauses', () => {
    for (let seed = 0; seed < 200; seed++) {
      const rr = new Float64Array(64).fill(0.8);
      addEctopy(rr, new Random(seed));
      for (const rrS of rr) expect(rrS >= 0.2 && rrS <= 3).toBe(true);
    }
    const changed = Array.from({ length: 50 }, (_, seed) => {
      const rr = new Float64Array(64).fill(0.8);
      addEctopy(rr, new Random(seed));
      return rr.filter((rrS) => Math.abs(rrS - 0.8) > 0.02).length;
    });
    expect(changed.filter((n) => n > 4).length).toBeGreaterThan(35);
  });

  it('missed and false beats keep the time; what is left is a whole window', () => {
    for (let seed = 0; seed < 100; seed++) {
      const rr = Float64Array.from({ length: 64 }, (_, i) => 0.7 + 0.001 * i);
      const count = misdetect(rr, 64, new Random(seed));
      expect(count).toBeGreaterThanOrEqual(61);
      expect(count).toBeLessThanOrEqual(64);
      const odd = rr.subarray(0, count).filter((rrS) => rrS < 0.65 || rrS > 0.8).length;
      expect(odd).toBeGreaterThan(0);
    }
  });

  it('dither moves beats by no more than half a tick and keeps the time', () => {
    const rr = new Float64Array(60).fill(0.8);
    dither(rr, 60, new Random(1));
    let sum = 0;
    for (const rrS of rr) {
      sum += rrS;
      expect(Math.abs(rrS - 0.8)).toBeLessThanOrEqual(1 / 128);
    }
    expect(Math.abs(sum - 48)).toBeLessThanOrEqual(0.5 / 128);
  });

  it('folds keep each record in one piece and share out both databases', () => {
    const records = [...train, ...train.map((record) => ({ ...record, database: 'nsr2db' }))];
    expect(patientFolds(records, 3)).toEqual([0, 1, 2, 0, 1, 2]);
  });

  it('features are standardised with every record counting the same', () => {
    const { featureMean, featureDeviation } = featureConstants(train, 1);
    expect(featureMean).toHaveLength(32);
    expect(featureMean[0]).toBeGreaterThan(Math.log(0.6));
    expect(featureMean[0]).toBeLessThan(Math.log(0.9));
    expect(featureDeviation.every((value) => value > 0)).toBe(true);
  });
});

/** The scores below are just above `on`: as a sum of evidence they need the whole sustain time. */
const SETTING: AlarmSetting = { on: 0.94, off: 0.5, sustainMs: 30_000, clearMs: 60_000 };

/** A record of one beat a second with these scores, a window every 5 beats. */
function scored(labels: number[], scoreOf: (second: number) => number, record = 'r'): ScoredRhythm {
  const count = labels.length;
  const starts = labels.flatMap((label, i) => (label !== OTHER && labels[i - 1] !== label ? [i] : []));
  const ends = Uint32Array.from({ length: Math.floor((count - 60) / 5) + 1 }, (_, i) => 59 + 5 * i);
  return {
    record: {
      database: 'afdb',
      record,
      count,
      rrMs: new Float32Array(count).fill(1000),
      tMs: Float64Array.from(labels, (_, i) => i * 1000),
      labels: Uint8Array.from(labels),
      ectopic: new Uint8Array(count),
      unbroken: new Uint8Array(count).fill(60),
      durationMs: count * 1000,
      episodes: starts.map((start) => {
        const length = labels.slice(start).findIndex((label) => label !== labels[start]);
        return {
          label: labels[start] as typeof AF,
          startMs: start * 1000,
          endMs: (length < 0 ? count : start + length) * 1000,
        };
      }),
    },
    ends,
    startMs: Float64Array.from(ends, (end) => (end - 59) * 1000),
    scores: Float32Array.from(ends, (end) => scoreOf(end)),
  };
}

const seconds = (...stretches: [label: number, length: number][]) =>
  stretches.flatMap(([label, length]) => new Array<number>(length).fill(label));

describe('figures of rhythm-rr', () => {
  it('alerts are those of the daemon: raised after the sustain time, ended after the clear time', () => {
    const one = scored(seconds([OTHER, 1200]), (second) => (second >= 300 && second < 600 ? 0.95 : 0.1));
    const [alert, ...more] = alertsOf(one, SETTING);
    expect(more).toEqual([]);
    expect(alert!.raisedMs).toBeGreaterThanOrEqual(330_000);
    expect(alert!.raisedMs).toBeLessThanOrEqual(335_000);
    expect(alert!.endMs).toBeGreaterThanOrEqual(660_000);
    expect(alert!.endMs).toBeLessThanOrEqual(670_000);
  });

  it('a found episode has a delay, a missed one none, an alert without fibrillation is false', () => {
    const labels = seconds([OTHER, 300], [AF, 300], [OTHER, 600], [AF, 150], [OTHER, 600], [OTHER, 600]);
    const one = scored(labels, (s) => ((s >= 330 && s < 600) || (s >= 2000 && s < 2200) ? 0.95 : 0.1));
    const figures = alarmFigures([one], SETTING, false);
    expect(figures.falseAlerts).toBe(1);
    expect(figures.recordsWithFalse).toEqual(['r:1']);
    expect(figures.hoursOutside).toBeCloseTo(2100 / 3600, 6);
    expect(figures.falsePer24h).toBeCloseTo((24 * 3600) / 2100, 6);
    const [one1, two, five] = figures.episodes;
    expect([one1!.episodes, two!.episodes, five!.episodes]).toEqual([2, 2, 1]);
    expect([two!.found, five!.found]).toEqual([1, 1]);
    expect(two!.delayMedianS).toBeGreaterThanOrEqual(60);
    expect(two!.delayMedianS).toBeLessThanOrEqual(66);
  });

  it('windows of flutter count as they are told to', () => {
    const FLUTTER = 2;
    const labels = seconds([OTHER, 200], [FLUTTER, 200], [AF, 200]);
    const one = scored(labels, (s) => (s >= 230 ? 0.9 : 0.1));
    const as = (flutter: 'other' | 'af' | 'left-out') => windowFigures([one], flutter);
    expect(as('af').specificity).toBe(1);
    expect(as('other').specificity).toBeLessThan(0.6);
    expect(as('other').sensitivity).toBe(1);
    expect(as('left-out').specificity).toBe(1);
    expect(as('left-out').windows).toBeLessThan(as('af').windows);
  });

  it('false positives are told by how many beats are ectopic', () => {
    const one = scored(seconds([OTHER, 400]), (s) => (s > 200 ? 0.9 : 0.1));
    for (let i = 200; i < 400; i += 4) one.record.ectopic[i] = 1;
    const [few, , many] = falsePositivesByEctopy([one]);
    expect(few!.falsePositiveRate).toBe(0);
    expect(many!.falsePositiveRate).toBeGreaterThan(0.9);
  });
});

describe('figures of a replay', () => {
  const line = (event: object) => JSON.stringify(event);

  it('are of what was printed: own beats, verdicts in the order of time, alerts as they came', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'slothd-replayed-'));
    const mark = (sample: number, aux: string): Annotation => ({
      sample,
      symbol: '+',
      subtype: 0,
      chan: 0,
      num: 0,
      aux,
    });
    await writeAnnotations(join(folder, '1.atr'), [mark(0, '(N'), mark(75_000, '(AFIB'), mark(150_000, '(N')]);
    const lines = [line({ type: 'start', record: '1', rateHz: 250 })];
    for (let t = 1; t < 900; t++) {
      lines.push(line({ type: 'beat', t }));
      const isAf = t >= 330 && t < 630;
      // Hints are no verdicts, whatever they say.
      if (t % 5 === 0) lines.push(line({ type: 'rhythm', t, score: isAf ? 0.1 : 0.9, windowBeats: 30 }));
      if (t % 5 === 0 && t >= 60) lines.push(line({ type: 'rhythm', t, score: isAf ? 0.99 : 0.01, windowBeats: 60 }));
      if (t === 350) lines.push(line({ type: 'alert', t, event: 'new', kind: 'atrial-fibrillation' }));
      if (t === 750) lines.push(line({ type: 'alert', t, event: 'end', kind: 'atrial-fibrillation' }));
      if (t === 800) lines.push(line({ type: 'alert', t, event: 'new', kind: 'pause' }));
    }
    lines.push(line({ type: 'end', t: 900 }));
    const file = join(folder, 'events.jsonl');
    await writeFile(file, `${lines.join('\n')}\n`);
    const { windows, alarms } = await replayedFigures(file, folder);
    expect(windows.other.windows).toBe(Math.floor((899 - 60) / 5) + 1);
    expect(windows.other.sensitivity).toBeGreaterThan(0.98);
    expect(windows.other.specificity).toBeGreaterThan(0.98);
    expect(alarms.falseAlerts).toBe(0);
    expect(alarms.episodes[1]).toMatchObject({ episodes: 1, found: 1, delayMedianS: 50, fresh: 1 });
    await writeFile(file, '');
    await expect(replayedFigures(file, folder)).rejects.toThrow('holds no events');
    await rm(folder, { recursive: true });
  });
});
