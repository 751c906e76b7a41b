import { expect, test } from 'vitest';
import { AlarmLists } from '../../src/delivery/alarm-lists.js';
import { RetainedState } from '../../src/delivery/retained.js';
import { Topics } from '../../src/delivery/topics.js';
import { change } from './support/world.js';

const LIST = 'slothd/pi/chest/alarms';

function lists(sensors = ['chest']) {
  const retained = new RetainedState();
  const made = new AlarmLists({
    sensors,
    topics: new Topics('slothd', 'pi'),
    retained,
    wallTime: () => ({ toWallMs: (tMs) => tMs, clockSynced: true }),
  });
  /** What would be published now. */
  const said = () => {
    const out: [string, string][] = [];
    retained.pump((topic, payload) => out.push([topic, payload]) > 0);
    return out;
  };
  return { lists: made, retained, said };
}

test('a list is of when it was made, and said when it is told', () => {
  const { lists: l, said } = lists();
  const active = [change('a', { sequence: 4 })];
  const tell = l.make('chest', active);
  active.pop();
  expect(said()).toEqual([]);
  tell();
  expect(said()).toMatchObject([[LIST, expect.stringContaining('"id":"a","sequence":4')]]);
});

test('an older list that is told late does not undo a newer one', () => {
  const { lists: l, said } = lists();
  const older = l.make('chest', []);
  const newer = l.make('chest', [change('b')]);
  newer();
  older();
  expect(said()).toMatchObject([[LIST, expect.stringContaining('"b"')]]);
});

test('paused: nothing is said, on a new connection either, until the next is told', () => {
  const { lists: l, retained, said } = lists();
  l.make('chest', [])();
  l.pause('chest');
  expect(said()).toEqual([]);
  retained.markAll();
  expect(said()).toEqual([]);
  l.make('chest', [])();
  expect(said()).toEqual([[LIST, '[]']]);
});

test('a sensor that is no longer configured has no list', () => {
  const { lists: l, said } = lists(['finger']);
  l.make('chest', [change('a')])();
  expect(said()).toEqual([[LIST, '']]);
});
