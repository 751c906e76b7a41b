import { describe, expect, it } from 'vitest';
import { LatencyBook } from '../../src/watch/latency.js';
import { Metrics } from '../../src/watch/metrics.js';
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
    book.rotate();
    expect(book.lastMinute().inference!.count).toBe(1000);
    book.rotate();
    expect(book.lastMinute().inference).toBeUndefined();
  });
});

describe('Metrics', () => {
  it('names everything slothd_, in base units', async () => {
    const metrics = new Metrics();
    metrics.recordStage('inference', 2);
    const text = await metrics.text();
    const names = [...text.matchAll(/^# TYPE (\S+)/gm)].map((match) => match[1]!);
    expect(names.length).toBeGreaterThan(15);
    for (const name of names) expect(name).toMatch(/^slothd_/);
    expect(text).toContain('slothd_stage_duration_seconds_bucket{le="0.0025",stage="inference"} 1');
    expect(text).toContain('slothd_stage_duration_seconds_bucket{le="0.001",stage="inference"} 0');
  });

  it('raises a counter to a total kept elsewhere, never lowers it', async () => {
    const metrics = new Metrics();
    const seen = new Map<string, number>();
    for (const total of [3, 3, 5, 2]) Metrics.raiseTo(metrics.respawns, seen, 'respawns', total);
    expect(await metrics.text()).toContain('slothd_inference_respawns_total 5');
  });
});

describe('SystemdNotifier', () => {
  it('does nothing without a socket', () => {
    const sent: string[][] = [];
    const notifier = new SystemdNotifier({}, (args) => sent.push(args));
    notifier.ready();
    notifier.ping();
    expect(sent).toEqual([]);
    expect(notifier.pingEveryMs).toBeNull();
  });

  it('pings at half the time systemd allows and repeats no status', () => {
    const sent: string[][] = [];
    const notifier = new SystemdNotifier({ NOTIFY_SOCKET: '/run/x', WATCHDOG_USEC: '10000000' }, (args) =>
      sent.push(args),
    );
    expect(notifier.pingEveryMs).toBe(5000);
    notifier.ready();
    notifier.status('well');
    notifier.status('well');
    expect(sent).toEqual([['--ready'], ['--status=well']]);
  });
});
