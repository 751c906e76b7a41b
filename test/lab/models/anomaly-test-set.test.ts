import { copyFileSync, mkdirSync, mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ANOMALY_FEATURES } from '../../../src/inference/windows/anomaly-rr.js';
import { findDatabase } from '../../../src/lab/data/find.js';
import { anomalyTestSet } from '../../../src/lab/models/anomaly-rr/test-set.js';

const [mitdb, ltafdb] = [findDatabase('mitdb'), findDatabase('ltafdb')];

it.skipIf(!mitdb || !ltafdb)(
  'the variants of anomaly-rr are held against each other on validation people: who knows the episodes scores highest',
  async () => {
    const dataFolder = mkdtempSync(join(tmpdir(), 'slothd-anomaly-'));
    symlinkSync(mitdb!, join(dataFolder, 'mitdb'));
    mkdirSync(join(dataFolder, 'ltafdb'));
    for (const file of ['00.hea', '00.atr', '01.hea', '01.atr'])
      copyFileSync(join(ltafdb!, file), join(dataFolder, 'ltafdb', file));
    const count = ANOMALY_FEATURES.length;
    const like = (value: number) => new Array<number>(count).fill(value);
    const preprocessing = { mean: like(0), between: like(1), within: like(1), usualScore: 1 };
    const testSet = await anomalyTestSet({ dataFolder, cacheFolder: null }, preprocessing);
    expect(testSet.items.length).toBeGreaterThan(500);
    // Two logits: usual, departure.
    const [usual, departure] = [Float32Array.of(3, -3), Float32Array.of(-3, 3)];
    const { truth, probabilities, records } = testSet.evaluation(testSet.items.map(() => usual));
    expect(truth).toHaveLength(testSet.items.length);
    expect(truth.filter((one) => one === 1).length).toBeGreaterThan(0);
    expect(records).toHaveLength(1);
    for (let i = 0; i < 100; i++) expect(probabilities[2 * i]! + probabilities[2 * i + 1]!).toBeCloseTo(1, 6);
    // A model that knows the episodes, and one that takes them for the opposite.
    expect(testSet.figures(Array.from(truth, (one) => (one ? departure : usual)))['window AUC']).toBe(1);
    expect(testSet.figures(Array.from(truth, (one) => (one ? usual : departure)))['window AUC']).toBe(0);
    expect([testSet.choice!(departure, 0), testSet.choice!(usual, 0)]).toEqual([1, 0]);
  },
);
