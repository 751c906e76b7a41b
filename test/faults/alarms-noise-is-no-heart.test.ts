import { describe, expect, it } from 'vitest';
import { Bench } from '../alarm/bench.js';

/** A small seeded generator (mulberry32), so that a failure can be repeated. */
function random(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const HOUR_MS = 3_600_000;

/** What a detector makes of noise: beats at random, called anything, with rhythm scores to match. */
function noise(bench: Bench, untilMs: number, next: () => number): void {
  const classes = ['N', 'S', 'V', 'V'] as const;
  while (bench.nowMs < untilMs) {
    const beatClass = classes[Math.floor(next() * 4)]!;
    bench.beat(200 + next() * 1_500, { beatClass, quality: next() * 0.45 });
    if (next() < 0.1) bench.rhythm(0.9 + next() / 10);
  }
}

describe('story 12: noise taken for a heart', () => {
  it('no contact for 10 h, with mains hum found as beats: no health alert, one contact-off', () => {
    const bench = new Bench().start().quality('contact-off');
    noise(bench, 10 * HOUR_MS, random(1));
    expect(bench.health()).toEqual([]);
    expect(bench.changes.filter((c) => c.event !== 'update').map((c) => [c.kind, c.event])).toEqual([
      ['contact-off', 'new'],
    ]);
    // Nobody looked at it for ten hours: it reminds, at longer and longer waits, and says nothing else.
    expect(new Set(bench.changes.map((c) => c.id)).size).toBe(1);
    expect(bench.changes.length).toBeLessThan(12);
  });

  it('motion for 10 h, called poor: no health alert, one poor-signal', () => {
    const bench = new Bench().start().quality('poor');
    noise(bench, 10 * HOUR_MS, random(2));
    expect(bench.health()).toEqual([]);
    expect(bench.news('poor-signal')).toHaveLength(1);
  });

  it('flicker between poor and contact lost, with good moments too short to judge a heart: no health alert', () => {
    const bench = new Bench().start();
    const next = random(3);
    const states = ['poor', 'contact-off', 'none', 'good'] as const;
    for (let untilMs = 0; untilMs < 3 * HOUR_MS; ) {
      const state = states[Math.floor(next() * 4)]!;
      bench.quality(state);
      untilMs = bench.nowMs + (state === 'good' ? 500 + next() * 3_000 : next() * 20_000);
      noise(bench, untilMs, next);
    }
    expect(bench.health()).toEqual([]);
  });

  it('a signal that nobody can judge and that makes no beats: no asystole', () => {
    for (const state of ['poor', 'contact-off', 'none'] as const) {
      const bench = new Bench().start().run(20_000, 70).quality(state).wait(HOUR_MS);
      expect(bench.health()).toEqual([]);
    }
  });
});
