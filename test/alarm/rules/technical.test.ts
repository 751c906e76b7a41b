import { describe, expect, it } from 'vitest';
import { Bench } from '../bench.js';

describe('no-data', () => {
  it('comes when no data ever came', () => {
    const bench = new Bench();
    bench.dataFlows = false;
    bench.wait(29_900);
    expect(bench.changes).toEqual([]);
    bench.wait(300);
    expect(bench.news('no-data')[0]).toMatchObject({ category: 'technical', values: { everSeen: false } });
    expect(bench.news('no-data')[0]?.onsetMs).toBeLessThanOrEqual(100);
  });

  it('comes at once when the link says so, with the onset at the last data, and ends when data is back', () => {
    const bench = new Bench().start().run(20_000, 70);
    bench.dataFlows = false;
    bench.wait(15_000);
    expect(bench.changes).toEqual([]);
    bench.engine.link(bench.nowMs, 'silent');
    const [raised] = bench.news('no-data');
    expect(raised?.raisedMs).toBe(bench.nowMs);
    // The last beat was decided 150 ms after it happened, later than the last block of data.
    expect(raised!.onsetMs - 20_000).toBeLessThanOrEqual(150);
    bench.dataFlows = true;
    bench.wait(1_900);
    expect(bench.ends('no-data')).toEqual([]);
    bench.wait(300);
    expect(bench.ends('no-data')).toHaveLength(1);
  });

  it('does not blame the sensor for a stop of our own process', () => {
    const bench = new Bench().start().run(20_000, 70);
    bench.engine.tick(bench.nowMs + 40_000);
    expect(bench.changes).toEqual([]);
  });
});

describe('contact-off and poor-signal', () => {
  it('contact-off needs its sustain time and ends when the contact is back', () => {
    expect(new Bench().start().run(9_000, 70).quality('contact-off').wait(4_900).quality('good').changes).toEqual([]);
    const bench = new Bench().start().run(9_000, 70).quality('contact-off').wait(5_100);
    expect(bench.news('contact-off')[0]?.onsetMs).toBe(9_000);
    bench.quality('good').run(4_000, 70);
    expect(bench.ends('contact-off')).toHaveLength(1);
  });

  it('a loose contact is one alert, not a storm', () => {
    const bench = new Bench().start();
    for (let i = 0; i < 360; i++) bench.quality('contact-off').wait(6_000).quality('good').run(4_000, 70);
    expect(bench.news('contact-off').length).toBeLessThanOrEqual(3);
    bench.run(400_000, 70);
    expect(bench.engine.active()).toEqual([]);
  });

  it('poor-signal adds up signal that flickers, and tells it once', () => {
    const bench = new Bench().start().run(10_000, 70).quality('poor').wait(29_900);
    expect(bench.changes).toEqual([]);
    bench.wait(300);
    expect(bench.news('poor-signal')[0]).toMatchObject({ onsetMs: 10_000, values: { reasons: 'noise' } });

    const flicker = new Bench().start();
    for (let i = 0; i < 300; i++) flicker.quality('poor').wait(6_000).quality('good').run(4_000, 70);
    expect(flicker.news('poor-signal')).toHaveLength(1);
    flicker.run(60_000, 70);
    expect(flicker.ends('poor-signal')).toHaveLength(1);
  });

  it('signal that cannot even be judged is told too', () => {
    const bench = new Bench().start().quality('none').wait(31_000);
    expect(bench.news('poor-signal')).toHaveLength(1);
  });

  it('gives way to no-data', () => {
    const bench = new Bench().start().quality('contact-off').wait(10_000);
    bench.engine.link(bench.nowMs, 'silent');
    expect(bench.ends('contact-off')[0]?.values).toMatchObject({ endReason: 'subsumed', by: 'no-data' });
    expect(bench.engine.active().map((c) => c.kind)).toEqual(['no-data']);
  });
});

describe('inference-down and inference-slow', () => {
  it('a quick respawn is none, an outage is, a respawn loop is one', () => {
    const bench = new Bench().start();
    const say = (condition: 'starting' | 'ready' | 'down' | 'slow', ms: number) => {
      bench.engine.inference(bench.nowMs, condition, `it is ${condition}`);
      bench.run(ms, 70);
    };
    say('starting', 20_000);
    say('ready', 10_000);
    say('down', 1_000);
    say('starting', 1_000);
    say('ready', 10_000);
    expect(bench.changes).toEqual([]);
    const downMs = bench.nowMs;
    for (let i = 0; i < 20; i++) {
      say('down', 1_000);
      say('starting', 1_000);
    }
    expect(bench.news('inference-down')).toHaveLength(1);
    expect(bench.news('inference-down')[0]).toMatchObject({ onsetMs: downMs, category: 'technical', evidence: {} });
    say('ready', 11_000);
    expect(bench.ends('inference-down')).toHaveLength(1);
    say('slow', 29_000);
    expect(bench.of('inference-slow')).toEqual([]);
    say('slow', 2_000);
    expect(bench.news('inference-slow')).toHaveLength(1);
    say('ready', 31_000);
    expect(bench.ends('inference-slow')).toHaveLength(1);
  });

  it('starting for ever counts as down; no model wanted is no fault', () => {
    const bench = new Bench().start();
    bench.engine.inference(0, 'starting', 'loading');
    bench.run(31_000, 70);
    expect(bench.news('inference-down')).toHaveLength(1);
    expect(new Bench().start().run(120_000, 70).changes).toEqual([]);
  });
});

describe('the device itself', () => {
  const fine = { outboxFull: false, shedAlerts: 0, clockSynced: true };

  it('outbox-full stands while alerts are given up, and says how many', () => {
    const bench = new Bench().start().run(5_000, 70);
    bench.engine.device(bench.nowMs, fine);
    bench.engine.device(bench.nowMs, { ...fine, outboxFull: true, shedAlerts: 3 });
    expect(bench.news('outbox-full')).toMatchObject([
      { category: 'technical', priority: 'medium', onsetMs: bench.nowMs, values: { shedAlerts: 3 } },
    ]);
    bench.engine.device(bench.nowMs, { ...fine, outboxFull: true, shedAlerts: 40 });
    bench.engine.device(bench.nowMs, { ...fine, shedAlerts: 41 });
    bench.run(9_000, 70);
    expect(bench.ends('outbox-full')).toEqual([]);
    bench.run(2_000, 70);
    expect(bench.ends('outbox-full')).toMatchObject([{ values: { shedAlerts: 41, endReason: 'cleared' } }]);
  });

  it('clock-unsynced waits for its time, and a start without network is none', () => {
    const bench = new Bench().start();
    bench.engine.device(bench.nowMs, { ...fine, clockSynced: false });
    bench.run(599_000, 70);
    bench.engine.device(bench.nowMs, fine);
    bench.engine.device(bench.nowMs, { ...fine, clockSynced: false });
    bench.run(599_000, 70);
    expect(bench.changes).toEqual([]);
    bench.run(2_000, 70);
    expect(bench.news('clock-unsynced')).toHaveLength(1);
    bench.engine.device(bench.nowMs, fine);
    bench.run(11_000, 70);
    expect(bench.ends('clock-unsynced')).toHaveLength(1);
  });
});
