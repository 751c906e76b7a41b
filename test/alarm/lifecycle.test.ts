import { describe, expect, it } from 'vitest';
import type { Evidence } from '../../src/domain/alert.js';
import { Bench, settingsWith } from './bench.js';

describe('one event in the body is one alert', () => {
  const own = settingsWith({ tachycardia: { aboveBpm: 120 } });

  it('a graver kind ends the lesser and keeps it away while it stands', () => {
    const bench = new Bench(own).start().run(30_000, 130);
    expect(bench.engine.active().map((c) => c.kind)).toEqual(['tachycardia']);
    bench.run(30_000, 180);
    expect(bench.ends('tachycardia')[0]?.values).toMatchObject({ endReason: 'subsumed', by: 'extreme-tachycardia' });
    expect(bench.engine.active().map((c) => c.kind)).toEqual(['extreme-tachycardia']);
    bench.run(60_000, 130);
    expect(bench.news('tachycardia')).toHaveLength(2);
  });

  it('asystole explains the slow heart before it, ventricular tachycardia the fast one', () => {
    const slow = new Bench().start().run(60_000, 35).wait(6_000);
    expect(slow.ends('extreme-bradycardia')[0]?.values).toMatchObject({ by: 'asystole' });
    const fast = new Bench().start().run(10_000, 75).run(20_000, 180, { beatClass: 'V' });
    expect(fast.engine.active().map((c) => c.kind)).toEqual(['ventricular-tachycardia']);
  });

  it('atrial fibrillation does not also raise frequent ectopy', () => {
    const bench = new Bench().start();
    for (let i = 0; i < 80; i++) {
      for (let j = 0; j < 6; j++) bench.beat(800, { beatClass: j % 3 === 0 ? 'V' : 'N' });
      bench.rhythm(0.97);
    }
    expect(bench.health().map((c) => c.kind)).toEqual(['atrial-fibrillation']);
  });

  it('a kind switched off in the config stays silent and explains nothing', () => {
    const settings = settingsWith({ 'extreme-tachycardia': { enabled: false } });
    const bench = new Bench(settings).start().run(60_000, 180);
    expect(bench.health().map((c) => c.kind)).toEqual(['tachycardia']);
  });

  it('the priority is the config’s', () => {
    const settings = settingsWith({ pause: { priority: 'high' } });
    expect(new Bench(settings).start().run(9_000, 70).beat(3_100).run(5_000, 70).news('pause')[0]?.priority).toBe(
      'high',
    );
  });
});

describe('updates', () => {
  it('come only when the values changed materially, and back off', () => {
    const steady = new Bench().start().run(600_000, 160);
    expect(steady.of('extreme-tachycardia').map((c) => c.event)).toEqual(['new']);

    const moving = new Bench().start();
    for (let i = 0; i < 360; i++) moving.run(5_000, i % 2 === 0 ? 150 : 200);
    const updates = moving.of('extreme-tachycardia').filter((c) => c.event === 'update');
    // Half an hour: 15 + 30 + 60 + 120 + 240 + 480 s and then every ten minutes.
    expect(updates.length).toBeGreaterThanOrEqual(4);
    expect(updates.length).toBeLessThanOrEqual(7);
    expect(moving.of('extreme-tachycardia').map((c) => c.sequence)).toEqual([1, ...updates.map((_, i) => i + 2)]);
  });
});

describe('what is open', () => {
  it('says whether somebody has acknowledged it, for as long as that holds', () => {
    const bench = new Bench().start().run(30_000, 160);
    expect(bench.engine.active()[0]?.acknowledged).toBe(false);
    bench.engine.ack('extreme-tachycardia', bench.nowMs + 60_000);
    expect(bench.engine.active()[0]?.acknowledged).toBe(true);
    bench.run(61_000, 160);
    expect(bench.engine.active()[0]?.acknowledged).toBe(false);
  });

  it('by kinds that the config has switched off ends one by one: no crash in between loses an end', () => {
    const bench = new Bench().start().run(30_000, 160).quality('poor').wait(40_000);
    const open = bench.engine.active().map(({ kind }) => kind);
    expect(open).toEqual(['poor-signal', 'extreme-tachycardia']);
    const off = { enabled: false } as const;
    bench.restart({ settings: settingsWith({ 'poor-signal': off, 'extreme-tachycardia': off }) });
    const kept: string[][] = [];
    const { push } = bench.changes;
    bench.changes.push = (...changes) => {
      kept.push(bench.engine.snapshot((tMs) => tMs).alerts.map(({ kind }) => kind));
      return push.apply(bench.changes, changes);
    };
    bench.wait(200);
    // With each end the others are still on the disk.
    expect(kept).toEqual([[open[1]], []]);
    expect(bench.changes.slice(-2).map(({ event, values }) => [event, values.endReason])).toEqual([
      ['end', 'disabled'],
      ['end', 'disabled'],
    ]);
  });
});

