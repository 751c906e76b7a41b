import { parse } from 'csv-parse/sync';
import { describe, expect, it } from 'vitest';
import { AlertHistory, type ShownAlert } from '../../src/daemon/alert-history.js';
import { alertsCsv, matches, parseAlertQuery } from '../../src/daemon/alert-query.js';
import { createMemoryStore } from '../../src/daemon/memory-store.js';
import { change } from '../delivery/support/world.js';

const toWallMs = (tMs: number) => Date.UTC(2026, 0, 1) + tMs;

describe('AlertHistory', () => {
  it('shows each alert once, by its newest event, the newest first, in wall-clock time', () => {
    const history = new AlertHistory();
    history.add(change('a'), toWallMs);
    history.add(change('b'), toWallMs);
    history.add(change('a', { event: 'end', endedMs: 61_000 }), toWallMs);
    expect(history.list().map(({ id, event }) => `${id} ${event}`)).toEqual(['a end', 'b new']);
    expect(history.list()[0]).toMatchObject({
      onsetAt: '2026-01-01T00:00:00.900Z',
      raisedAt: '2026-01-01T00:00:01.000Z',
      endedAt: '2026-01-01T00:01:01.000Z',
    });
  });

  it('keeps a hundred where that is the bound, and never forgets one that is open', () => {
    const history = new AlertHistory({ maxAlerts: 100, maxBytes: 1e9 });
    history.add(change('open'), toWallMs);
    for (let i = 0; i < 500; i++) history.add(change(`a${i}`, { event: 'end', endedMs: 2000 }), toWallMs);
    const ids = history.list().map(({ id }) => id);
    expect(ids).toHaveLength(100);
    expect(ids[0]).toBe('a499');
    expect(ids.at(-1)).toBe('open');
  });

  it('keeps the newest tests alone, so that they cost no real alert its place', () => {
    const history = new AlertHistory({ maxAlerts: 100, maxBytes: 1e9 });
    history.add(change('real', { event: 'end', endedMs: 2000 }), toWallMs);
    for (let i = 0; i < 500; i++)
      history.add({ ...change(`t${i}`, { event: 'end', endedMs: 2000 }), kind: 'test' }, toWallMs);
    const ids = history.list().map(({ id }) => id);
    expect(ids).toHaveLength(21);
    expect([ids[0], ids.at(-2), ids.at(-1)]).toEqual(['t499', 't480', 'real']);
  });

  it('is there again after a restart, with evidence, in its order and within its bounds', async () => {
    const store = createMemoryStore();
    const bounds = { maxAlerts: 20, maxBytes: 1e9 };
    const first = new AlertHistory(bounds);
    const signal = { startAtMs: 0, rateHz: 125, unit: 'mV', samples: [1, 2, 3] };
    for (let i = 0; i < 30; i++) {
      first.add(change(`a${i}`, { evidence: { rrMs: [800 + i], signal } }), toWallMs);
      first.add(change(`a${i}`, { event: 'end', endedMs: 2000, evidence: {} }), toWallMs);
      await store.batch(first.takeWrites());
    }
    first.acknowledge('a29', '2026-01-01T01:00:00.000Z');
    await store.batch(first.takeWrites());
    const second = new AlertHistory(bounds);
    expect(await second.load(store)).toBe(0);
    expect(second.list()).toEqual(first.list());
    expect(second.list()).toHaveLength(20);
    expect(await second.details('a29', store)).toMatchObject({
      evidence: { rrMs: [829], signal },
      acknowledgedUntil: '2026-01-01T01:00:00.000Z',
    });
    expect(await second.details('a3', store)).toBeNull();
    // Nothing of what was forgotten is left in the store.
    let kept = 0;
    for await (const _ of store.scan('history/')) kept++;
    expect(kept).toBe(40);
  });

  it('steps over what makes no sense, and keeps its order where the clock was set back', async () => {
    const store = createMemoryStore();
    await store.batch([{ key: 'history/alert/0000000000000001-x', value: '{"id":3}' }]);
    const history = new AlertHistory();
    expect(await history.load(store)).toBe(1);
    history.add(change('late'), (tMs) => toWallMs(tMs) + 1e9);
    history.add(change('early'), toWallMs);
    await store.batch(history.takeWrites());
    const again = new AlertHistory();
    expect(await again.load(store)).toBe(0);
    expect(again.list().map(({ id }) => id)).toEqual(['early', 'late']);
  });

  it('stays within its bytes', () => {
    const history = new AlertHistory({ maxAlerts: 1000, maxBytes: 50_000 });
    const samples = Array.from({ length: 1250 }, () => 0.123);
    const signal = { startAtMs: 0, rateHz: 125, unit: 'mV', samples };
    for (let i = 0; i < 100; i++)
      history.add(change(`a${i}`, { event: 'end', endedMs: 2000, evidence: { signal } }), toWallMs);
    expect(history.list().length).toBeLessThan(10);
    expect(history.list()[0]?.id).toBe('a99');
  });
});

describe('alert queries', () => {
  const nowMs = Date.UTC(2026, 0, 2);
  const alert = (over: Partial<ShownAlert> = {}): ShownAlert => ({
    ...new AlertHistory().add(change('a'), toWallMs),
    ...over,
  });

  it('by time: what was open since then, and raised before then', () => {
    const ended = alert({ raisedAt: '2026-01-01T10:00:00.000Z', endedAt: '2026-01-01T11:00:00.000Z' });
    expect(matches(ended, parseAlertQuery({ since: '14h' }, nowMs))).toBe(true);
    expect(matches(ended, parseAlertQuery({ since: '12h' }, nowMs))).toBe(false);
    expect(matches({ ...ended, endedAt: null }, parseAlertQuery({ since: '12h' }, nowMs))).toBe(true);
    expect(matches(ended, parseAlertQuery({ until: '2026-01-01T09:00Z' }, nowMs))).toBe(false);
    expect(matches(ended, parseAlertQuery({ open: 'true' }, nowMs))).toBe(false);
  });

  it('refuses what it does not understand, in words', () => {
    expect(() => parseAlertQuery({ since: 'yesterday' }, nowMs)).toThrow('since: give a time such as');
    expect(() => parseAlertQuery({ kind: 'flu' }, nowMs)).toThrow("no kind 'flu'");
    expect(() => parseAlertQuery({ sensors: 'x' }, nowMs)).toThrow("there is no 'sensors' to ask by");
    expect(() => parseAlertQuery({ limit: '0' }, nowMs)).toThrow('limit is 1 to');
  });

  it('as CSV a spreadsheet reads: one row an alert, values in one cell', () => {
    const [head, row] = alertsCsv([alert({ values: { reasons: 'a,"b"' } })]).split('\r\n');
    const parsed = parse(`${head}\n${row}`, { columns: true }) as Record<string, string>[];
    expect(JSON.parse(parsed[0]!.values!)).toEqual({ reasons: 'a,"b"' });
    expect(parsed[0]).toMatchObject({ id: 'a', raisedAt: '2026-01-01T00:00:01.000Z' });
  });
});
