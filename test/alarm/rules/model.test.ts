import { describe, expect, it } from 'vitest';
import type { Beat, BeatShape } from '../../../src/domain/beat.js';
import { Random } from '../../../src/simulator/heart/random.js';
import { Bench, NOISY, REPEATING, scoresOf, settingsWith } from '../bench.js';

const V = { beatClass: 'V' } as const;

describe('ventricular-tachycardia', () => {
  it('needs 5 consecutive ventricular beats', () => {
    expect(new Bench().start().run(20_000, 75).beats(4, 150, V).run(20_000, 75).health()).toEqual([]);
    const bench = new Bench().start().run(20_000, 75).beats(1, 150, V);
    const firstMs = bench.lastBeatMs!;
    bench.beats(4, 150, V).run(20_000, 75);
    const [raised] = bench.news('ventricular-tachycardia');
    expect(raised?.onsetMs).toBe(firstMs);
    expect(raised?.priority).toBe('high');
    expect(raised?.values).toEqual({ beats: 5, rateBpm: 150 });
    expect(raised?.model).toMatchObject({ name: 'model-of-ventricular-tachycardia', score: 0.96 });
    expect(bench.ends('ventricular-tachycardia')).toHaveLength(1);
  });

  it('never comes of single ventricular beats, bigeminy or couplets', () => {
    const bench = new Bench(settingsWith({ 'frequent-ectopy': { enabled: false } })).start();
    for (let i = 0; i < 100; i++) bench.beat(800).beat(480, V);
    for (let i = 0; i < 100; i++) bench.beat(800).beat(400, V).beat(400, V);
    expect(bench.health()).toEqual([]);
  });

  it('is not raised at 100 bpm, and is at 101', () => {
    const at = (bpm: number) => new Bench().start().run(20_000, 75).beats(8, bpm, V).run(5_000, 75);
    expect(at(100).of('ventricular-tachycardia')).toEqual([]);
    expect(at(101).news('ventricular-tachycardia')).toHaveLength(1);
  });

  it('needs every beat from good signal and classified', () => {
    const doubtful = new Bench()
      .start()
      .run(20_000, 75)
      .beats(4, 150, V)
      .beat(400, { ...V, quality: 0.2 });
    doubtful.beats(4, 150, V).run(20_000, 75);
    expect(doubtful.health()).toEqual([]);
    const unknown = new Bench().start().run(20_000, 75).beats(4, 150, V).beat(400, { beatClass: null });
    unknown.beats(4, 150, V).run(20_000, 75);
    expect(unknown.of('ventricular-tachycardia')).toEqual([]);
  });

  it('does not take noise for a run when detector and model do: the waveform must repeat itself or come near a sine', () => {
    const raised = (shape: (beat: number) => BeatShape) => {
      const bench = new Bench().start().run(20_000, 75);
      for (let i = 0; i < 8; i++) {
        bench.wait(400);
        const tMs = bench.nowMs;
        bench.engine.beat({ tMs, sample: -1, rrMs: 400, decidedAtMs: tMs, quality: 1, source: 'ecg', shape: shape(i) });
        bench.engine.scores({ tMs } as Beat, scoresOf('V'));
      }
      return bench.news('ventricular-tachycardia').length;
    };
    // Electrode motion (nstdb): now and then two waves are alike, most are not, and it is far from a sine.
    expect(raised((i) => ({ alike: [0.5, i % 2 ? 0.95 : 0.3, 0.7, 0.6], leak: 0.74 }))).toBe(0);
    // One origin: each beat repeats the others, one odd pair (a fusion beat) among them or not.
    expect(raised(() => ({ alike: [0.98, 0.97, 0.96, 0.95], leak: 0.74 }))).toBe(1);
    expect(raised((i) => ({ alike: i === 4 ? [0.2, 0.2, 0.2, 0.2] : [0.98, 0.97, 0.96, 0.95], leak: 0.74 }))).toBe(1);
    // The shape turns, the wave goes on: torsades.
    expect(raised(() => ({ alike: [0.4, -0.2, 0.1, 0.3], leak: 0.35 }))).toBe(1);
    // Just after a gap nothing is known to be alike.
    expect(raised(() => ({ alike: [], leak: 0.74 }))).toBe(0);
  });

  it('may alternate between shorter and longer intervals, as long as noise does not', () => {
    const raised = (shortMs: number, longMs: number) => {
      const bench = new Bench().start().run(20_000, 75);
      for (let i = 0; i < 10; i++) bench.beat(i % 2 ? shortMs : longMs, V);
      return bench.run(5_000, 75).news('ventricular-tachycardia').length;
    };
    // 109/min on the whole, as in mitdb 223.
    expect(raised(470, 632)).toBe(1);
    // 114/min, as a wave beside each beat makes it in nstdb at -6 dB.
    expect(raised(370, 680)).toBe(0);
    // Alternating and too slow: 98/min.
    expect(raised(550, 670)).toBe(0);
  });

  it('is found whatever the order of the answers', () => {
    const bench = new Bench().start().run(20_000, 75);
    const beats: Beat[] = [];
    for (let i = 0; i < 7; i++) {
      bench.wait(400);
      const tMs = bench.nowMs;
      const beat: Beat = { tMs, sample: -1, rrMs: 400, decidedAtMs: tMs, quality: 1, source: 'ecg' };
      beats.push(beat);
      bench.engine.beat(beat);
    }
    for (const i of [6, 5, 1, 3, 0, 2, 4]) bench.engine.scores(beats[i]!, scoresOf(i < 5 ? 'V' : 'N'));
    expect(bench.news('ventricular-tachycardia')).toHaveLength(1);
    expect(bench.news('ventricular-tachycardia')[0]?.onsetMs).toBe(beats[0]!.tMs);
  });

  it('does not take noise for a run: one short interval among long ones, intervals of no heart, a model of two minds', () => {
    const noise = (rrMs: readonly number[], score = 0.96) => {
      const bench = new Bench().start().run(20_000, 75);
      let tMs = bench.nowMs;
      for (const rr of [800, ...rrMs]) {
        tMs += rr;
        bench.wait(rr);
        bench.engine.beat({ tMs, sample: -1, rrMs: rr, decidedAtMs: tMs, quality: 1, source: 'ecg' });
        bench.engine.scores({ tMs } as Beat, { class: 'V', scores: { N: 1 - score, S: 0, V: score } });
      }
      return bench.news('ventricular-tachycardia').length;
    };
    // Mean rates of 101, 128 and 150 per minute, as met in recordings that cardiologists called noise.
    expect(noise([783, 483, 717, 390])).toBe(0);
    expect(noise([1053, 210, 167, 450])).toBe(0);
    expect(noise([400, 400, 400, 400], 0.7)).toBe(0);
    expect(noise([400, 400, 400, 400], 0.85)).toBe(1);
    // A missed beat within a long run does not hide it, nor does a polymorphic one.
    expect(noise([350, 340, 700, 350, 345, 350, 340])).toBe(1);
    expect(noise([300, 420, 350, 480, 320])).toBe(1);
  });

  it('takes runs that follow each other within the clear time as one alert', () => {
    const bench = new Bench().start().run(20_000, 75);
    for (let i = 0; i < 3; i++) bench.beats(6, 150, V).run(6_000, 75);
    bench.run(20_000, 75);
    expect(bench.news('ventricular-tachycardia')).toHaveLength(1);
    expect(bench.ends('ventricular-tachycardia')).toHaveLength(1);
  });
});

