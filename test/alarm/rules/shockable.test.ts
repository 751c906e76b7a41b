import { describe, expect, it } from 'vitest';
import { Bench, settingsWith } from '../bench.js';

const VF = { other: 0.02, vt: 0.08, vf: 0.9 };
const VT = { other: 0.02, vt: 0.9, vf: 0.08 };
const NONE = { other: 0.97, vt: 0.02, vf: 0.01 };

/** A verdict a second, over whatever beats there are. */
function verdicts(bench: Bench, seconds: number, scores: typeof VF, { bpm = 0, ratePerMinute = 300 } = {}): Bench {
  for (let i = 0; i < seconds; i++) {
    if (bpm > 0) bench.run(1000, bpm);
    else bench.wait(1000);
    bench.engine.shockable({ tMs: bench.nowMs, windowStartMs: bench.nowMs - 4000, scores, ratePerMinute });
  }
  return bench;
}

const calm = (bench = new Bench().start()) => verdicts(bench, 20, NONE, { bpm: 75 });

describe('ventricular-fibrillation', () => {
  it('comes of two verdicts in a row, began in the first window, and hides every lesser kind', () => {
    const bench = verdicts(calm(), 1, VF);
    expect(bench.health()).toEqual([]);
    verdicts(bench, 11, VF);
    const [raised] = bench.news('ventricular-fibrillation');
    expect(raised).toMatchObject({
      priority: 'high',
      onsetMs: 19_000,
      raisedMs: 22_000,
      values: { score: 0.98, wavesPerMinute: 300 },
      model: { name: 'model-of-ventricular-fibrillation', score: 0.98 },
      evidence: { rrMs: expect.any(Array) },
    });
    // Twelve seconds without a beat, and yet no asystole.
    expect(bench.health()).toHaveLength(1);
    verdicts(bench, 20, NONE, { bpm: 75 });
    expect(bench.ends('ventricular-fibrillation')).toHaveLength(1);
    expect(bench.of('asystole')).toEqual([]);
  });

  it('is not raised by verdicts that do not hold', () => {
    const bench = calm();
    for (let i = 0; i < 20; i++) verdicts(verdicts(bench, 1, VF, { bpm: 75 }), 1, NONE, { bpm: 75 });
    verdicts(bench, 30, { other: 0.3, vt: 0.1, vf: 0.6 }, { bpm: 75 });
    expect(bench.health()).toEqual([]);
  });

  it('convinces in doubtful signal by more and longer, and says nothing of a sensor that is off', () => {
    const poor = calm().quality('poor');
    verdicts(poor, 6, { ...VF, other: 0.05, vf: 0.87 });
    verdicts(poor, 1, NONE);
    verdicts(poor, 3, VF);
    expect(poor.health()).toEqual([]);
    verdicts(poor, 1, VF);
    expect(poor.news('ventricular-fibrillation')).toHaveLength(1);
    const off = calm().quality('contact-off');
    verdicts(off, 10, VF);
    expect(off.health()).toEqual([]);
  });

  it('ignores a signal that shows no heart at all', () => {
    const bench = calm();
    bench.engine.quality({ tMs: bench.nowMs, state: 'poor', reasons: ['clipped'] });
    verdicts(bench, 20, VF);
    expect(bench.health()).toEqual([]);
  });

  it('ends when the model falls silent, and can be switched off', () => {
    const bench = verdicts(calm(), 6, VF);
    bench.run(120_000, 75);
    expect(bench.ends('ventricular-fibrillation')[0]?.values.endReason).toBe('no-evidence');
    const off = calm(new Bench(settingsWith({ 'ventricular-fibrillation': { enabled: false } })).start());
    verdicts(off, 10, VF);
    expect(off.of('ventricular-fibrillation')).toEqual([]);
  });
});

describe('ventricular-tachycardia by its wave', () => {
  // A window turns when half of it is new.
  const fast = (bench: Bench) => verdicts(bench.run(2_000, 200), 10, VT, { bpm: 200, ratePerMinute: 205 });

  it('is not called fibrillation when it ends and the model still looks back on it', () => {
    const bench = verdicts(fast(calm()), 3, VT, { bpm: 60, ratePerMinute: 205 });
    verdicts(bench, 20, NONE, { bpm: 75 });
    expect(bench.news('ventricular-tachycardia')).toHaveLength(1);
    expect(bench.of('ventricular-fibrillation')).toEqual([]);
  });

  it('that becomes fibrillation is told as such within the 4 s that the model looks back', () => {
    const bench = fast(calm());
    const changedMs = bench.nowMs;
    verdicts(bench, 10, VF);
    const [raised] = bench.news('ventricular-fibrillation');
    expect(raised?.raisedMs).toBeLessThanOrEqual(changedMs + 6_000);
  });

  it('is raised where the beats are even and as fast as the wave, and says so', () => {
    const bench = fast(calm());
    const [raised] = bench.news('ventricular-tachycardia');
    expect(raised?.values).toEqual({ rateBpm: 205, by: 'wave' });
    expect(raised?.model?.score).toBe(0.98);
    expect(bench.of('ventricular-fibrillation')).toEqual([]);
  });

  it('is fibrillation where there are no such beats, whatever the model calls it', () => {
    const bench = verdicts(calm(), 10, VT);
    expect(bench.news('ventricular-fibrillation')).toHaveLength(1);
    expect(bench.of('ventricular-tachycardia')).toEqual([]);
  });

  it('that degenerates makes way for fibrillation', () => {
    const bench = verdicts(fast(calm()), 12, VF);
    expect(bench.ends('ventricular-tachycardia')[0]?.values).toMatchObject({
      endReason: 'subsumed',
      by: 'ventricular-fibrillation',
    });
    expect(bench.news('ventricular-fibrillation').length).toBeGreaterThan(0);
  });
});
