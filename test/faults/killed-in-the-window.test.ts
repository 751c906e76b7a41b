import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { needsMosquitto, startConsumer } from '../delivery/support/brokers.js';
import { tick, until } from '../delivery/support/world.js';
import { BROKERS, ended } from './support/lives.js';
import { Receiver } from './support/mortal-world.js';

/**
 * Stories 5 and 15: kill -9 in the milliseconds between an alert's way to the broker and its way to the disk. A real
 * process, disk and broker; `SLOTHD_SOAK_ROUNDS=1000 npx vitest run test/faults/killed-in-the-window` for many of them.
 */

const ROUNDS = Number(process.env.SLOTHD_SOAK_ROUNDS ?? 10);
const CHILD = join(import.meta.dirname, 'support/alarm-child.mjs');
const DIST = join(import.meta.dirname, '../../dist/delivery/publisher.js');

describe.each(BROKERS)('with $name', ({ there, start }) => {
  test(
    `${ROUNDS} kills at the moment an alert event arrives, or right after: one alert at a time, each with one end`,
    async ({ skip }) => {
      needsMosquitto(there, skip);
      expect(existsSync(DIST), 'run npm run build first: the child runs from dist/').toBe(true);
      const dir = await mkdtemp(join(tmpdir(), 'slothd-window-'));
      const broker = await start();
      const consumer = await startConsumer(broker.url, 4, ['slothd/pi/chest/alert', 'slothd/pi/chest/alarms']);
      const beganAt = String(Date.now());
      const live = (mode: 'race' | 'calm') => {
        const child = spawn(process.execPath, [CHILD, dir, broker.url, beganAt, mode], {
          stdio: ['ignore', 'ignore', 'pipe'],
        });
        let err = '';
        child.stderr.on('data', (chunk) => {
          err += chunk;
        });
        return { child, err: () => err };
      };
      try {
        for (let round = 0; round < ROUNDS; round++) {
          const { child, err } = live('race');
          // Now on the first alert of this life, now on an end.
          const event = round % 4 === 3 ? 'end' : 'new';
          const from = consumer.alerts().length;
          const afterMs = round % 3;
          const onMessage = (topic: string, payload: Buffer) => {
            if (!topic.endsWith('/alert') || !payload.toString().includes(`"event":"${event}"`)) return;
            if (afterMs === 0) child.kill('SIGKILL');
            else setTimeout(() => child.kill('SIGKILL'), afterMs);
          };
          consumer.client.on('message', onMessage);
          await until(() => child.exitCode !== null || child.signalCode !== null, 'the kill', 30_000);
          consumer.client.off('message', onMessage);
          expect(child.signalCode, err()).toBe('SIGKILL');
          await ended(child);
          // What the dead one had still in its socket.
          await tick(20);
          expect(consumer.alerts().length).toBeGreaterThan(from);
        }
        const last = live('calm');
        await ended(last.child);
        expect(last.child.exitCode, last.err()).toBe(0);
        await until(() => consumer.last('slothd/pi/chest/alarms') === '[]', 'the empty list');
        await tick(50);
        const receiver = new Receiver();
        for (const { topic, text } of consumer.heard) if (topic.endsWith('/alert')) receiver.take(text);
        expect([...receiver.open]).toEqual([]);
        expect([...receiver.kinds]).toContain('extreme-tachycardia');
      } finally {
        await consumer.close();
        await broker.close();
        await rm(dir, { recursive: true, force: true });
      }
    },
    30_000 + ROUNDS * 10_000,
  );
});
