import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HEALTH_KINDS, TECHNICAL_KINDS } from '../../src/domain/alert.js';
import { Bench, settingsWith } from '../alarm/bench.js';
import { Ledger } from '../alarm/ledger.js';

/** What may happen to a sensor and its heart, in any order. */
type Step =
  | { do: 'beats'; ms: number; bpm: number; quality: number; beatClass: 'N' | 'S' | 'V' | 'F' | 'Q' | null }
  | { do: 'quality'; state: 'good' | 'poor' | 'contact-off' | 'none'; ms: number }
  | { do: 'silence'; ms: number; told: boolean }
  | { do: 'no-beats'; ms: number }
  | { do: 'rhythm'; score: number; times: number }
  | { do: 'device-rate'; bpm: number; seconds: number }
  | { do: 'inference'; condition: 'starting' | 'ready' | 'down' | 'slow'; ms: number }
  | { do: 'snooze' | 'ack'; kind: (typeof HEALTH_KINDS)[number] | (typeof TECHNICAL_KINDS)[number]; ms: number }
  | { do: 'restart'; awayMs: number; wallStepMs: number };

const duration = fc.oneof(
  fc.integer({ min: 0, max: 3_000 }),
  fc.integer({ min: 0, max: 20_000 }),
  fc.integer({ min: 0, max: 90_000 }),
);
const kind = fc.constantFrom(...HEALTH_KINDS, ...TECHNICAL_KINDS);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('beats' as const),
      ms: duration,
      bpm: fc.integer({ min: 15, max: 260 }),
      quality: fc.constantFrom(1, 1, 1, 0.2),
      beatClass: fc.constantFrom(
        'N' as const,
        'N' as const,
        'V' as const,
        'S' as const,
        'F' as const,
        'Q' as const,
        null,
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('quality' as const),
      state: fc.constantFrom(
        'good' as const,
        'good' as const,
        'poor' as const,
        'contact-off' as const,
        'none' as const,
      ),
      ms: duration,
    }),
  },
  fc.record({ do: fc.constant('silence' as const), ms: duration, told: fc.boolean() }),
  fc.record({ do: fc.constant('no-beats' as const), ms: duration }),
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('rhythm' as const),
      score: fc.double({ min: 0, max: 1, noNaN: true }),
      times: fc.integer({ min: 1, max: 12 }),
    }),
  },
  fc.record({
    do: fc.constant('device-rate' as const),
    bpm: fc.integer({ min: 0, max: 400 }),
    seconds: fc.integer({ min: 1, max: 30 }),
  }),
  fc.record({
    do: fc.constant('inference' as const),
    condition: fc.constantFrom('starting' as const, 'ready' as const, 'down' as const, 'slow' as const),
    ms: duration,
  }),
  fc.record({
    do: fc.constantFrom('snooze' as const, 'ack' as const),
    kind,
    ms: fc.integer({ min: -5, max: 200_000 }),
  }),
);
const restart: fc.Arbitrary<Step> = fc.record({
  do: fc.constant('restart' as const),
  awayMs: duration,
  // Also with the wall clock moved while nobody looked: two years on, ten minutes back.
  wallStepMs: fc.constantFrom(0, 0, 63_072_000_000, -600_000),
});

// Low thresholds beside the defaults, so that the lesser kinds are met as often as the graver ones.
const SETTINGS = settingsWith({ tachycardia: { aboveBpm: 110 }, bradycardia: { belowBpm: 55 } });

// Coarser than the pipeline's: what must hold does not hang on how often the engine is asked.
const TICK_MS = 500;

