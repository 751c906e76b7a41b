import { copyFileSync, mkdirSync, mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ANOMALY_FEATURES } from '../../../src/inference/windows/anomaly-rr.js';
import { findDatabase } from '../../../src/lab/data/find.js';
import { anomalyTestSet } from '../../../src/lab/models/anomaly-rr/test-set.js';

const [mitdb, ltafdb] = [findDatabase('mitdb'), findDatabase('ltafdb')];

it.skipIf(!mitdb || !ltafdb)(
  'a bundle of anomaly-rr is judged on mitdb: what a model rebuilds better scores higher',
  async () => {
    const dataFolder = mkdtempSync(join(tmpdir(), 'slothd-anomaly-'));
    symlinkSync(mitdb!, join(dataFolder, 'mitdb'));
    mkdirSync(join(dataFolder, 'ltafdb'));
    for (const file of ['00.hea', '00.atr']) copyFileSync(join(ltafdb!, file), join(dataFolder, 'ltafdb', file));
    const count = ANOMALY_FEATURES.length;
    const like = (value: number) => new Array<number>(count).fill(value);
    const preprocessing = { mean: like(0), between: like(1), within: like(1), usualScore: 1 };
    const testSet = await anomalyTestSet({ dataFolder, cacheFolder: null }, preprocessing);
    expect(testSet.items.length).toBeGreaterThan(5000);

    const { truth, probabilities, records } = testSet.evaluation(testSet.items.map(() => new Float32Array(count)));
    expect(truth).toHaveLength(testSet.items.length);
    expect(probabilities).toHaveLength(2 * truth.length);
    expect(records).toHaveLength(48);
    for (let i = 0; i < 100; i++) expect(probabilities[2 * i]! + probabilities[2 * i + 1]!).toBeCloseTo(1, 6);
    // Answers that rebuild what is usual and miss departures, and the other way round.
    const knowing = testSet.items.map(([departures], i) =>
      Float32Array.from(departures!, (value) => value + (truth[i] === 1 ? 9 : 0)),
    );
    const wrong = testSet.items.map(([departures], i) =>
      Float32Array.from(departures!, (value) => value + (truth[i] === 1 ? 0 : 9)),
    );
    expect(testSet.figures(knowing)['mitdb AUC']).toBe(1);
    expect(testSet.figures(wrong)['mitdb AUC']).toBe(0);
    const departing = truth.indexOf(1);
    expect(testSet.choice!(knowing[departing]!, departing)).toBe(1);
    expect(testSet.choice!(wrong[departing]!, departing)).toBe(0);
  },
);
