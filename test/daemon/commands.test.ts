import { describe, expect, it } from 'vitest';
import { AlarmEngine } from '../../src/alarm/engine.js';
import { alarmSettingsSchema } from '../../src/config/alarms.js';
import { type Commandable, carryOut } from '../../src/daemon/commands.js';
import type { AlertChange } from '../../src/domain/alert.js';

function daemon() {
  const alerts: AlertChange[] = [];
  const changed: string[] = [];
  const alarms = new AlarmEngine({
    sensor: 'chest',
    settings: alarmSettingsSchema.parse({}),
    emit: (change) => alerts.push(change),
    newId: () => 'id-1',
    capture: () => undefined,
    modelInfo: () => null,
  });
  alarms.tick(0);
  alarms.link(1000, 'silent');
  const target: Commandable = {
    alarmsOf: (sensor) => (sensor === 'chest' ? alarms : null),
    sensorNames: () => ['chest'],
    nowMs: () => 1000,
    wallMs: () => Date.parse('2026-03-01T12:00:00.000Z'),
    alarmsChanged: (sensor) => changed.push(sensor),
    sendTestAlert: (sensor) => `test-of-${sensor}`,
  };
  return { alerts, changed, target };
}

describe('carryOut', () => {
  it('acknowledges an open alert for the time asked for, and has it stored', () => {
    const { target, alerts, changed } = daemon();
    const result = carryOut('ack', { sensor: 'chest', kind: 'no-data', minutes: 5 }, target);
    expect(result).toEqual({ accepted: true, untilMs: 1000 + 5 * 60_000, until: '2026-03-01T12:05:00.000Z' });
    expect(alerts.at(-1)).toMatchObject({ event: 'update', values: { acknowledged: true } });
    expect(changed).toEqual(['chest']);
  });

  it('says once that somebody has seen it, however often they say so', () => {
    const { target, alerts } = daemon();
    for (let n = 0; n < 5; n++) carryOut('ack', { sensor: 'chest', kind: 'no-data', minutes: 5 + n }, target);
    expect(alerts.map(({ event }) => event)).toEqual(['new', 'update']);
  });

  it('snoozes for half an hour unless told', () => {
    const { target, alerts } = daemon();
    expect(carryOut('snooze', { sensor: 'chest', kind: 'no-data' }, target)).toEqual({
      accepted: true,
      untilMs: 1000 + 30 * 60_000,
      until: '2026-03-01T12:30:00.000Z',
    });
    expect(alerts.at(-1)).toMatchObject({ event: 'end', values: { endReason: 'snoozed' } });
  });

  it('tells what was granted, by the clock on the wall, where that is less than was asked', () => {
    const { target } = daemon();
    const asked = { sensor: 'chest', kind: 'asystole', minutes: 600 };
    expect(carryOut('snooze', asked, target)).toMatchObject({ accepted: true, until: '2026-03-01T12:10:00.000Z' });
  });

  it('grants three seconds at least, so that nobody makes an alert end and come back a hundred times a second', () => {
    const { target } = daemon();
    const asked = { sensor: 'chest', kind: 'no-data', minutes: 0.0001 };
    expect(carryOut('snooze', asked, target)).toMatchObject({ accepted: true, untilMs: 4_000 });
  });

  it('says what it did not do', () => {
    const { target } = daemon();
    expect(carryOut('ack', { sensor: 'chest', kind: 'pause' }, target)).toEqual({
      accepted: false,
      reason: 'no pause alert is open',
    });
  });

  it.each([
    ['ack', { sensor: 'toe', kind: 'pause' }, /^no sensor 'toe'; there are: chest$/],
    ['ack', { sensor: 'chest', kind: 'hiccup' }, /^kind: /],
    ['snooze', { kind: 'pause' }, /^sensor: /],
    ['snooze', { sensor: 'chest', kind: 'pause', minutes: 0 }, /^minutes: /],
    ['snooze', { sensor: 'chest', kind: 'pause', minutes: 1e9 }, /^minutes: /],
    ['format-disk', {}, /^unknown command 'format-disk'; there are: ack, snooze, test, ping$/],
  ])('%s %j is refused with the reason', (verb, args, reason) => {
    const { target, changed, alerts } = daemon();
    const before = alerts.length;
    expect(() => carryOut(verb, args, target)).toThrow(reason);
    expect(changed).toEqual([]);
    expect(alerts).toHaveLength(before);
  });

  it('without a kind it takes every alert that is open, as the buttons in Home Assistant do', () => {
    const { target, alerts, changed } = daemon();
    expect(carryOut('ack', { sensor: 'chest' }, target)).toEqual({
      accepted: true,
      kinds: {
        'no-data': { accepted: true, untilMs: 1000 + 30 * 60_000, until: '2026-03-01T12:30:00.000Z' },
      },
    });
    expect(alerts.at(-1)).toMatchObject({ event: 'update', kind: 'no-data' });
    carryOut('snooze', { sensor: 'chest' }, target);
    expect(changed).toEqual(['chest', 'chest']);
    expect(carryOut('ack', { sensor: 'chest' }, target)).toEqual({ accepted: false, reason: 'no alert is open' });
  });

  it('sends a test alert of the sensor named, or of the first', () => {
    const { target } = daemon();
    expect(carryOut('test', { sensor: 'chest' }, target)).toEqual({ id: 'test-of-chest' });
    expect(carryOut('silence-test', {}, target)).toEqual({ id: 'test-of-chest' });
    expect(() => carryOut('test', { sensor: 'toe' }, target)).toThrow(/no sensor 'toe'/);
  });

  it('answers a ping', () => {
    expect(carryOut('ping', {}, daemon().target)).toEqual({ pong: true });
  });
});
