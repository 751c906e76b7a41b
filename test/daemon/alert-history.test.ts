import { describe, expect, it } from 'vitest';
import { AlertHistory } from '../../src/daemon/alert-history.js';
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

  it('keeps a hundred, and never forgets one that is open', () => {
    const history = new AlertHistory();
    history.add(change('open'), toWallMs);
    for (let i = 0; i < 500; i++) history.add(change(`a${i}`, { event: 'end', endedMs: 2000 }), toWallMs);
    const ids = history.list().map(({ id }) => id);
    expect(ids).toHaveLength(100);
    expect(ids[0]).toBe('a499');
    expect(ids.at(-1)).toBe('open');
  });
});
