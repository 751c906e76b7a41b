import { describe, expect, it } from 'vitest';
import { AlarmBook, alarmPrefix, readAlarms } from '../../src/alarm/store.js';
import type { StoreWrite } from '../../src/domain/store.js';
import { Bench } from './bench.js';

const asWall = (tMs: number) => tMs + 1_790_000_000_000;

function storeOf(writes: readonly StoreWrite[]): Map<string, string> {
  const store = new Map<string, string>();
  for (const { key, value } of writes) {
    if (value === null) store.delete(key);
    else store.set(key, value);
  }
  return store;
}

describe('alarm store', () => {
  const bench = new Bench().start().run(30_000, 160);
  bench.engine.snooze('pause', bench.nowMs + 60_000);
  const snapshot = bench.engine.snapshot(asWall);

  it('writes and reads back the same', () => {
    const read = readAlarms(storeOf(new AlarmBook('chest').writes(snapshot)));
    expect(read).toEqual({ snapshot, damaged: [] });
    expect(snapshot.alerts).toHaveLength(1);
    expect(snapshot.snoozes).toHaveLength(1);
  });

  it('deletes what is no longer open, and touches no key outside its prefix', () => {
    const book = new AlarmBook('chest');
    const store = storeOf([...book.writes(snapshot), ...book.writes({ alerts: [], snoozes: [] })]);
    expect([...store.keys()]).toEqual([]);
    expect(new AlarmBook('chest').writes(snapshot).every(({ key }) => key.startsWith('alarms/chest/'))).toBe(true);
    expect(alarmPrefix('chest/2').startsWith(alarmPrefix('chest'))).toBe(false);
    expect(alarmPrefix('chest2').startsWith(alarmPrefix('chest'))).toBe(false);
  });

  it('writes the first time all that may be there, then only what differs', () => {
    const book = new AlarmBook('chest');
    const before = new Map([['alarms/chest/open/asystole', 'of an earlier run']]);
    for (const { key, value } of book.writes(snapshot)) {
      if (value === null) before.delete(key);
      else before.set(key, value);
    }
    expect(before).toEqual(storeOf(new AlarmBook('chest').writes(snapshot)));
    expect(book.writes(snapshot)).toEqual([]);
    const [alert] = snapshot.alerts;
    const later = { ...snapshot, alerts: [{ ...alert!, sequence: 7 }] };
    expect(book.writes(later)).toEqual([
      { key: 'alarms/chest/open/extreme-tachycardia', value: JSON.stringify(later.alerts[0]) },
    ]);
    expect(book.writes({ alerts: [], snoozes: [] }).map(({ value }) => value)).toEqual([null, null]);
  });

  it('leaves out what is damaged and says which', () => {
    const store = storeOf(new AlarmBook('chest').writes(snapshot));
    const key = 'alarms/chest/open/extreme-tachycardia';
    const good = store.get(key)!;
    for (let length = 0; length < good.length; length++) {
      store.set(key, good.slice(0, length));
      const read = readAlarms(store);
      expect(read.damaged).toEqual([key]);
      expect(read.snapshot.snoozes).toHaveLength(1);
    }
    store.set(key, good.replace('extreme-tachycardia', 'asystole'));
    store.set('alarms/chest/what', '{}');
    expect(readAlarms(store).damaged).toEqual([key, 'alarms/chest/what']);
  });
});

describe('restart', () => {
  it('goes on with the open alert: same id, next sequence, and one end', () => {
    const bench = new Bench().start().run(30_000, 160);
    bench.restart();
    expect(bench.engine.active()).toMatchObject([{ id: 'id-1', kind: 'extreme-tachycardia', event: 'new' }]);
    bench.start().run(30_000, 160);
    expect(bench.changes).toHaveLength(1);
    bench.run(60_000, 80);
    expect(new Set(bench.changes.map((c) => c.id))).toEqual(new Set(['id-1']));
    expect(bench.changes.map((c) => c.sequence)).toEqual(bench.changes.map((_, i) => i + 1));
    expect(bench.ends('extreme-tachycardia')).toMatchObject([{ values: { endReason: 'cleared' } }]);
    expect(bench.changes.at(-1)?.event).toBe('end');
  });

  it('ends what it can find no evidence for', () => {
    const bench = new Bench().start().run(30_000, 160);
    bench.restart();
    bench.dataFlows = false;
    bench.wait(61_000);
    expect(bench.ends('extreme-tachycardia')[0]?.values).toMatchObject({ endReason: 'signal-lost' });
  });

  it('ends an alert whose kind was switched off in between', () => {
    const bench = new Bench().start().run(30_000, 160);
    const settings = { ...bench.settings };
    settings['extreme-tachycardia'] = { ...settings['extreme-tachycardia'], enabled: false };
    bench.restart({ settings });
    bench.start().run(5_000, 80);
    expect(bench.ends('extreme-tachycardia')).toMatchObject([{ sequence: 2, values: { endReason: 'disabled' } }]);
  });
});
