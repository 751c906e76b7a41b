import fc from 'fast-check';
import { expect, it } from 'vitest';
import { HEALTH_KINDS, TECHNICAL_KINDS } from '../../src/domain/alert.js';
import { Bench, settingsWith } from '../alarm/bench.js';
import { ManualTime } from '../delivery/support/world.js';
import { EternalBroker, EternalDisk, MortalDaemon } from './support/mortal-world.js';

/**
 * Stories 5, 13 and 15: power cut or kill -9 at any moment, also between an alert's way to the broker and its way to the
 * disk. The real engine, desk, outbox and link; a disk, a broker and a receiver that outlive every process.
 */

const kind = fc.constantFrom(...HEALTH_KINDS, ...TECHNICAL_KINDS);
const duration = fc.integer({ min: 0, max: 25_000 });
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('beats' as const),
      ms: duration,
      bpm: fc.constantFrom(25, 30, 42, 75, 75, 118, 170, 210),
      beatClass: fc.constantFrom('N' as const, 'N' as const, 'V' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('no-beats' as const), ms: duration }) },
  fc.record({
    do: fc.constant('quality' as const),
    state: fc.constantFrom('good' as const, 'good' as const, 'poor' as const, 'contact-off' as const),
    ms: duration,
  }),
  fc.record({ do: fc.constant('ack' as const), kind, ms: fc.integer({ min: 1, max: 60_000 }) }),
  fc.record({ do: fc.constant('snooze' as const), kind, ms: fc.integer({ min: 1, max: 60_000 }) }),
  fc.record({ do: fc.constant('broker' as const), up: fc.constantFrom(true, true, false) }),
  fc.record({ do: fc.constant('disk' as const), delayMs: fc.constantFrom(0, 10, 50, 1_500, 6_000) }),
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('kill' as const),
      // So many events from now, and so many beats (or hundred milliseconds) after that one.
      events: fc.integer({ min: 1, max: 3 }),
      moments: fc.constantFrom(0, 0, 0, 1, 2, 5),
      awayMs: duration,
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

const SETTINGS = settingsWith({
  tachycardia: { aboveBpm: 110 },
  bradycardia: { belowBpm: 55 },
  updates: { firstAfterMs: 5_000 },
});

class World {
  readonly time = new ManualTime();
  readonly broker = new EternalBroker(this.time);
  readonly disk = new EternalDisk();
  readonly bench = new Bench(SETTINGS, true, undefined, 500);
  kills = 0;
  /** Alert events that a killed process had raised. */
  events = 0;
  private daemon!: MortalDaemon;
  private plan: { events: number; moments: number; awayMs: number } | null = null;

  async start(): Promise<void> {
    this.daemon = new MortalDaemon(this.time, this.broker, this.disk, this.bench, () => {
      this.events++;
      if (this.plan && --this.plan.events === 0 && this.plan.moments === 0) this.daemon.kill();
    });
    await this.daemon.start();
    this.bench.start();
  }

  async play(s: Step): Promise<void> {
    const { bench } = this;
    switch (s.do) {
      case 'beats':
        for (const endMs = bench.nowMs + s.ms; bench.nowMs < endMs; ) {
          bench.beat(60_000 / s.bpm, s);
          await this.settle();
        }
        break;
      case 'no-beats':
        await this.wait(s.ms);
        break;
      case 'quality':
        bench.quality(s.state);
        await this.wait(s.ms);
        break;
      case 'ack':
      case 'snooze':
        bench.engine[s.do](s.kind, bench.nowMs + s.ms);
        this.daemon.changed();
        break;
      case 'broker':
        this.broker.setUp(s.up);
        break;
      case 'disk':
        this.disk.delayMs = s.delayMs;
        break;
      case 'kill':
        this.plan = { ...s };
        break;
    }
    await this.settle();
  }

  async wait(ms: number): Promise<void> {
    for (const endMs = this.bench.nowMs + ms; this.bench.nowMs < endMs; ) {
      this.bench.wait(Math.min(500, endMs - this.bench.nowMs));
      await this.settle();
    }
  }

  /** Ten quiet minutes with a broker and a disk: whatever was begun must have come to its end. */
  async recover(): Promise<void> {
    this.plan = null;
    this.broker.setUp(true);
    this.disk.delayMs = 10;
    this.bench.quality('good');
    await this.play({ do: 'beats', ms: 600_000, bpm: 75, beatClass: 'N' });
  }

  /** The outside world catches up with the heart; a process that is to die does. */
  private async settle(): Promise<void> {
    const { plan } = this;
    if (plan && plan.events <= 0 && plan.moments-- <= 0) {
      this.plan = null;
      this.kills++;
      this.daemon.kill();
      await this.catchUp();
      this.bench.begin(plan.awayMs);
      await this.catchUp();
      await this.start();
    }
    await this.catchUp();
  }

  private async catchUp(): Promise<void> {
    // In small steps, so that what waits for a disk or an answer goes on in between.
    while (this.time.nowMs < this.bench.nowMs) {
      this.time.advance(Math.min(200, this.bench.nowMs - this.time.nowMs));
      for (let i = 0; i < 12; i++) await null;
    }
  }
}

it('for any series and any kills: one open alert per kind, each new one end, sequences without a gap', async () => {
  const reasons = new Set<string>();
  const kinds = new Set<string>();
  let kills = 0;
  let duplicates = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 40 }), async (steps) => {
      const world = new World();
      await world.start();
      for (const s of steps) await world.play(s);
      await world.recover();
      const { receiver, retained } = world.broker;
      expect([...receiver.open]).toEqual([]);
      expect(retained.get('slothd/pi/chest/alarms')).toBe('[]');
      kills += world.kills;
      duplicates += receiver.duplicates;
      for (const reason of receiver.reasons) reasons.add(reason);
      for (const one of receiver.kinds) kinds.add(one);
    }),
    { numRuns: Number(process.env.SLOTHD_SOAK_ROUNDS ?? 60), seed: Number(process.env.SEED ?? 16) },
  );
  // A property that never met what it is about would prove nothing.
  expect(kills).toBeGreaterThan(40);
  expect(duplicates).toBeGreaterThan(0);
  expect([...reasons]).toEqual(expect.arrayContaining(['cleared', 'subsumed']));
  expect([...kinds]).toEqual(expect.arrayContaining(['asystole', 'extreme-tachycardia', 'extreme-bradycardia']));
}, 120_000);
