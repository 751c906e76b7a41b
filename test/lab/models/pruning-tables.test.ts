import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  ANOMALY_RECIPE,
  anomalyPruningTable,
  loadTraining,
  pruneAnomaly,
  trainAnomaly,
} from '../../../src/lab/models/anomaly-rr/index.js';
import {
  SHOCKABLE_RECIPE,
  shockablePruningTable,
  trainShockable,
} from '../../../src/lab/models/shockable-ecg/index.js';
import { Random } from '../../../src/lab/train/random.js';
import { type Annotation, writeAnnotations, writeRecord } from '../../../src/lab/wfdb/index.js';

/** `slothd lab prune --table` of the models whose recordings are not those of beat-ecg, on made-up ones. */

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slothd-tables-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const mark = (sample: number, symbol: string, aux = ''): Annotation => ({
  ...{ sample, symbol, aux },
  ...{ subtype: 0, chan: 0, num: 0 },
});
const shares = { magnitude: [0.6], channels: [0.5] };

it('of anomaly-rr: usual and made-up windows of people left out', async () => {
  await mkdir(join(folder, 'nsr2db'));
  for (let person = 0; person < 8; person++) {
    const random = new Random(person);
    const beats: Annotation[] = [];
    for (let sample = 100, k = 0; k < 2500; k++) {
      sample += Math.round(100 + 4 * Math.sin(k / 3) + 2 * random.normal());
      beats.push(mark(sample, 'N'));
    }
    const path = join(folder, 'nsr2db', `nsr00${person}`);
    await writeFile(`${path}.hea`, `nsr00${person} 0 128 0\n`);
    await writeAnnotations(`${path}.ecg`, beats);
  }
  const data = { dataFolder: folder, cacheFolder: null, backend: 'wasm' as const };
  const modelFolder = join(folder, 'anomaly');
  const recipe = { ...ANOMALY_RECIPE, epochs: 2, stepsPerEpoch: 40, batchSize: 64 };
  await trainAnomaly({ ...data, outFolder: modelFolder, crossValidates: false, recipe });
  const stages = new Set<string>();
  const rows = await anomalyPruningTable({
    ...{ ...data, ...shares, modelFolder },
    onProgress: ({ stage, done, of }) => {
      stages.add(stage.startsWith('reading') ? 'reading' : stage);
      expect(done).toBeLessThanOrEqual(of);
    },
  });
  expect([...stages]).toEqual([
    'reading',
    'training on all but a fold of the people',
    'magnitude 60 %',
    'channels 50 %',
  ]);
  const [whole, sparse, narrow] = rows;
  expect(rows.map(({ kind }) => kind)).toEqual(['none', 'magnitude', 'channels']);
  expect(whole!.figures.AUC).toBeGreaterThan(0.9);
  expect(whole!.figures.accuracy).toBeGreaterThan(0.5);
  expect(sparse!.sparsity).toBeCloseTo(0.6, 1);
  expect(narrow!.macs).toBe(whole!.macs / 2);

  // `lab prune --channels 0.5 --sparsity 0.6`: units first, then weights of those that are left.
  const outFolder = join(folder, 'anomaly-pruned');
  const pruned = await pruneAnomaly({ ...data, modelFolder, outFolder, channels: 0.5, sparsity: 0.6 });
  expect(pruned.recipe).toMatchObject({ channels: { left: [{ name: 'inner', before: 16, after: 8 }] } });
  expect(pruned.sparsity).toBeCloseTo(0.6, 1);
  const { fitted } = await loadTraining(outFolder);
  expect(fitted.model.getLayer('inner').getWeights()[0]!.shape[1]).toBe(8);
}, 120_000);

it('of shockable-ecg: windows of the first fold of vfdb and svdb', async () => {
  const rateHz = 125;
  const recording = async (database: string, record: string, seed: number) => {
    const random = new Random(seed);
    const vtHz = 3 + random.uniform();
    const samples = Float32Array.from({ length: 90 * rateHz }, (_, i) => {
      const t = i / rateHz;
      const noise = 0.02 * random.normal();
      if (database === 'vfdb' && t >= 30 && t < 60) return noise + Math.max(0, Math.sin(2 * Math.PI * t * vtHz));
      if (database === 'vfdb' && t >= 60) return noise + 0.5 * Math.sin(2 * Math.PI * 5 * t + 2 * Math.sin(t * 1.7));
      return noise + Math.exp(-((((t * 1.1) % 1) - 0.3) ** 2) / 0.0006);
    });
    await mkdir(join(folder, database), { recursive: true });
    const lead = { name: 'ECG', unit: 'mV', gainPerUnit: 200, baseline: 0, samples };
    await writeRecord(join(folder, database, record), { rateHz, comments: [], signals: [lead] });
    await writeAnnotations(join(folder, database, `${record}.atr`), [
      mark(1, '+', '(N'),
      mark(30 * rateHz, '+', '(VT'),
      mark(60 * rateHz, '+', '(VF'),
    ]);
  };
  // Two of the first fold, three of others.
  for (const [i, record] of ['430', '424', '426', '422', '418'].entries()) await recording('vfdb', record, i);
  for (const record of ['800', '801', '802', '803', '804', '805']) await recording('svdb', record, Number(record));
  for (const record of ['bw', 'ma']) await recording('nstdb', record, 7);
  const data = { dataFolder: folder, cacheFolder: null, backend: 'wasm' as const };
  const modelFolder = join(folder, 'shockable');
  const recipe = {
    ...SHOCKABLE_RECIPE,
    signal: { ...SHOCKABLE_RECIPE.signal, epochs: 1, stepsPerEpoch: 6, batchSize: 24 },
    features: { ...SHOCKABLE_RECIPE.features, epochs: 1, stepsPerEpoch: 30, batchSize: 32, pool: 300 },
    members: { signal: 1, features: 1 },
  };
  await trainShockable({ ...data, outFolder: modelFolder, crossValidates: false, recipe });
  const [whole, sparse, narrow] = await shockablePruningTable({ ...data, ...shares, modelFolder });
  expect(Object.keys(whole!.figures)).toEqual(['AUC', 'Se', 'Sp', 'Sp svdb']);
  expect(whole!.figures.AUC).toBeGreaterThan(0.8);
  expect(sparse!.sparsity).toBeCloseTo(0.6, 1);
  expect(sparse!.macs).toBe(whole!.macs);
  expect(narrow!.macs).toBeLessThan(whole!.macs / 2);
}, 120_000);
