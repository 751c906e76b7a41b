import { beforeEach, describe, expect, it } from 'vitest';
import { builtInScenario, makeScenario } from '../../src/simulator/scenario.js';
import { startAedes, type TestBroker } from '../delivery/support/brokers.js';
import { type AlertEvent, checkLives, subscribe } from './support/contract.js';
import { BEAT_ECG, startLockstep } from './support/lockstep.js';
import { afterwards, until } from './support/world.js';

/** The whole way: a heart at a serial port, the right alerts at a broker, seen by a program that only knows the contract. */

let broker: TestBroker;

beforeEach(async () => {
  broker = await startAedes();
  afterwards(() => broker.close());
});

const steps = (alerts: readonly AlertEvent[], event: string) =>
  alerts.filter((alert) => alert.event === event).map(({ kind }) => kind);

describe('the demo scenario', () => {
  it('gives exactly the alerts of its episodes, each with its end, as the contract says them', async () => {
    const consumer = await subscribe(broker.url, 'bench');
    const bench = await startLockstep({ scenario: builtInScenario('demo')!, brokerUrl: broker.url, model: BEAT_ECG });
    expect(bench.daemon.ready()).toEqual({ ready: true, reasons: [], notes: [] });
    await bench.runTo(420_000);
    await until(
      () => `six ends: ${consumer.distinct().map(({ event, kind }) => `${event} ${kind}`)}`,
      () => new Set(steps(consumer.distinct(), 'end')).size === 6,
    );
    const alerts = consumer.distinct();
    checkLives(alerts);
    const kinds = [
      'extreme-tachycardia',
      'atrial-fibrillation',
      'ventricular-tachycardia',
      'pause',
      'ventricular-fibrillation',
      'contact-off',
    ];
    expect(steps(alerts, 'new')).toEqual(kinds);
    expect(steps(alerts, 'end').sort()).toEqual([...kinds].sort());

    // Each came within the time its rule needs, and says when it truly began.
    const wallZeroMs = bench.time.wallMs() - bench.elapsedMs();
    const allowedMs: Record<string, number> = {
      'extreme-tachycardia': 10_000,
      'atrial-fibrillation': 75_000,
      'ventricular-tachycardia': 7_000,
      pause: 5_000,
      'ventricular-fibrillation': 6_000,
      'contact-off': 6_500,
    };
    for (const { kind, onsetAt, raisedAt, latencyMs, replayed, model, evidence } of alerts.filter(
      ({ event }) => event === 'new',
    )) {
      const truth = bench.truths.find((one) => one.event === 'begin' && one.kind === kind);
      const raisedAfterMs = Date.parse(raisedAt) - wallZeroMs - (truth?.tMs ?? Number.NaN);
      expect(raisedAfterMs, `${kind} was raised`).toBeGreaterThan(0);
      expect(raisedAfterMs, `${kind} was raised`).toBeLessThan(allowedMs[kind]!);
      expect(Date.parse(onsetAt)).toBeLessThanOrEqual(Date.parse(raisedAt));
      expect(replayed).toBe(false);
      expect(latencyMs === null || latencyMs >= 0).toBe(true);
      if (kind === 'contact-off') continue;
      expect(evidence.rrMs?.length, `${kind} has evidence`).toBeGreaterThan(3);
      expect(evidence.signal?.samples.length, `${kind} has evidence`).toBeGreaterThan(100);
      // Who decided is said where a model did, and only there.
      if (kind === 'ventricular-tachycardia') expect(model).toMatchObject({ name: 'beat-ecg' });
      else if (kind === 'ventricular-fibrillation') expect(model).toMatchObject({ name: 'shockable-ecg' });
      else expect(model).toBeNull();
    }
    consumer.checkAll();

    // What a newcomer is told afterwards: nothing is open.
    const newcomer = await subscribe(broker.url, 'bench');
    await until('what is retained', () => newcomer.last('chest/alarms'));
    expect(JSON.parse(newcomer.last('chest/alarms')!)).toEqual([]);
  }, 120_000);
});

