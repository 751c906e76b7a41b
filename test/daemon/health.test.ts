import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type HealthInputs, healthOf, readiness } from '../../src/daemon/health.js';
import { LatencyBook } from '../../src/watch/latency.js';

function inputs(over: Partial<HealthInputs> = {}): HealthInputs {
  return {
    watchdog: { healthy: true, reasons: [] },
    inference: { wanted: true, state: 'ready', reason: '' },
    delivery: {
      enabled: true,
      url: 'mqtt://localhost:1883',
      connected: true,
      protocol: '5',
      lastError: '',
      connections: 1,
      attempts: 1,
      outbox: { entries: 2, bytes: 700, shedAlerts: 0, full: false, inFlight: 0 } as never,
      vitalsSent: 0,
      vitalsDropped: 0,
      webhook: null,
      commands: {} as never,
    },
    storeState: 'ok',
    sensors: [
      { name: 'chest', online: true },
      { name: 'finger', online: false },
    ],
    latency: new LatencyBook(() => undefined),
    machine: {
      rssBytes: 80 * 1048576,
      cpuShare: 0.0314159,
      cpuSeconds: 12,
      loopLagMs: 1.23456,
      temperatureC: 48.25,
      throttled: false,
    },
    clockSynced: true,
    uptimeMs: 65_400,
    ...over,
  };
}

const delivery = (over: object) => ({ ...inputs().delivery, ...over });

describe('readiness', () => {
  it('is ready when a beat would be looked at and its alert would arrive', () => {
    expect(readiness(inputs())).toEqual({ ready: true, reasons: [], notes: [] });
  });

  it.each([
    ['a stage that hangs', { watchdog: { healthy: false, reasons: ['event-loop: silent for 3 s'] } }, 'event-loop'],
    [
      'a model that is down, with why',
      { inference: { wanted: true, state: 'down', reason: 'died (SIGKILL)' } },
      'inference: down (died (SIGKILL)); rules go on without it',
    ],
    ['a model that starts', { inference: { wanted: true, state: 'starting', reason: '' } }, 'inference: starting'],
    ['a broker that is away', { delivery: delivery({ connected: false, lastError: 'refused' }) }, 'broker: refused'],
    ['no connection yet', { delivery: delivery({ connected: false }) }, 'broker: not connected yet'],
    ['a store in memory', { storeState: 'memory-only' }, 'store: memory-only'],
  ] as [string, Partial<HealthInputs>, string][])('not with %s', (_what, over, reason) => {
    const { ready, reasons } = readiness(inputs(over));
    expect(ready).toBe(false);
    expect(reasons).toHaveLength(1);
    expect(reasons[0]).toContain(reason);
  });

  it('does not miss what nobody wants, nor blame what was mended', () => {
    expect(readiness(inputs({ inference: { wanted: false, state: 'down', reason: '' } })).ready).toBe(true);
    expect(readiness(inputs({ delivery: delivery({ enabled: false, connected: false }) })).ready).toBe(true);
    expect(readiness(inputs({ storeState: 'repaired' })).ready).toBe(true);
    // A sensor that is not worn is no fault of the daemon.
    expect(readiness(inputs({ sensors: [{ name: 'chest', online: false }] })).ready).toBe(true);
  });

  it('names every reason', () => {
    const { reasons } = readiness(
      inputs({
        storeState: 'memory-only',
        delivery: delivery({ connected: false }),
        inference: { wanted: true, state: 'down', reason: '' },
      }),
    );
    expect(reasons).toHaveLength(3);
  });
});

describe('healthOf', () => {
  it('is what the published schema says, with figures rounded', () => {
    const latency = new LatencyBook(() => undefined);
    for (let i = 1; i <= 100; i++) latency.record('inference', i / 7);
    const health = healthOf(inputs({ latency }));
    expect(health).toMatchObject({
      ready: true,
      sensors: { chest: 'online', finger: 'offline' },
      cpu: { share: 0.031 },
      uptimeSeconds: 65,
    });
    expect(health.latency.inference?.p50Ms).toBeCloseTo(50 / 7, 1);
    const schema = JSON.parse(readFileSync(new URL('../../config/health.schema.json', import.meta.url), 'utf8'));
    const published = {
      schema: 'slothd.health.v1',
      at: new Date(0).toISOString(),
      queue: { entries: 0, bytes: 0, shedAlerts: 0, full: false },
      clock: { synced: true },
      ...JSON.parse(JSON.stringify(health)),
    };
    expect(z.fromJSONSchema(schema).safeParse(published).error?.issues).toBeUndefined();
  });

  it('says unknown where the machine does not tell', () => {
    const machine = { ...inputs().machine, temperatureC: null, throttled: null };
    expect(healthOf(inputs({ machine })).system).toMatchObject({ temperature: 'unknown', throttled: 'unknown' });
  });
});
