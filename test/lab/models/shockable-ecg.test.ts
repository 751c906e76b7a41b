import { beforeAll, describe, expect, it } from 'vitest';
import { openBackend } from '../../../src/lab/backend.js';
import {
  ASYSTOLE,
  FAST_VT,
  FIBRILLATION,
  OTHER,
  type ShockableRecord,
  SLOW_VT,
  windowsOfLead,
} from '../../../src/lab/data/shockable-records.js';
import { alertsOf, shockableAlarmFigures } from '../../../src/lab/models/shockable-ecg/alarm-level.js';
import { foldsOf } from '../../../src/lab/models/shockable-ecg/data.js';
import { crossFittedFigures, shockableWindowFigures } from '../../../src/lab/models/shockable-ecg/figures.js';
import { type Fitted, fitNetwork } from '../../../src/lab/models/shockable-ecg/fit.js';
import { INPUT_NAMES, OUTPUT_NAME } from '../../../src/lab/models/shockable-ecg/network.js';
import { itemsOf } from '../../../src/lab/models/shockable-ecg/quantize.js';
import { SHOCKABLE_RECIPE } from '../../../src/lab/models/shockable-ecg/recipe.js';
import { ShockableSampler } from '../../../src/lab/models/shockable-ecg/sampling.js';
import { type ScoredRecord, score, softmax } from '../../../src/lab/models/shockable-ecg/score.js';
import { layersModelToOnnx } from '../../../src/lab/onnx/index.js';
import { answers } from '../../../src/lab/quantize/index.js';
import { Random } from '../../../src/lab/train/random.js';

const RATE_HZ = 250;

/** A made-up patient: a minute of beats, 40 s of fast tachycardia, 40 s of fibrillation, 20 s of beats. */
function patient(record: string, seed: number): ShockableRecord {
  const random = new Random(seed);
  const [bpm, vtHz, vfHz] = [60 + 30 * random.uniform(), 3 + random.uniform(), 4.5 + random.uniform()];
  let phase = 0;
  const samples = Float64Array.from({ length: 160 * RATE_HZ }, (_, i) => {
    const t = i / RATE_HZ;
    const noise = 0.02 * random.normal();
    if (t >= 60 && t < 100) {
      const cycle = (t * vtHz) % 1;
      return noise + Math.max(0, Math.sin(2 * Math.PI * cycle)) - 0.6 * Math.exp(-(((cycle - 0.7) / 0.1) ** 2));
    }
    if (t >= 100 && t < 140) {
      phase += (2 * Math.PI * (vfHz + 1.5 * Math.sin(t * 1.7))) / RATE_HZ;
      return noise + (0.4 + 0.25 * Math.sin(t * 2.3)) * Math.sin(phase);
    }
    const beat = ((t * bpm) / 60) % 1;
    return noise + Math.exp(-(((beat - 0.3) / 0.025) ** 2)) + 0.2 * Math.exp(-(((beat - 0.6) / 0.08) ** 2));
  });
  const label = (fromS: number, toS: number) => {
    if (fromS >= 60 && toS <= 100) return FAST_VT;
    if (fromS >= 100 && toS <= 140) return FIBRILLATION;
    return toS <= 60 || fromS >= 140 ? OTHER : 6;
  };
  return {
    database: 'vfdb',
    record,
    ...windowsOfLead(samples, RATE_HZ, label),
    episodes: [
      { kind: 'vt', startS: 60, endS: 100 },
      { kind: 'vf', startS: 100, endS: 140 },
    ],
    rhythms: [],
  };
}

const SETTING = { on: 0.8, off: 0.5, verdicts: 3, clearMs: 5_000 };
const noise = [Float32Array.from({ length: 5000 }, (_, i) => Math.sin(i / 40) + 0.3 * Math.sin(i / 3))];
const RECIPE = {
  ...SHOCKABLE_RECIPE,
  signal: { ...SHOCKABLE_RECIPE.signal, epochs: 1, stepsPerEpoch: 40, batchSize: 48 },
  features: { ...SHOCKABLE_RECIPE.features, epochs: 1, stepsPerEpoch: 80, batchSize: 48, pool: 500 },
  members: { signal: 2, features: 2 },
};

