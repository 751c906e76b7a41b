import { describe, expect, it } from 'vitest';
import type { BeatShape } from '../../../src/domain/beat.js';
import { Bench, DETECTOR_DELAY_MS, NOISY, REPEATING, settingsWith } from '../bench.js';

describe('extreme-tachycardia', () => {
  it('is not raised just below 140 bpm, and is just above', () => {
    expect(new Bench().start().run(60_000, 139).of('extreme-tachycardia')).toEqual([]);
    expect(new Bench().start().run(60_000, 141).news('extreme-tachycardia')).toHaveLength(1);
  });

  it('needs 17 beats, that is 16 intervals', () => {
    const bench = new Bench().start().beats(16, 200).wait(200);
    expect(bench.of('extreme-tachycardia')).toEqual([]);
    bench.beat(100).wait(200);
    expect(bench.news('extreme-tachycardia')).toHaveLength(1);
  });

  it('comes within 5.7 s of a step from 80 to 200 bpm, with the onset at the step', () => {
    const bench = new Bench().start().run(60_000, 80);
    const stepMs = bench.lastBeatMs!;
    bench.run(10_000, 200);
    const raised = bench.health()[0]!;
    expect(raised.kind).toBe('extreme-tachycardia');
    expect(raised.priority).toBe('high');
    expect(raised.raisedMs - stepMs).toBeLessThanOrEqual(5_700);
    expect(Math.abs(raised.onsetMs - stepMs)).toBeLessThanOrEqual(300);
    expect(raised.evidence.rrMs?.slice(-5)).toEqual([300, 300, 300, 300, 300]);
    expect(raised.model).toBeNull();
  });

  it('stays while the rate is within the hysteresis and ends after the clear time below it', () => {
    const bench = new Bench().start().run(20_000, 160).run(60_000, 138);
    expect(bench.news('extreme-tachycardia')).toHaveLength(1);
    expect(bench.ends('extreme-tachycardia')).toEqual([]);
    const backMs = bench.nowMs;
    bench.run(60_000, 100);
    const [end] = bench.ends('extreme-tachycardia');
    expect(end?.values).toMatchObject({ endReason: 'cleared' });
    expect(end!.endedMs! - backMs).toBeGreaterThanOrEqual(5_000);
    expect(end!.endedMs! - backMs).toBeLessThanOrEqual(17_000);
  });

  it('ends at a resting rate too, whose intervals are longer than two fast ones', () => {
    const bench = new Bench().start().run(30_000, 165);
    const backMs = bench.nowMs;
    bench.run(60_000, 58);
    const [end] = bench.ends('extreme-tachycardia');
    expect(end?.values).toMatchObject({ endReason: 'cleared' });
    expect(end!.endedMs! - backMs).toBeLessThanOrEqual(25_000);
  });

  it('does not take T waves counted as beats for a fast heart', () => {
    const bench = new Bench().start().run(20_000, 75);
    // Every beat counted twice: the mean rate is 150, yet half of the intervals are those of a calm heart.
    for (let i = 0; i < 40; i++) bench.beat(300).beat(500);
    bench.run(30_000, 75);
    expect(bench.of('extreme-tachycardia')).toEqual([]);
  });

  it('takes no beats of low quality as evidence', () => {
    expect(new Bench().start().run(60_000, 200, { quality: 0.3 }).health()).toEqual([]);
  });
});

describe('a fast heart made of noise', () => {
  const kinds = (shape: BeatShape, settings = settingsWith()) =>
    new Bench(settings)
      .start()
      .run(20_000, 75)
      .run(40_000, 180, { shape })
      .health()
      .flatMap(({ event, kind }) => (event === 'new' ? [kind] : []));

  it('is none: its beats must repeat one another, or come near a sine wave', () => {
    expect(kinds(NOISY)).toEqual([]);
    expect(kinds(REPEATING)).toEqual(['extreme-tachycardia']);
    expect(kinds({ ...NOISY, leak: 0.4 })).toEqual(['extreme-tachycardia']);
  });

  it('neither ends the alert of a true one nor keeps it open once its own beats are slow', () => {
    const bench = new Bench().start().run(20_000, 75).run(20_000, 180, { shape: REPEATING });
    bench.run(20_000, 180, { shape: NOISY });
    expect(bench.ends('extreme-tachycardia')).toEqual([]);
    bench.run(40_000, 75, { shape: REPEATING });
    expect(bench.ends('extreme-tachycardia')).toHaveLength(1);
  });

  it('nor is it a tachycardia by the person’s own limit', () => {
    const own = settingsWith({ 'extreme-tachycardia': { enabled: false } });
    expect(kinds(NOISY, own)).toEqual([]);
    expect(kinds(REPEATING, own)).toEqual(['tachycardia']);
  });
});

