import { describe, expect, it } from 'vitest';
import { Bench, NOISY, REPEATING, settingsWith } from '../bench.js';

describe('asystole of a line that falls quiet', () => {
  /** A look a second at the line's height, over small waves that the detector takes for beats and the gate for noise. */
  function looks(bench: Bench, seconds: number, heightShare: number, bpm = 110, shape = NOISY): Bench {
    for (let i = 0; i < seconds; i++) {
      bench.run(1000, bpm, { shape });
      const scores = { other: 0.9, vt: 0.05, vf: 0.05 };
      bench.engine.shockable({
        ...{ tMs: bench.nowMs, windowStartMs: bench.nowMs - 4000 },
        ...{ scores, ratePerMinute: 100, heightShare },
      });
    }
    return bench;
  }
  const heart = () => looks(new Bench().start(), 30, 1, 70, REPEATING);

  it('is not told where noise that was far higher than the heart ends, and the heart’s beats repeat one another', () => {
    const bench = looks(heart().quality('poor'), 8, 0.1, 70, REPEATING);
    expect(bench.of('asystole')).toEqual([]);
  });

  it('is told although small waves are called beats and noise, once, and ends when beats are back', () => {
    // The windows stay high until the last beats have left them.
    const bench = looks(looks(heart().quality('poor'), 3, 0.8), 8, 0.1);
    const [raised] = bench.news('asystole');
    expect(raised?.values).toMatchObject({ by: 'height' });
    expect(raised!.raisedMs - raised!.onsetMs).toBeLessThanOrEqual(5_200);
    looks(bench.quality('good'), 20, 1, 70);
    expect(bench.news('asystole')).toHaveLength(1);
    expect(bench.ends('asystole')).toHaveLength(1);
  });

  it('is none where one look was low, where the line is only smaller, or the sensor off, flat or clipped', () => {
    const bench = heart();
    for (let i = 0; i < 10; i++) looks(looks(bench, 1, 0.1), 2, 0.8);
    looks(bench, 20, 0.3);
    looks(bench.quality('contact-off'), 10, 0.05);
    bench.engine.quality({ tMs: bench.nowMs, state: 'poor', reasons: ['flat'] });
    looks(bench, 10, 0.05);
    expect(bench.of('asystole')).toEqual([]);
  });

  it('is none while beats come out of good signal, however low the windows are', () => {
    const bench = looks(heart(), 20, 0.1, 90);
    expect(bench.of('asystole')).toEqual([]);
  });

  it('is none where the heart itself was as low before: what is usual was learnt from noise', () => {
    const bench = looks(new Bench().start(), 20, 0.1, 70, REPEATING);
    expect(looks(bench.quality('poor'), 20, 0.1).of('asystole')).toEqual([]);
  });

  it('is told of no window that reaches back to where the sensor was off', () => {
    const bench = looks(looks(heart(), 3, 0.8).quality('contact-off'), 4, 0.1).quality('poor');
    expect(looks(bench, 4, 0.1).of('asystole')).toEqual([]);
    expect(looks(bench, 3, 0.1).news('asystole')).toHaveLength(1);
  });

  it('is none where no heart was seen before: a hum that stops is no heart that stops', () => {
    const bench = looks(new Bench().start().quality('poor'), 60, 1);
    looks(bench, 20, 0.05);
    expect(bench.of('asystole')).toEqual([]);
  });
});

describe('a silence after noise', () => {
  /** Waves that a detector took for beats, in signal that was called good, then ten seconds without. */
  const silent = (shape: typeof NOISY, heartBeats = 0) =>
    new Bench().start().beats(heartBeats, 70, { shape: REPEATING }).beats(20, 80, { shape });

  it('is no asystole as soon as one after a heart, for nothing was seen that could have stopped', () => {
    const bench = silent(NOISY);
    const lastMs = bench.lastBeatMs!;
    bench.wait(9_900 + lastMs - bench.nowMs);
    expect(bench.health()).toEqual([]);
    bench.wait(400);
    expect(bench.news('asystole')[0]?.onsetMs).toBe(lastMs);
  });

  it('is no pause and no slow heart either', () => {
    expect(silent(NOISY).beats(4, 12, { shape: NOISY }).health()).toEqual([]);
  });

  it('is one at once where beats of a heart came before the noise, or where no waveform is looked at', () => {
    for (const bench of [silent(NOISY, 5), new Bench().start().beats(20, 80)]) {
      const lastMs = bench.lastBeatMs!;
      const [raised] = bench.wait(10_000).news('asystole');
      expect(raised!.raisedMs - lastMs).toBeLessThanOrEqual(4_300);
    }
  });
});