/** Rhythm scores every 5 s for a time, over a calm heart. */
function scored(bench: Bench, ms: number, score: number): Bench {
  for (let i = 0; i < ms; i += 5_000) bench.run(5_000, 80).rhythm(score);
  return bench;
}

describe('atrial-fibrillation', () => {
  it('is not told of a stretch whose beats are mostly ventricular: their irregularity is their own', () => {
    const of = (every: number) => {
      const bench = new Bench(settingsWith({ 'frequent-ectopy': { enabled: false } })).start();
      for (let i = 0; i < 60; i++) {
        for (let k = 0; k < 6; k++) bench.beat(800, { beatClass: k % every === 0 ? 'N' : 'V' });
        bench.rhythm(0.99);
      }
      return bench.news('atrial-fibrillation').length;
    };
    expect(of(3)).toBe(0);
    expect(of(1)).toBe(1);
  });

  it('needs scores above `on` on the average over the sustain time', () => {
    const below = scored(new Bench().start(), 300_000, 0.96);
    expect(below.health()).toEqual([]);
    const broken = scored(new Bench().start(), 60_000, 0.1);
    for (let i = 0; i < 5; i++) {
      scored(broken, 20_000, 0.97);
      scored(broken, 5_000, 0.5);
    }
    expect(broken.health()).toEqual([]);
  });

  it('is raised after 30 s, with the onset in the middle of the window that first rose', () => {
    const bench = scored(new Bench().start(), 120_000, 0.1);
    scored(bench, 5_000, 0.97);
    const firstHighMs = bench.nowMs;
    scored(bench, 60_000, 0.97);
    const [raised] = bench.news('atrial-fibrillation');
    expect(raised?.raisedMs).toBe(firstHighMs + 30_000);
    expect(raised?.onsetMs).toBe(firstHighMs - 22_500);
    expect(raised?.priority).toBe('medium');
    expect(raised?.model?.score).toBe(0.97);
    expect(raised?.evidence.rrMs).toHaveLength(20);
  });

  it('there from the first look on, it began no later than the first window', () => {
    const bench = scored(new Bench().start(), 60_000, 0.97);
    expect(bench.news('atrial-fibrillation')[0]?.onsetMs).toBe(5_000 - 45_000);
  });

  it('holds between the thresholds and ends 120 s below `off`', () => {
    const bench = scored(new Bench().start(), 60_000, 0.97);
    scored(bench, 300_000, 0.6);
    expect(bench.ends('atrial-fibrillation')).toEqual([]);
    scored(bench, 30_000, 0.2);
    scored(bench, 5_000, 0.6);
    scored(bench, 115_000, 0.2);
    expect(bench.ends('atrial-fibrillation')).toEqual([]);
    scored(bench, 15_000, 0.2);
    expect(bench.ends('atrial-fibrillation')[0]?.values).toMatchObject({ endReason: 'cleared' });
  });

  it('ends when the scores stay away: what is not known is not current', () => {
    const bench = scored(new Bench().start(), 60_000, 0.97).run(185_000, 80);
    expect(bench.ends('atrial-fibrillation')[0]?.values).toMatchObject({ endReason: 'no-evidence' });
  });

  it('takes a word on fewer than 60 intervals for a hint', () => {
    const bench = new Bench().start();
    for (let i = 0; i < 60; i++) bench.run(5_000, 80).rhythm(0.99, { windowBeats: 30 });
    expect(bench.health()).toEqual([]);
  });

  it('names the model only where the model spoke', () => {
    const bench = new Bench().start();
    for (let i = 0; i < 12; i++) bench.run(5_000, 80).rhythm(0.97, { source: 'rule' });
    const [raised] = bench.news('atrial-fibrillation');
    expect(raised?.model).toBeNull();
    expect(raised?.values).toEqual({ score: 0.97, windowBeats: 60, source: 'rule' });
  });

  it('waits while the intervals follow an order, and comes when they no longer do', () => {
    const bench = new Bench().start();
    const random = new Random(11);
    let played = 0;
    const play = (beats: number, rrMs: (i: number) => number) => {
      for (let i = 0; i < beats; i++) {
        bench.beat(Math.round(rrMs(i)));
        if (++played > 60 && played % 5 === 0) bench.rhythm(0.97);
      }
    };
    const breathing = (i: number) => 900 * (1 + 0.2 * Math.sin(i * 1.5)) * Math.exp(0.03 * random.normal());
    play(600, breathing);
    expect(bench.health()).toEqual([]);
    play(150, () => 700 * Math.exp(0.25 * random.normal()));
    const [raised] = bench.news('atrial-fibrillation');
    expect(raised?.values.order).toBeLessThan(36);
    // What stands is not ended by an order that comes later: only the scores end it.
    play(300, breathing);
    expect(bench.ends('atrial-fibrillation')).toEqual([]);
  });

  it('may be told not to look for an order', () => {
    const bench = new Bench(settingsWith({ 'atrial-fibrillation': { maxOrder: 1e6 } })).start();
    for (let i = 0; i < 150; i++) {
      bench.beat(Math.round(900 * (1 + 0.2 * Math.sin(i * 1.5))));
      if (i % 5 === 4) bench.rhythm(0.97);
    }
    expect(bench.news('atrial-fibrillation')).toHaveLength(1);
  });

  it('sums the evidence: a dip among high scores does not begin anew, scores near the limit take their time', () => {
    const dips = new Bench().start();
    for (let i = 0; i < 4; i++) scored(scored(dips, 20_000, 0.995), 5_000, 0.8);
    expect(dips.news('atrial-fibrillation')).toHaveLength(1);
    const near = new Bench().start();
    for (let i = 0; i < 40; i++) scored(scored(near, 20_000, 0.965), 5_000, 0.8);
    expect(near.health()).toEqual([]);
  });

  it('does not listen to scores made of doubtful beats', () => {
    const bench = new Bench().start();
    for (let i = 0; i < 60; i++) bench.run(3_000, 80).run(2_000, 150, { quality: 0.2 }).rhythm(0.99);
    expect(bench.health()).toEqual([]);
  });
});