describe('an alert that nobody looks at', () => {
  it('reminds, and backs off up to the longest time', () => {
    const settings = settingsWith({ reminders: { firstAfterMs: 60_000, longestMs: 240_000 } });
    const bench = new Bench(settings).start().run(10_000, 160);
    const raisedMs = bench.changes[0]!.raisedMs;
    const atMs: number[] = [];
    while (atMs.length < 5) {
      bench.run(1_000, 160);
      if (bench.changes.length - 1 > atMs.length) atMs.push(Math.round((bench.nowMs - raisedMs) / 10_000) * 10);
    }
    expect(bench.changes.slice(1).map((c) => [c.event, c.values.reminder])).toEqual(
      [1, 2, 3, 4, 5].map((n) => ['update', n]),
    );
    expect(atMs).toEqual([60, 180, 420, 660, 900]);
  });

  it('does not remind of what somebody has acknowledged, nor when switched off', () => {
    const bench = new Bench().start().run(30_000, 160);
    for (let i = 0; i < 15; i++) {
      bench.engine.ack('extreme-tachycardia', bench.nowMs + 600_000);
      bench.run(60_000, 160);
    }
    expect(bench.changes.filter((c) => c.values.reminder !== undefined)).toEqual([]);
    const off = new Bench(settingsWith({ reminders: { firstAfterMs: 0 } })).start().run(1_800_000, 160);
    expect(off.changes).toHaveLength(1);
  });

  const own = settingsWith({ tachycardia: { aboveBpm: 120 }, reminders: { firstAfterMs: 0 } });

  it('rises by one priority when it lasts, once, and says from which', () => {
    const bench = new Bench(own).start().run(3_600_000, 130);
    expect(bench.of('tachycardia').map((c) => [c.event, c.priority, c.values.escalatedFrom])).toEqual([
      ['new', 'medium', undefined],
      ['update', 'high', 'medium'],
    ]);
    const [raised, risen] = bench.of('tachycardia');
    expect(risen!.raisedMs).toBe(raised!.raisedMs);
    // From now on it is a high one for whoever wants silence.
    const asked = bench.engine.ack('tachycardia', bench.nowMs + 3_600_000);
    expect(asked).toEqual({ accepted: true, untilMs: bench.nowMs + 600_000 });
    bench.run(60_000, 70);
    expect(bench.ends('tachycardia')[0]?.priority).toBe('high');
  });

  it('does not rise while somebody has acknowledged it; does after, also over a restart', () => {
    const bench = new Bench(own).start().run(60_000, 130);
    bench.engine.ack('tachycardia', bench.nowMs + 1_200_000);
    bench.run(1_100_000, 130);
    expect(bench.of('tachycardia').every((c) => c.priority === 'medium')).toBe(true);
    bench.restart();
    bench.start().run(300_000, 130);
    expect(bench.of('tachycardia').filter((c) => c.values.escalatedFrom === 'medium')).toHaveLength(1);
    bench.restart();
    bench.start().run(1_800_000, 130);
    expect(bench.of('tachycardia').filter((c) => c.values.escalatedFrom === 'medium')).toHaveLength(1);
    expect(bench.engine.active()[0]?.priority).toBe('high');
  });
});

describe('signal lost while an alert is open', () => {
  it('holds it for the hold time, then ends it and says why', () => {
    const bench = new Bench().start().run(30_000, 160).quality('contact-off').wait(59_000);
    expect(bench.ends('extreme-tachycardia')).toEqual([]);
    bench.wait(2_000);
    expect(bench.ends('extreme-tachycardia')[0]?.values).toMatchObject({ endReason: 'signal-lost' });
    expect(bench.engine.active().map((c) => c.kind)).toEqual(['contact-off']);
  });

  it('goes on with the same alert when the signal is back in time', () => {
    const bench = new Bench().start().run(30_000, 160).quality('poor').wait(20_000).quality('good').run(60_000, 160);
    expect(bench.of('extreme-tachycardia').map((c) => c.event)).toEqual(['new']);
  });
});

