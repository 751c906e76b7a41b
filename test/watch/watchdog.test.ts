import { describe, expect, it } from 'vitest';
import { LatencyBook } from '../../src/watch/latency.js';
import { SystemdNotifier } from '../../src/watch/systemd.js';
import { Watchdog } from '../../src/watch/watchdog.js';
import { ManualTime } from '../sensor/fake-link.js';

describe('Watchdog', () => {
  it('is content while every stage beats in time, and names the one that does not', async () => {
    const time = new ManualTime();
    const watchdog = new Watchdog(time);
    watchdog.expect('loop', 1000);
    watchdog.expect('inference', 3000);
    await time.advance(900);
    watchdog.beat('loop');
    await time.advance(900);
    expect(watchdog.verdict().healthy).toBe(true);
    await time.advance(300);
    const verdict = watchdog.verdict();
    expect(verdict.healthy).toBe(false);
    expect(verdict.reasons).toEqual(['loop: no sign of life for 1200 ms']);
  });

  it('repeats what a stage says of itself', () => {
    const watchdog = new Watchdog(new ManualTime());
    watchdog.expect('inference', 1000);
    watchdog.beat('inference', 'host is down');
    expect(watchdog.verdict().reasons).toEqual(['inference: host is down']);
    watchdog.beat('inference');
    expect(watchdog.verdict().healthy).toBe(true);
  });
});

describe('LatencyBook', () => {
  it('gives exact percentiles and forgets old ones in the last minute', () => {
    const book = new LatencyBook();
    for (let i = 1; i <= 1000; i++) book.record('inference', i / 10);
    const all = book.sinceStart().inference!;
    expect(all.count).toBe(1000);
    expect(all.p50Ms).toBeCloseTo(50, 0);
    expect(all.p99Ms).toBeCloseTo(99, 0);
    expect(all.maxMs).toBeCloseTo(100, 0);
    for (let i = 0; i < 3; i++) book.rotate(i * 15_000);
    expect(book.lastMinute().inference!.count).toBe(1000);
    book.rotate(45_000);
    expect(book.lastMinute().inference).toBeUndefined();
    expect(book.sinceStart().inference!.count).toBe(1000);
  });

  it('keeps a point of every interval for an hour', () => {
    const book = new LatencyBook();
    for (let i = 0; i < 300; i++) {
      if (i % 2 === 0) book.record('alarm', i / 1000);
      book.rotate(i * 15_000);
    }
    const points = book.history.points();
    expect(points).toHaveLength(240);
    expect(points[0]).toEqual({ at: new Date(60 * 15_000).toISOString(), stages: { alarm: [1, 0.06, 0.06, 0.06] } });
    expect(points.at(-1)!.stages).toEqual({});
  });

  it('tells how durations are spread', () => {
    const book = new LatencyBook();
    expect(book.bins('inference')).toEqual({ edgesMs: [], counts: [] });
    for (const [durationMs, count] of [
      [0.02, 3],
      [1.1, 50],
      [1.2, 50],
      [40, 2],
      [30_000, 1],
    ] as const) {
      for (let i = 0; i < count; i++) book.record('inference', durationMs);
    }
    const { edgesMs, counts } = book.bins('inference');
    expect(edgesMs).toHaveLength(counts.length + 1);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(106);
    const at = counts.indexOf(100);
    expect(edgesMs[at]).toBeCloseTo(1, 6);
    expect(edgesMs[at + 1]).toBeCloseTo(1.2589, 3);
    expect(counts.at(-1)).toBe(1);
  });

  it('names the sensor whose work it was', () => {
    const heard: unknown[] = [];
    const book = new LatencyBook((stage, _ms, subject) => heard.push([stage, subject?.sensor]));
    book.of('chest').record('decode', 1);
    book.record('inference', 1);
    expect(heard).toEqual([
      ['decode', 'chest'],
      ['inference', undefined],
    ]);
    expect(book.sinceStart().decode!.count).toBe(1);
  });
});

describe('SystemdNotifier', () => {
  it('does nothing without a socket', () => {
    const sent: string[][] = [];
    const notifier = new SystemdNotifier({}, (args) => sent.push(args));
    notifier.ready();
    notifier.round({ healthy: true, reasons: [] }, 0);
    expect(sent).toEqual([]);
    expect(notifier.pingEveryMs).toBeNull();
  });

  const sets = () => {
    const sent: string[][] = [];
    const env = { NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '10000000' };
    return { sent, notifier: new SystemdNotifier(env, (args) => sent.push(args)) };
  };
  const well = { healthy: true, reasons: [] };
  const ill = { healthy: false, reasons: ['alarms: no sign of life for 2100 ms'] };

  it('pings at half the time systemd allows and repeats no status', () => {
    const { sent, notifier } = sets();
    expect(notifier.pingEveryMs).toBe(5000);
    expect(notifier.roundEveryMs).toBe(1250);
    notifier.ready();
    notifier.status('well');
    notifier.status('well');
    expect(sent.splice(0)).toEqual([['--ready'], ['--status=well']]);
    const pingsAt: number[] = [];
    for (let now = 0; now <= 20_000; now += 1250) {
      notifier.round(well, now);
      if (sent.splice(0).length > 0) pingsAt.push(now);
    }
    expect(pingsAt).toEqual([0, 5000, 10_000, 15_000, 20_000]);
  });

  it('holds pings back while a stage is late, says so, and pings soon after', () => {
    const { sent, notifier } = sets();
    notifier.round(well, 0);
    for (let now = 1250; now <= 6250; now += 1250) notifier.round(ill, now);
    expect(sent.splice(0)).toEqual([['WATCHDOG=1'], [`--status=watchdog held back: ${ill.reasons[0]}`]]);
    notifier.round(well, 7500);
    expect(sent).toEqual([['WATCHDOG=1']]);
  });

  it('without WATCHDOG_USEC nobody waits for pings', () => {
    const sent: string[][] = [];
    const notifier = new SystemdNotifier({ NOTIFY_SOCKET: '/run/x' }, (args) => sent.push(args));
    notifier.round(ill, 0);
    notifier.round(well, 10);
    expect(sent).toEqual([]);
  });
});