describe('frequent-ectopy', () => {
  const every = (n: number, beatClass: 'V' | 'S', settings = settingsWith()) => {
    const bench = new Bench(settings).start();
    for (let i = 0; i < 600; i++) bench.beat(800, { beatClass: i % n === 0 ? beatClass : 'N' });
    return bench;
  };

  it('is raised from 15 % of the beats on, not below', () => {
    expect(every(8, 'V').health()).toEqual([]);
    const bench = every(6, 'V');
    const [raised] = bench.news('frequent-ectopy');
    expect(raised?.priority).toBe('low');
    expect(raised?.values.share).toBeGreaterThanOrEqual(0.15);
    expect(raised?.onsetMs).toBe(800);
    expect(bench.health()).toHaveLength(bench.of('frequent-ectopy').length);
  });

  it('needs enough classified beats', () => {
    const bench = new Bench().start();
    for (let i = 0; i < 99; i++) bench.beat(800, { beatClass: i % 2 ? 'V' : 'N' });
    expect(bench.wait(200).health()).toEqual([]);
    for (let i = 0; i < 2; i++) bench.beat(800, { beatClass: i % 2 ? 'V' : 'N' });
    expect(bench.wait(200).news('frequent-ectopy')).toHaveLength(1);
  });

  it('counts no beats among those that noise makes', () => {
    const of = (ectopic: BeatShape, others: BeatShape) => {
      const bench = new Bench().start();
      for (let i = 0; i < 600; i++) {
        bench.beat(800, i % 5 === 0 ? { beatClass: 'V', shape: ectopic } : { shape: others });
      }
      return bench.news('frequent-ectopy').length;
    };
    expect(of(NOISY, NOISY)).toBe(0);
    // An early beat of another origin repeats none of its neighbours; they repeat one another.
    expect(of(NOISY, REPEATING)).toBe(1);
  });

  it('a stretch of noise in a true one ends nothing', () => {
    const bench = new Bench().start();
    const play = (beats: number, shape: BeatShape) => {
      for (let i = 0; i < beats; i++) bench.beat(800, { beatClass: i % 5 === 0 ? 'V' : 'N', shape });
    };
    play(600, REPEATING);
    play(60, NOISY);
    play(300, REPEATING);
    expect(bench.news('frequent-ectopy')).toHaveLength(1);
    expect(bench.ends('frequent-ectopy')).toEqual([]);
  });

  it('counts supraventricular beats only where asked to', () => {
    expect(every(3, 'S').health()).toEqual([]);
    const settings = settingsWith({ 'frequent-ectopy': { countSupraventricular: true } });
    expect(every(3, 'S', settings).news('frequent-ectopy')).toHaveLength(1);
  });

  it('holds between the shares and ends below `off`', () => {
    const bench = every(5, 'V');
    for (let i = 0; i < 600; i++) bench.beat(800, { beatClass: i % 8 === 0 ? 'V' : 'N' });
    expect(bench.ends('frequent-ectopy')).toEqual([]);
    bench.run(400_000, 75);
    expect(bench.ends('frequent-ectopy')).toHaveLength(1);
    expect(bench.news('frequent-ectopy')).toHaveLength(1);
  });
});