describe('training shockable-ecg', () => {
  let fitted: Fitted;
  let unseen: ScoredRecord;
  beforeAll(async () => {
    await openBackend('auto');
    fitted = await fitNetwork([patient('a', 1), patient('b', 2), patient('c', 3)], noise, RECIPE, 3);
    unseen = score(fitted, [patient('x', 99)])[0]!;
  }, 120_000);

  it('tells shockable rhythms from beats in a patient it never saw', () => {
    const { sensitivity, specificity, windows } = shockableWindowFigures([unseen], 0.5);
    expect(windows.shockable).toBeGreaterThan(60);
    expect(sensitivity).toBeGreaterThan(0.9);
    expect(specificity).toBeGreaterThan(0.9);
  });

  it('raises the daemon’s alerts, once for each, in time and none elsewhere', () => {
    const { vf, vt, falseAlerts } = shockableAlarmFigures([unseen.record], SETTING, () => alertsOf(unseen, SETTING));
    expect([vf.found, vt.found, falseAlerts]).toEqual([1, 1, 0]);
    expect(vt.delayMedianS).toBeLessThan(8);
  });

  it('is taught both kinds as one class', () => {
    const { targets } = new ShockableSampler([patient('a', 1)], noise, RECIPE, 1).signals(32)();
    const rows = Array.from({ length: 32 }, (_, i) => [...targets.subarray(3 * i, 3 * i + 3)].join(' '));
    expect(new Set(rows)).toEqual(new Set(['1 0 0', '0 0.5 0.5']));
  });

  it('is one ONNX graph of two inputs that answers alike', async () => {
    const onnx = layersModelToOnnx(fitted.model, {
      name: 'shockable-ecg',
      inputNames: [...INPUT_NAMES],
      outputNames: [OUTPUT_NAME],
    });
    const got = await answers(onnx, itemsOf(unseen.record, fitted.preprocessing, 20));
    got.forEach((logits, i) => {
      const probabilities = softmax(logits);
      for (let k = 0; k < 3; k++) expect(probabilities[k]).toBeCloseTo(unseen.scores[20 * i * 3 + k]!, 3);
    });
  });
});

describe('what is left out', () => {
  it('slow tachycardia is neither trained nor counted, asystole and noise are counted apart', () => {
    const slow = windowsOfLead(
      Float64Array.from({ length: 10 * RATE_HZ }, (_, i) => Math.sin((2 * Math.PI * 2 * i) / RATE_HZ)),
      RATE_HZ,
      () => FAST_VT,
    );
    expect([...slow.labels].every((label) => label === SLOW_VT)).toBe(true);
    const record = { ...patient('y', 5), labels: new Uint8Array([OTHER, ASYSTOLE]), ends: new Uint32Array([500, 625]) };
    const scores = Float32Array.of(0.9, 0.05, 0.05, 0.1, 0.1, 0.8);
    const figures = shockableWindowFigures([{ record, scores }], 0.5);
    expect([figures.specificity, figures.specificityLive, figures.asystolePositive]).toEqual([1, 0.5, 1]);
  });

  it('windows beside a change of rhythm are left out of the training', () => {
    const record = patient('z', 6);
    const drawn = (borderS: number) => {
      const labels = new Uint8Array(record.labels.length).fill(6);
      labels.set([OTHER, OTHER, 6, FAST_VT, FAST_VT, FAST_VT, 6, FIBRILLATION, FIBRILLATION, FIBRILLATION, 6], 1);
      return () => new ShockableSampler([{ ...record, labels }], noise, { ...RECIPE, borderS }, 1).pool(1, 0);
    };
    expect(drawn(0)).not.toThrow();
    // Both windows of another rhythm lie beside one.
    expect(drawn(1)).toThrow('a class has no window');
  });

  it('a fold is judged at the threshold that the other folds choose', () => {
    const record = {
      ...patient('y', 5),
      labels: new Uint8Array([OTHER, FIBRILLATION]),
      ends: new Uint32Array([500, 625]),
    };
    const of = (other: number, shockable: number): ScoredRecord => ({
      record,
      scores: Float32Array.from([other, shockable].flatMap((p) => [1 - p, p / 2, p / 2])),
    });
    const { thresholds, sensitivity, specificity } = crossFittedFigures([of(0.105, 0.3), of(0.405, 0.9)], [0, 1]);
    expect(thresholds.map((threshold) => threshold.toFixed(2))).toEqual(['0.41', '0.11']);
    // The first fold's fibrillation lies below the second's threshold, the second's beats above the first's.
    expect([sensitivity, specificity]).toEqual([0.5, 0.5]);
  });

  it('a record is tested in one fold and trained on in the others', () => {
    const records = ['430', '426', '422', '418', '419', '424', '615'].map((record) => ({ ...patientStub, record }));
    expect(foldsOf(records)).toEqual([0, 1, 2, 3, 4, 0, 1]);
  });
});

const patientStub = { database: 'vfdb' } as ShockableRecord;