describe('evidence', () => {
  it('is the waveform around the onset, at most as long as configured, and the intervals', () => {
    const asked: [number, number][] = [];
    const capture = (fromMs: number, toMs: number): Evidence['signal'] => {
      asked.push([fromMs, toMs]);
      return { startAtMs: fromMs, rateHz: 250, unit: 'mV', samples: [0, 1] };
    };
    const bench = new Bench(settingsWith(), true, capture).start().run(30_000, 70);
    const lastMs = bench.lastBeatMs!;
    bench.wait(10_000);
    const [raised] = bench.news('asystole');
    expect(asked).toEqual([[lastMs - 2_000, raised!.raisedMs]]);
    expect(raised?.evidence.signal?.samples).toEqual([0, 1]);
    expect(bench.engine.active()[0]?.evidence).toEqual(raised?.evidence);
    bench.run(20_000, 70);
    expect(bench.ends('asystole')[0]?.evidence).toEqual({});
  });
});

describe('acknowledge and snooze', () => {
  it('an acknowledged alert is silent until then, reminds once when it still stands, and tells its end', () => {
    const bench = new Bench().start().run(30_000, 160);
    expect(bench.engine.ack('asystole', bench.nowMs + 60_000)).toMatchObject({ accepted: false });
    expect(bench.engine.ack('extreme-tachycardia', bench.nowMs)).toMatchObject({ accepted: false });
    const untilMs = bench.nowMs + 300_000;
    expect(bench.engine.ack('extreme-tachycardia', untilMs)).toEqual({ accepted: true, untilMs });
    const told = bench.changes.length;
    expect(bench.changes.at(-1)).toMatchObject({ event: 'update', values: { acknowledged: true } });
    for (let i = 0; i < 28; i++) bench.run(10_000, i % 2 ? 150 : 200);
    expect(bench.changes).toHaveLength(told);
    bench.run(60_000, 160);
    expect(bench.changes.slice(told)).toMatchObject([{ event: 'update', values: { acknowledged: false } }]);
    bench.run(60_000, 80);
    expect(bench.changes.at(-1)?.event).toBe('end');
  });

  it('a snoozed kind is not raised, nor are the kinds it explains, until the snooze is over', () => {
    const bench = new Bench().start().run(30_000, 160);
    const asked = bench.engine.snooze('extreme-tachycardia', bench.nowMs + 3_600_000);
    // A high priority cannot be silenced for an hour.
    expect(asked).toEqual({ accepted: true, untilMs: bench.nowMs + 600_000 });
    expect(bench.changes.at(-1)).toMatchObject({ event: 'end', values: { endReason: 'snoozed' } });
    bench.run(598_000, 160);
    expect(bench.changes).toHaveLength(2);
    bench.run(5_000, 160);
    expect(bench.changes).toHaveLength(3);
    expect(bench.changes[2]).toMatchObject({ event: 'new', kind: 'extreme-tachycardia' });
    expect(bench.changes[2]?.id).not.toBe(bench.changes[0]?.id);
  });

  it('both survive a restart', () => {
    const bench = new Bench().start().run(30_000, 160);
    bench.engine.ack('extreme-tachycardia', bench.nowMs + 300_000);
    bench.engine.snooze('pause', bench.nowMs + 300_000);
    bench.restart();
    bench.start().run(30_000, 160).run(30_000, 200);
    bench.run(60_000, 70).beat(3_200).run(10_000, 70);
    expect(bench.of('extreme-tachycardia').map((c) => c.event)).toEqual(['new', 'update', 'end']);
    expect(bench.of('pause')).toEqual([]);
    bench.run(300_000, 70).beat(3_200).run(10_000, 70);
    expect(bench.news('pause')).toHaveLength(1);
  });
});