describe('what else is at the broker and on the web', () => {
  const scenario = makeScenario({
    episodes: [
      { rhythm: 'sinus', bpm: 70, seconds: 15 },
      { rhythm: 'sinus-tachycardia', bpm: 170, rampSeconds: 3, seconds: 3600 },
    ],
  });

  it('states are retained, open alerts are listed, vitals flow, and goodbye is said', async () => {
    const consumer = await subscribe(broker.url, 'bench');
    const bench = await startLockstep({ scenario, brokerUrl: broker.url, model: BEAT_ECG });
    await bench.runTo(45_000);
    await until('the alert', () => consumer.alerts().length > 0);
    const [alert] = consumer.alerts();

    const newcomer = await subscribe(broker.url, 'bench');
    await until('what is retained', () => newcomer.last('chest/alarms') && newcomer.last('about'));
    const retained = newcomer.messages.filter(({ retain }) => retain).map(({ topic }) => topic);
    expect(retained).toEqual(
      expect.arrayContaining([
        'slothd/bench/availability',
        'slothd/bench/about',
        'slothd/bench/health',
        'slothd/bench/chest/availability',
        'slothd/bench/chest/alarms',
      ]),
    );
    expect(retained.some((topic) => /^homeassistant\/device\/.*\/config$/.test(topic))).toBe(true);
    expect(retained.some((topic) => /(vitals|alert)$/.test(topic))).toBe(false);
    expect(newcomer.last('availability')).toBe('online');
    expect(newcomer.last('chest/availability')).toBe('online');
    expect(JSON.parse(newcomer.last('chest/alarms')!)).toMatchObject([{ id: alert?.id, kind: 'extreme-tachycardia' }]);
    expect(JSON.parse(newcomer.last('about')!)).toMatchObject({
      version: '0.0.0-test',
      models: ['beat-ecg', 'shockable-ecg'].map((name) => ({
        name,
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      })),
    });

    const vitals = consumer.messages.filter(({ topic }) => topic === 'slothd/bench/chest/vitals');
    expect(vitals.length).toBeGreaterThan(38);
    expect(vitals.every(({ qos, retain }) => qos === 0 && !retain)).toBe(true);
    const last = JSON.parse(vitals.at(-1)!.text);
    expect(last).toMatchObject({ contact: true, quality: 'good' });
    expect(last.hrBpm).toBeGreaterThan(160);
    expect(last.hrBpm).toBeLessThan(180);
    const rr = vitals.flatMap(({ text }) => JSON.parse(text).rrMs as number[]);
    // Every interval once: together they are the time, but for the first beats and the newest.
    expect(rr.reduce((sum, one) => sum + one, 0)).toBeGreaterThan(38_000);
    expect(rr.reduce((sum, one) => sum + one, 0)).toBeLessThan(45_000);

    const url = bench.daemon.dashboardUrl!;
    const get = (path: string) => fetch(new URL(path, url));
    expect((await get('/livez')).status).toBe(200);
    expect((await get('/readyz')).status).toBe(200);
    expect(await (await get('/')).text()).toContain('<html');
    const metrics = await (await get('/metrics')).text();
    expect(metrics).toContain('slothd_alerts_total{sensor="chest",kind="extreme-tachycardia",event="new"} 1');
    // Not `detect`: in the time of this test nothing takes any, and what took none is not recorded there.
    for (const stage of ['decode', 'window', 'inference', 'alarm', 'publish_ack', 'wire_to_alert']) {
      const count = metrics.match(new RegExp(`^slothd_stage_duration_seconds_count\\{.*"${stage}".*\\} (\\d+)`, 'm'));
      expect(Number(count?.[1]), `stage ${stage}`).toBeGreaterThan(0);
    }

    await bench.stop();
    await until('the goodbye', () => consumer.last('availability') === 'offline');
    expect(consumer.last('chest/availability')).toBe('offline');
    // A stop is no recovery: the alert stays open and is taken up at the next start.
    expect(steps(consumer.distinct(), 'end')).toEqual([]);
    consumer.checkAll();
  });

  it('without a model it says so, and every rule that needs none goes on', async () => {
    const consumer = await subscribe(broker.url, 'bench');
    const bench = await startLockstep({
      scenario,
      brokerUrl: broker.url,
      config: { inference: { models: { beat: '/nowhere/beat-ecg' } } },
    });
    await bench.runTo(45_000);
    await until('the alerts', () => consumer.alerts().length >= 2);
    expect(steps(consumer.distinct(), 'new')).toEqual(['inference-down', 'extreme-tachycardia']);
    expect(consumer.alerts()[0]?.values.reason).toContain('/nowhere/beat-ecg');
    const ready = await fetch(new URL('/readyz', bench.daemon.dashboardUrl!));
    expect(ready.status).toBe(503);
    expect(await ready.text()).toContain('/nowhere/beat-ecg');
    expect((await fetch(new URL('/livez', bench.daemon.dashboardUrl!))).status).toBe(200);
    consumer.checkAll();
  });
});
