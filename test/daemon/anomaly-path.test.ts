import { describe, expect, it } from 'vitest';
import { AnomalyPath } from '../../src/daemon/anomaly-path.js';
import { keepBaselines, restoreBaseline } from '../../src/daemon/baselines.js';
import { createMemoryStore } from '../../src/daemon/memory-store.js';
import type { AnomalyVerdict } from '../../src/domain/anomaly.js';
import { ANOMALY_FEATURES } from '../../src/inference/windows/anomaly-rr.js';

const all = (value: number) => ANOMALY_FEATURES.map(() => value);

function bench() {
  const told: AnomalyVerdict[] = [];
  const path = new AnomalyPath({
    model: {
      model: 'anomaly',
      preprocessing: { mean: all(0), between: all(1), within: all(1), usualScore: 1 },
      inference: {
        infer: async () => Float32Array.of(5, -5),
        state: () => 'ready',
        info: () => null,
      },
    },
    onVerdict: (verdict) => told.push(verdict),
  });
  let tMs = 0;
  return {
    path,
    told,
    beats(count: number, goodSignal = true) {
      for (let i = 0; i < count; i++) {
        const rrMs = 800 + 10 * Math.sin(i);
        tMs += rrMs;
        path.beat({ tMs, sample: -1, rrMs, decidedAtMs: tMs, quality: 1, source: 'rr' }, goodSignal);
      }
    },
    rates(seconds: number, bpm: number) {
      for (let i = 0; i < seconds; i++) {
        tMs += 1000;
        path.rate(bpm, tMs);
      }
    },
  };
}

const quiet = { warn() {} };

describe('anomaly path', () => {
  it('judges beats in good signal alone, and learns for a quarter of an hour', async () => {
    const { path, told, beats } = bench();
    beats(400, false);
    await path.settled();
    expect(told).toEqual([]);
    beats(1300);
    await path.settled();
    expect(told.length).toBeGreaterThan(60);
    expect(told[0]!.learning).toBe(true);
    expect(told.at(-1)!.learning).toBe(false);
    expect(told.at(-1)!.rateBpm.now).toBeCloseTo(75, 0);
  });

  it('takes a bare rate for the beats that passed', async () => {
    const { path, told, rates } = bench();
    rates(200, 90);
    path.rate(0, 1e9);
    await path.settled();
    expect(told.at(-1)!.rateBpm.now).toBeCloseTo(90, 0);
  });

  it('keeps what it learnt over a restart, and begins anew where that is damaged', async () => {
    const store = createMemoryStore();
    const first = bench();
    first.beats(1500);
    await first.path.settled();
    await keepBaselines(store, [{ name: 'chest/1', anomalyPath: first.path }], quiet);
    const second = bench();
    await restoreBaseline(store, { name: 'chest/1', anomalyPath: second.path }, quiet);
    expect(second.path.snapshot()).toEqual(first.path.snapshot());
    await store.batch([{ key: 'baseline/chest%2F1', value: '{"mean":[1]}' }]);
    const third = bench();
    const warned: object[] = [];
    await restoreBaseline(
      store,
      { name: 'chest/1', anomalyPath: third.path },
      { warn: (about: object) => warned.push(about) },
    );
    expect(warned).toHaveLength(1);
    expect(third.path.snapshot().learntMs).toBe(0);
  });
});