describe('extreme-bradycardia', () => {
  it('is not raised just above 40 bpm, and is just below, over 5 beats', () => {
    expect(new Bench().start().run(60_000, 40.5).of('extreme-bradycardia')).toEqual([]);
    const bench = new Bench().start().run(20_000, 60);
    const onsetMs = bench.lastBeatMs!;
    bench.beats(3, 39).wait(300);
    expect(bench.of('extreme-bradycardia')).toEqual([]);
    bench.beats(1, 39).wait(DETECTOR_DELAY_MS + 100);
    // Mean of four intervals of 39 bpm: here, and not before.
    const [raised] = bench.news('extreme-bradycardia');
    expect(raised?.priority).toBe('high');
    expect(Math.abs(raised!.onsetMs - onsetMs)).toBeLessThanOrEqual(1);
  });

  it('is not raised by one pause among normal beats', () => {
    const bench = new Bench().start().run(20_000, 75).beat(3_900).run(20_000, 75);
    expect(bench.of('extreme-bradycardia')).toEqual([]);
    expect(bench.news('pause')).toHaveLength(1);
  });

  it('ends when the rate is back beyond the hysteresis', () => {
    const bench = new Bench().start().run(30_000, 35).run(20_000, 42);
    expect(bench.ends('extreme-bradycardia')).toEqual([]);
    bench.run(30_000, 60);
    expect(bench.ends('extreme-bradycardia')).toHaveLength(1);
  });
});

describe('tachycardia and bradycardia', () => {
  const own = settingsWith({ tachycardia: { aboveBpm: 120 }, bradycardia: { belowBpm: 50 } });

  it('tachycardia: at the threshold, sustained, with the onset at the change', () => {
    expect(new Bench(own).start().run(60_000, 119).of('tachycardia')).toEqual([]);
    const bench = new Bench(own).start().run(30_000, 80);
    const onsetMs = bench.lastBeatMs!;
    bench.run(9_000, 130);
    expect(bench.of('tachycardia')).toEqual([]);
    bench.run(3_000, 130);
    const [raised] = bench.news('tachycardia');
    expect(Math.abs(raised!.onsetMs - onsetMs)).toBeLessThanOrEqual(500);
    expect(raised!.raisedMs - raised!.onsetMs).toBeGreaterThanOrEqual(10_000);
    expect(raised!.raisedMs - onsetMs).toBeLessThanOrEqual(10_700);
    expect(raised!.values).toMatchObject({ aboveBpm: 120, source: 'beats' });
  });

  it('tachycardia: a burst shorter than the sustain time is none', () => {
    expect(new Bench(own).start().run(30_000, 80).run(8_000, 130).run(30_000, 80).of('tachycardia')).toEqual([]);
  });

  it('tachycardia: hysteresis holds it, a slower heart ends it', () => {
    const bench = new Bench(own).start().run(30_000, 130).run(60_000, 117);
    expect(bench.ends('tachycardia')).toEqual([]);
    bench.run(30_000, 100);
    expect(bench.ends('tachycardia')).toHaveLength(1);
    expect(bench.news('tachycardia')).toHaveLength(1);
  });

  it('bradycardia: at the threshold, sustained, ended by a faster heart', () => {
    expect(new Bench(own).start().run(60_000, 51).of('bradycardia')).toEqual([]);
    const bench = new Bench(own).start().run(30_000, 70);
    const onsetMs = bench.lastBeatMs!;
    bench.run(20_000, 46);
    const [raised] = bench.news('bradycardia');
    expect(Math.abs(raised!.onsetMs - onsetMs)).toBeLessThanOrEqual(1_400);
    bench.run(20_000, 53);
    expect(bench.ends('bradycardia')).toEqual([]);
    bench.run(30_000, 70);
    expect(bench.ends('bradycardia')).toHaveLength(1);
  });

  it('both serve a sensor that sends nothing but its own rate, and never call it asystole', () => {
    const bench = new Bench(own, false).start();
    const rate = (bpm: number, seconds: number) => {
      for (let i = 0; i < seconds; i++) {
        bench.wait(1_000);
        bench.engine.deviceHeartRate(bench.nowMs, bpm);
      }
    };
    rate(80, 30);
    rate(130, 9);
    expect(bench.health()).toEqual([]);
    rate(130, 4);
    expect(bench.news('tachycardia')[0]?.values).toMatchObject({ source: 'device', rateBpm: 130 });
    rate(80, 12);
    expect(bench.ends('tachycardia')).toHaveLength(1);
    rate(45, 15);
    expect(bench.news('bradycardia')).toHaveLength(1);
    rate(0, 200);
    expect(bench.ends('bradycardia')[0]?.values).toMatchObject({ endReason: 'no-evidence' });
    expect(bench.health().map((c) => c.kind)).not.toContain('asystole');
  });
});
