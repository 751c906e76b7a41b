import { describe, expect, it } from 'vitest';
import type { AnomalyVerdict } from '../../../src/domain/anomaly.js';
import { Bench } from '../bench.js';

const usual = { now: 70, low: 50, high: 90 };

/** A verdict every 15 s over a calm heart. */
function verdicts(bench: Bench, seconds: number, score: number, more: Partial<AnomalyVerdict> = {}): Bench {
  for (let i = 0; i < seconds; i += 15) {
    bench.run(15_000, 80);
    bench.engine.anomaly({
      tMs: bench.nowMs,
      windowStartMs: bench.nowMs - 45_000,
      score,
      learning: false,
      rateBpm: { ...usual, now: 120 },
      irregularityPercent: { now: 2, low: 1, high: 5 },
      prematurePercent: { now: 0, low: 0, high: 1 },
      ...more,
    });
  }
  return bench;
}

describe('anomaly', () => {
  it('comes of a departure that lasts, and says what departed with the usual beside it', () => {
    const bench = verdicts(verdicts(new Bench().start(), 60, 0.4), 45, 3);
    expect(bench.of('anomaly')).toEqual([]);
    verdicts(bench, 60, 3);
    const [raised] = bench.news('anomaly');
    expect(raised).toMatchObject({
      priority: 'low',
      values: { rateBpm: 120, rateBpmUsualLow: 50, rateBpmUsualHigh: 90, departed: 'rate', score: 3 },
      model: { name: 'model-of-anomaly' },
    });
    expect(raised!.onsetMs).toBeLessThan(raised!.raisedMs - 60_000);
    verdicts(bench, 300, 0.3);
    expect(bench.ends('anomaly')).toEqual([]);
    verdicts(bench, 360, 0.3);
    expect(bench.ends('anomaly')).toHaveLength(1);
  });

  it('says nothing while it learns, nor of a departure that comes and goes', () => {
    const bench = verdicts(new Bench().start(), 300, 5, { learning: true });
    for (let i = 0; i < 20; i++) verdicts(verdicts(bench, 45, 3), 15, 0.5);
    expect(bench.of('anomaly')).toEqual([]);
  });

  it('names the pattern where each figure by itself is usual', () => {
    const bench = verdicts(new Bench().start(), 120, 3, { rateBpm: usual });
    expect(bench.news('anomaly')[0]?.values.departed).toBe('pattern of the intervals');
  });

  it('is silent while a kind with a name stands', () => {
    const bench = new Bench().start();
    for (let i = 0; i < 20; i++) bench.run(5_000, 80).rhythm(0.99);
    expect(bench.news('atrial-fibrillation')).toHaveLength(1);
    for (let i = 0; i < 10; i++) verdicts(bench.rhythm(0.99), 15, 4);
    expect(bench.of('anomaly')).toEqual([]);
  });
});