describe('an alert that an earlier process had told of and had not stored', () => {
  const FAST = { kind: 'extreme-tachycardia', priority: 'high', values: { rateBpm: 181 } } as const;

  it('goes on under its id, from its sequence, and has its one end', () => {
    const bench = new Bench().start();
    bench.engine.recall(0, [{ ...FAST, id: 'told', sequence: 2, onsetMs: -9_000, raisedMs: -3_000 }]);
    expect(bench.engine.active()).toMatchObject([
      { id: 'told', sequence: 2, values: { rateBpm: 181 }, onsetMs: -9_000 },
    ]);
    bench.run(30_000, 180);
    expect(bench.news('extreme-tachycardia')).toEqual([]);
    bench.run(30_000, 75);
    expect(bench.of('extreme-tachycardia').map(({ id }) => id)).toEqual(bench.changes.map(() => 'told'));
    expect(bench.of('extreme-tachycardia')[0]?.sequence).toBe(3);
    expect(bench.ends('extreme-tachycardia')[0]).toMatchObject({ id: 'told', values: { endReason: 'cleared' } });
  });

  it('ends where it does not stand any more, and where nothing is known any more', () => {
    for (const state of ['good', 'contact-off'] as const) {
      const bench = new Bench().start().quality(state);
      bench.engine.recall(0, [{ ...FAST, id: 'told', sequence: 1, onsetMs: -9_000, raisedMs: -3_000 }]);
      if (state === 'good') bench.run(20_000, 75);
      else bench.wait(70_000);
      expect(bench.ends('extreme-tachycardia')).toMatchObject([{ id: 'told', sequence: 2 }]);
    }
  });

  it('ends at once where the same has been raised anew, is snoozed, or is switched off', () => {
    const told = [{ ...FAST, id: 'told', sequence: 5, onsetMs: -9_000, raisedMs: -3_000 }];
    const anew = new Bench().start().run(30_000, 180);
    const own = anew.news('extreme-tachycardia')[0]?.id;
    anew.engine.recall(anew.nowMs, told);
    expect(anew.changes.at(-1)).toMatchObject({
      id: 'told',
      sequence: 6,
      event: 'end',
      values: { endReason: 'restarted' },
    });
    expect(anew.engine.active().map(({ id }) => id)).toEqual([own]);
    const snoozed = new Bench().start();
    snoozed.engine.snooze('extreme-tachycardia', 60_000);
    snoozed.engine.recall(0, told);
    expect(snoozed.changes).toMatchObject([
      { id: 'told', sequence: 6, event: 'end', values: { endReason: 'restarted' } },
    ]);
    const off = new Bench(settingsWith({ 'extreme-tachycardia': { enabled: false } })).start();
    off.engine.recall(0, told);
    expect(off.changes).toMatchObject([{ id: 'told', sequence: 6, event: 'end', values: { endReason: 'disabled' } }]);
  });

  it('of one that was stored: what was told since is counted, and nothing falls back', () => {
    const bench = new Bench().start().run(30_000, 180);
    const [alert] = bench.engine.active();
    bench.restart();
    bench.start();
    const told = { ...alert!, values: { rateBpm: 199 }, onsetMs: 0, raisedMs: 0 };
    bench.engine.recall(bench.nowMs, [{ ...told, sequence: alert!.sequence - 1 }]);
    expect(bench.engine.active()).toMatchObject([{ sequence: alert!.sequence, values: alert!.values }]);
    bench.engine.recall(bench.nowMs, [{ ...told, sequence: alert!.sequence + 2 }]);
    expect(bench.engine.active()).toMatchObject([{ sequence: alert!.sequence + 2, values: { rateBpm: 199 } }]);
    bench.run(30_000, 75);
    expect(bench.ends('extreme-tachycardia')[0]?.sequence).toBe(alert!.sequence + 3);
  });

  it('a graver kind that stands explains it; times of the future are brought back', () => {
    const bench = new Bench().start().run(10_000, 75).run(10_000, 180, { beatClass: 'V' });
    expect(bench.engine.active().map(({ kind }) => kind)).toEqual(['ventricular-tachycardia']);
    bench.engine.recall(bench.nowMs, [{ ...FAST, id: 'told', sequence: 1, onsetMs: 1e9, raisedMs: 2e9 }]);
    expect(bench.changes.at(-1)).toMatchObject({
      id: 'told',
      event: 'end',
      onsetMs: bench.nowMs,
      raisedMs: bench.nowMs,
      values: { endReason: 'subsumed', by: 'ventricular-tachycardia' },
    });
  });
});

describe('stop', () => {
  it('ends what is open', () => {
    const bench = new Bench().start().run(30_000, 160);
    bench.engine.stop(bench.nowMs);
    expect(bench.changes.map((c) => c.event)).toEqual(['new', 'end']);
    expect(bench.engine.active()).toEqual([]);
  });
});

describe('bad input', () => {
  it('is ignored: times that are no numbers, beats that go back', () => {
    const bench = new Bench().start().run(30_000, 70);
    const { engine } = bench;
    engine.tick(Number.NaN);
    engine.link(Number.NaN, 'data');
    engine.link(Number.POSITIVE_INFINITY, 'silent');
    engine.quality({ tMs: Number.NaN, state: 'contact-off', reasons: [] });
    engine.deviceHeartRate(Number.NaN, 300);
    engine.deviceHeartRate(bench.nowMs, -5);
    engine.inference(Number.NaN, 'down', 'x');
    engine.rhythm({ tMs: Number.NaN, label: 'afib', score: 1, windowBeats: 60, windowStartMs: 0 });
    for (const tMs of [Number.NaN, bench.lastBeatMs! - 500]) {
      engine.beat({ tMs, sample: -1, rrMs: 5_000, decidedAtMs: tMs, quality: 1, source: 'ecg' });
    }
    bench.run(60_000, 70);
    expect(bench.changes).toEqual([]);
  });
});
