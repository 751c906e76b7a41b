import { describe, expect, it } from 'vitest';
import { ShockablePath } from '../../src/daemon/shockable-path.js';
import type { ShockableVerdict } from '../../src/domain/shockable.js';
import { shockableScores } from '../../src/inference/shockable-score.js';
import { SHOCKABLE_FEATURES } from '../../src/inference/windows/shockable-ecg.js';

const preprocessing = {
  featureMean: SHOCKABLE_FEATURES.map(() => 0),
  featureDeviation: SHOCKABLE_FEATURES.map(() => 1),
};

function bench(answers: (number: number) => Promise<Float32Array | null>) {
  const asked: (readonly Float32Array[])[] = [];
  const told: ShockableVerdict[] = [];
  let touching = true;
  const path = new ShockablePath({
    rateHz: 250,
    model: {
      model: 'shockable',
      preprocessing,
      logitOffsets: [],
      inference: {
        infer: (_slot, inputs) => {
          asked.push(inputs);
          return answers(asked.length);
        },
        state: () => 'ready',
        info: () => null,
      },
    },
    timeOf: (sample) => sample * 4,
    touching: () => touching,
    causeMs: () => null,
    onVerdict: (verdict) => told.push(verdict),
  });
  return {
    path,
    asked,
    told,
    touch: (on: boolean) => {
      touching = on;
    },
    seconds(count: number) {
      for (let i = 0; i < count * 250; i++) path.push(Math.sin((2 * Math.PI * 5 * i) / 250));
    },
  };
}

describe('shockable path', () => {
  it('asks once a second with inputs of its own, and tells the verdict with its window', async () => {
    const { path, asked, told, seconds } = bench(async () => Float32Array.of(-3, 0, 3));
    seconds(8);
    await path.settled();
    expect(asked).toHaveLength(4);
    expect(new Set(asked.map(([signal]) => signal)).size).toBe(4);
    expect(told.map(({ tMs }) => Math.round(tMs / 1000))).toEqual([4, 5, 6, 7]);
    expect(told[0]!.tMs - told[0]!.windowStartMs).toBe(4000);
    expect(told[0]!.ratePerMinute).toBeGreaterThan(280);
    expect(told[0]!.scores.vf).toBeGreaterThan(0.9);
  });

  it('tells in order whatever the host does, and nothing where it gives no answer', async () => {
    const waiting: ((logits: Float32Array | null) => void)[] = [];
    const { path, told, seconds } = bench(() => new Promise((resolve) => waiting.push(resolve)));
    seconds(6.5);
    waiting[2]!(Float32Array.of(0, 0, 9));
    waiting[1]!(null);
    waiting[0]!(Float32Array.of(9, 0, 0));
    await path.settled();
    expect(told.map(({ scores }) => Math.round(scores.vf))).toEqual([0, 1]);
  });

  it('counts lost samples in its times, and asks nothing without contact', async () => {
    const { path, asked, told, touch, seconds } = bench(async () => Float32Array.of(0, 0, 0));
    path.skip(2500);
    seconds(4.2);
    await path.settled();
    expect(Math.round(told[0]!.tMs / 1000)).toBe(14);
    touch(false);
    seconds(3);
    expect(asked).toHaveLength(1);
  });
});

describe('shockable scores', () => {
  it('are probabilities, offsets added', () => {
    const scores = shockableScores(Float32Array.of(1, 2, 3));
    expect(scores.other + scores.vt + scores.vf).toBeCloseTo(1);
    expect(scores.vf / scores.vt).toBeCloseTo(Math.E);
    expect(shockableScores(Float32Array.of(1, 2, 3), [0, 0, -1]).vf).toBeCloseTo(
      shockableScores(Float32Array.of(1, 2, 2)).vf,
    );
  });
});
