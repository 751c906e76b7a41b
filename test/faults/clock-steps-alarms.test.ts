import { describe, expect, it, vi } from 'vitest';
import { Bench } from '../alarm/bench.js';

const TWO_YEARS_MS = 63_072_000_000;
const TEN_MINUTES_MS = 600_000;

/** A heart with a bit of everything; `between` is called before each part. */
function story(between: () => void): Bench {
  const bench = new Bench().start();
  for (let i = 0; i < 3; i++) {
    between();
    bench.run(30_000, 70).run(20_000, 180);
    between();
    bench.run(40_000, 70).beat(3_300).run(80_000, 70).wait(6_000).run(30_000, 70);
    between();
    bench.quality('contact-off').wait(20_000).quality('good').run(40_000, 70);
  }
  return bench;
}

describe('story 14: clock steps', () => {
  it('the alarms do not see the machine’s clock at all', () => {
    const plain = story(() => {});
    vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout', 'setInterval'] });
    try {
      const steps = [TWO_YEARS_MS, -TEN_MINUTES_MS];
      let i = 0;
      const stepped = story(() => vi.setSystemTime(Date.now() + steps[i++ % 2]!));
      expect(stepped.changes).toEqual(plain.changes);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
    expect(plain.changes.length).toBeGreaterThan(10);
  });

  it.each([
    ['two years on', TWO_YEARS_MS],
    ['ten minutes back', -TEN_MINUTES_MS],
  ])('a wall clock %s over a restart: the open alert goes on, in order, and ends once', (_name, wallStepMs) => {
    const bench = new Bench().start().run(30_000, 160);
    bench.engine.snooze('asystole', bench.nowMs + 300_000);
    bench.restart({ wallStepMs });
    bench.start().run(20_000, 160).run(60_000, 75);
    expect(bench.news('extreme-tachycardia')).toHaveLength(1);
    const [end] = bench.ends('extreme-tachycardia');
    expect(end!.onsetMs).toBeLessThanOrEqual(end!.raisedMs);
    expect(end!.raisedMs).toBeLessThanOrEqual(end!.endedMs!);
    // A snooze is never longer than what may be granted (ten minutes for a high priority), whatever the clock did.
    bench.run(600_000, 75).wait(6_000);
    expect(bench.news('asystole')).toHaveLength(1);
  });
});
