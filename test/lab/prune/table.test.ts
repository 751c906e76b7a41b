import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { prune } from '../../../src/lab/library.js';
import { pruningTable, renderPruningTable } from '../../../src/lab/prune/table.js';
import { beatModel, predict, randomInputs } from '../onnx/support.js';

beforeAll(async () => {
  await tf.setBackend('cpu');
});

describe('a pruning table', () => {
  it('prunes copies to each share, and tells zeros, sizes, figures and times of each', async () => {
    const model = beatModel(3);
    const one = randomInputs(model, 1, 5);
    const before = predict(model, one, 1);
    const items = [1, 2, 3].map((seed) => randomInputs(model, 1, seed));
    const told: string[] = [];
    const tuned: number[] = [];
    const rows = await pruningTable(tf, model, {
      ...{ magnitude: [0.5, 0.9], channels: [0.5], items },
      evaluate: (answers) => ({ answers: answers.length, first: answers[0]![0]! }),
      prune: (copy, sparsity) => prune(copy, { sparsity }),
      tune: async (copy, share) => tuned.push(share + copy.countParams()),
      onRow: (done, of, kind, share) => told.push(`${done}/${of} ${kind} ${share}`),
    });
    expect(told).toEqual(['0/4 none 0', '1/4 magnitude 0.5', '2/4 magnitude 0.9', '3/4 channels 0.5']);
    const [whole, half, tenth, narrow] = rows;
    expect([half!.sparsity, tenth!.sparsity].map((share) => Math.round(share * 100))).toEqual([50, 90]);
    expect(half!.macs).toBe(whole!.macs);
    expect(narrow!.macs).toBeLessThan(whole!.macs / 2);
    expect(tenth!.bytes).toBe(whole!.bytes);
    expect(tenth!.gzipBytes).toBeLessThan(half!.gzipBytes);
    expect(half!.gzipBytes).toBeLessThan(whole!.gzipBytes);
    expect(narrow!.bytes).toBeLessThan(whole!.bytes / 2);
    expect(rows.every(({ figures, p50Us, p99Us }) => figures.answers === 3 && p50Us > 0 && p99Us >= p50Us)).toBe(true);
    expect(new Set(rows.map(({ figures }) => figures.first)).size).toBe(4);
    expect(whole!.byFloat).toBe(1);
    expect(tuned).toHaveLength(1);
    // The model as it came is left alone.
    expect(predict(model, one, 1)).toEqual(before);

    const lines = renderPruningTable(rows).split('\n');
    expect(lines).toHaveLength(5);
    expect(new Set(lines.map((line) => line.length)).size).toBe(1);
    expect(lines[3]).toMatch(/^magnitude 90 % +90\.\d % /);
  });

  it('needs items to evaluate on', async () => {
    const options = { items: [], evaluate: () => ({}), prune: async () => {}, tune: async () => {} };
    await expect(pruningTable(tf, beatModel(1), options)).rejects.toThrow(/needs items/);
  });
});