describe('asystole', () => {
  it('comes within 4.3 s of the last beat, with the onset at that beat, and not before 4 s', () => {
    for (let phase = 0; phase < 100; phase += 7) {
      const bench = new Bench().start().run(30_000, 70).wait(phase);
      bench.beat(900);
      const lastMs = bench.nowMs;
      bench.wait(10_000);
      const [raised] = bench.news('asystole');
      expect(raised?.onsetMs).toBe(lastMs);
      expect(raised!.raisedMs - lastMs).toBeGreaterThanOrEqual(4_000);
      expect(raised!.raisedMs - lastMs).toBeLessThanOrEqual(4_300);
      expect(raised!.priority).toBe('high');
    }
  });

  it('is no asystole when the next beat comes after 3.9 s', () => {
    expect(new Bench().start().run(30_000, 70).beat(3_900).run(30_000, 70).of('asystole')).toEqual([]);
  });

  it('comes at start too: good contact, data, never a beat', () => {
    const bench = new Bench().start().wait(5_900);
    expect(bench.of('asystole')).toEqual([]);
    bench.wait(300);
    expect(bench.news('asystole')[0]?.onsetMs).toBe(0);
  });

  it('ends after beats are back for the clear time; the interval it made is no pause', () => {
    const bench = new Bench().start().run(30_000, 70).beat(9_000);
    const backMs = bench.nowMs;
    bench.run(30_000, 70);
    const [end] = bench.ends('asystole');
    expect(end?.values).toMatchObject({ endReason: 'cleared' });
    expect(end!.endedMs! - backMs).toBeGreaterThanOrEqual(5_000);
    expect(end!.endedMs! - backMs).toBeLessThanOrEqual(5_400);
    expect(bench.health().every((c) => c.kind === 'asystole')).toBe(true);
  });

  it('does not take a link that stops for a heart that stops', () => {
    const bench = new Bench().start().run(30_000, 70);
    bench.dataFlows = false;
    bench.wait(60_000);
    expect(bench.of('asystole')).toEqual([]);
    expect(bench.news('no-data')).toHaveLength(1);
  });

  it('does not count across a hole in the data', () => {
    const bench = new Bench().start().run(30_000, 70).wait(2_000);
    bench.dataFlows = false;
    bench.wait(2_800);
    bench.dataFlows = true;
    bench.wait(500).beat(800).run(10_000, 70);
    expect(bench.health()).toEqual([]);
  });

  it('is withdrawn at once when a late beat shows that there was none', () => {
    const bench = new Bench().start().run(30_000, 70);
    const lastMs = bench.lastBeatMs!;
    bench.wait(lastMs + 4_400 - bench.nowMs);
    expect(bench.news('asystole')).toHaveLength(1);
    const beat = {
      tMs: lastMs + 3_500,
      sample: -1,
      rrMs: 3_500,
      decidedAtMs: bench.nowMs,
      quality: 1,
      source: 'ecg',
    } as const;
    bench.engine.beat(beat);
    expect(bench.ends('asystole')[0]?.values).toMatchObject({ endReason: 'withdrawn' });
    expect(bench.news('pause')).toHaveLength(1);
  });

  /** Twenty beats as the source tells them, then ten seconds without, with or without a rate that the device tells. */
  function silence(source: 'ecg' | 'ppg' | 'rr', deviceBpm: number, vouched?: boolean): string[] {
    const bench = new Bench(settingsWith(), true, undefined, 100, vouched).start();
    for (let i = 0; i < 20; i++) {
      bench.wait(i === 10 ? 3_200 : 800);
      const tMs = bench.nowMs;
      const rrMs = i === 10 ? 3_200 : 800;
      bench.engine.beat({ tMs, sample: -1, rrMs: i > 0 ? rrMs : null, decidedAtMs: tMs, quality: 1, source });
    }
    for (let i = 0; i < 10; i++) {
      bench.wait(1_000);
      bench.engine.deviceHeartRate(bench.nowMs, deviceBpm);
    }
    return bench.changes.filter((c) => c.event === 'new').map((c) => c.kind);
  }

  it('needs something that vouches for the silence: bare intervals may just be lost, and so may a pause', () => {
    expect(silence('rr', Number.NaN)).toEqual([]);
    expect(silence('rr', Number.NaN, true)).toEqual(['pause', 'asystole']);
    expect(silence('ecg', Number.NaN)).toEqual(['pause', 'asystole']);
    expect(silence('ppg', Number.NaN)).toEqual(['pause', 'asystole']);
    expect(silence('ecg', Number.NaN, false)).toEqual([]);
  });

  it('takes a long interval that nothing vouches for as a hole, not as a slow heart', () => {
    const slow = (vouched: boolean) => {
      const bench = new Bench(settingsWith(), true, undefined, 100, vouched).start().run(10_000, 70);
      for (let i = 0; i < 8; i++) bench.beat(3_100);
      return bench.news('extreme-bradycardia').length;
    };
    expect(slow(false)).toBe(0);
    expect(slow(true)).toBe(1);
  });

  it('believes a strap that tells a rate but leaves its intervals out, and a waveform over such a rate', () => {
    expect(silence('rr', 72, true)).toEqual(['pause']);
    expect(silence('ecg', 72)).toEqual(['pause', 'asystole']);
  });
});