function play(bench: Bench, s: Step): void {
  switch (s.do) {
    case 'beats':
      bench.run(s.ms, s.bpm, s);
      break;
    case 'quality':
      bench.quality(s.state).wait(s.ms);
      break;
    case 'silence':
      bench.dataFlows = false;
      bench.wait(s.ms);
      if (s.told) bench.engine.link(bench.nowMs, 'silent');
      bench.wait(500);
      bench.dataFlows = true;
      break;
    case 'no-beats':
      bench.wait(s.ms);
      break;
    case 'rhythm':
      for (let i = 0; i < s.times; i++) bench.run(5_000, 80).rhythm(s.score);
      break;
    case 'device-rate':
      for (let i = 0; i < s.seconds; i++) {
        bench.wait(1_000);
        bench.engine.deviceHeartRate(bench.nowMs, s.bpm);
      }
      break;
    case 'inference':
      bench.engine.inference(bench.nowMs, s.condition, s.condition);
      bench.wait(s.ms);
      break;
    case 'snooze':
      bench.engine.snooze(s.kind, bench.nowMs + s.ms);
      break;
    case 'ack':
      bench.engine.ack(s.kind, bench.nowMs + s.ms);
      break;
    case 'restart':
      bench.restart(s);
      bench.start();
      break;
  }
}

/** A quarter of an hour in which all is well. */
function recover(bench: Bench): void {
  bench.engine.inference(bench.nowMs, 'ready', '');
  bench.quality('good');
  for (let i = 0; i < 30; i++) bench.run(30_000, 75).rhythm(0.02);
}

function holds(steps: readonly Step[]): Bench {
  const bench = new Bench(SETTINGS, true, undefined, TICK_MS).start();
  const ledger = new Ledger();
  for (const s of steps) {
    play(bench, s);
    ledger.follow(bench.changes);
    ledger.settled();
    expect(bench.engine.active().map((c) => [c.kind, c.id, c.sequence])).toEqual(
      // In the order of the rules, which is the engine's own business.
      bench.engine.active().map((c) => [c.kind, ledger.open.get(c.kind)?.id, ledger.open.get(c.kind)?.sequence]),
    );
  }
  recover(bench);
  ledger.follow(bench.changes);
  expect([...ledger.open.keys()]).toEqual([]);
  expect(bench.engine.active()).toEqual([]);
  return bench;
}

describe('story 13: alarms that never come, never stop, or storm', () => {
  it('for any series: one open alert per kind, each new one end, sequences without a gap, times in order', () => {
    const met = new Set<string>();
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
        for (const { kind } of holds(steps).changes) met.add(kind);
      }),
      { numRuns: 120, seed: 13 },
    );
    // A property that never met an alarm would prove nothing.
    for (const kind of ['asystole', 'extreme-tachycardia', 'ventricular-tachycardia', 'tachycardia', 'bradycardia']) {
      expect([...met]).toContain(kind);
    }
  }, 60_000);

  it('the same with a restart at any point, the wall clock stepped or not', () => {
    let carried = 0;
    fc.assert(
      fc.property(
        fc.array(fc.oneof({ weight: 4, arbitrary: step }, { weight: 1, arbitrary: restart }), {
          minLength: 2,
          maxLength: 40,
        }),
        (steps) => {
          const bench = holds(steps);
          if (steps.some((s) => s.do === 'restart')) carried += bench.changes.length;
        },
      ),
      { numRuns: 120, seed: 14 },
    );
    expect(carried).toBeGreaterThan(0);
  }, 60_000);

  it('decides the same when the same series is played again', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 20 }), (steps) => {
        const [first, second] = [new Bench(SETTINGS).start(), new Bench(SETTINGS).start()];
        for (const s of steps) {
          play(first, s);
          play(second, s);
        }
        expect(second.changes).toEqual(first.changes);
      }),
      { numRuns: 20, seed: 15 },
    );
  }, 60_000);

  it('a heart on the edge of every threshold for hours makes few alerts', () => {
    const bench = new Bench(SETTINGS).start();
    for (let i = 0; i < 360; i++) bench.run(15_000, 160).run(15_000, 80);
    // Three hours, 360 fast stretches: the clear time doubles up to five minutes.
    expect(bench.news('extreme-tachycardia').length).toBeLessThanOrEqual(5);
    expect(bench.changes.length).toBeLessThanOrEqual(60);
    recover(bench);
    expect(bench.engine.active()).toEqual([]);
  });
});