describe('pause', () => {
  it('is not raised by 2.95 s, and is by 3 s, with the onset at the beat before', () => {
    expect(new Bench().start().run(20_000, 70).beat(2_950).run(5_000, 70).health()).toEqual([]);
    const bench = new Bench().start().run(20_000, 70);
    const beforeMs = bench.lastBeatMs!;
    bench.beat(3_000).run(5_000, 70);
    const [raised] = bench.news('pause');
    expect(raised?.onsetMs).toBe(beforeMs);
    expect(raised?.values).toEqual({ longestMs: 3_000, pauses: 1 });
    expect(raised?.priority).toBe('medium');
  });

  it('gathers pauses that follow in one alert and tells all of them at its end', () => {
    const bench = new Bench().start().run(20_000, 70);
    for (let i = 0; i < 4; i++) bench.beat(3_200 + i * 100).run(20_000, 70);
    bench.run(60_000, 70);
    expect(bench.news('pause')).toHaveLength(1);
    const [end] = bench.ends('pause');
    expect(end?.values).toMatchObject({ pauses: 4, endReason: 'cleared' });
    expect(end?.values.longestMs).toBeGreaterThanOrEqual(3_500);
  });

  it('does not fire on lost contact, on a hole, or between doubtful beats', () => {
    const contact = new Bench().start().run(20_000, 70).wait(1_000).quality('contact-off').wait(1_500).quality('good');
    contact.beat(1_500).run(20_000, 70);
    expect(contact.health()).toEqual([]);

    const hole = new Bench().start().run(20_000, 70);
    hole.dataFlows = false;
    hole.wait(3_200);
    hole.dataFlows = true;
    hole.beat(300).run(20_000, 70);
    expect(hole.health()).toEqual([]);

    const doubtful = new Bench().start().run(20_000, 70).beat(800, { quality: 0.2 }).beat(3_300).run(20_000, 70);
    expect(doubtful.of('pause')).toEqual([]);
  });

  it('follows its setting', () => {
    const settings = settingsWith({ pause: { afterMs: 2_500 } });
    expect(new Bench(settings).start().run(20_000, 70).beat(2_600).run(5_000, 70).news('pause')).toHaveLength(1);
  });
});
