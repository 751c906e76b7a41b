import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { needsMosquitto, startConsumer, startProxy } from '../delivery/support/brokers.js';
import { tick, until } from '../delivery/support/world.js';
import { BROKERS, ended } from './support/lives.js';

/**
 * Story 5, its last part: kill -9 in mid-traffic. `npm run soak:outbox` runs a thousand rounds of it, prints what came of
 * them and keeps it in bench/results/outbox-soak.json.
 */

const SOAK = process.env.SLOTHD_SOAK_ROUNDS !== undefined;
const ROUNDS = Number(process.env.SLOTHD_SOAK_ROUNDS ?? 6);
/** For a child to start and be heard: a soak runs for an hour beside whatever else the machine does. */
const PATIENCE_MS = SOAK ? 180_000 : 20_000;
/** What each broker saw, for the report of a soak. */
const report: Record<string, Record<string, number>> = {};
const CHILD = join(import.meta.dirname, 'support/outbox-child.mjs');
const DIST = join(import.meta.dirname, '../../dist/delivery/publisher.js');

function life(dir: string, url: string, mode: 'raise' | 'drain') {
  const child = spawn(process.execPath, [CHILD, dir, url, mode], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  return { child, out: () => out, err: () => err };
}

afterEach(async () => {
  if (!SOAK || Object.keys(report).length === 0) return;
  const { load, save } = await import(join(import.meta.dirname, '../../bench/lib/report.mjs'));
  // A run with one broker alone (-t aedes) leaves what the other one saw.
  const brokers = { ...load('outbox-soak')?.brokers, ...report };
  save('outbox-soak', { command: 'npm run soak:outbox', brokers });
  console.log(JSON.stringify(report, null, 2));
});

describe.each(BROKERS)('with $name', ({ name, there, start }) => {
  test(
    `${ROUNDS} rounds of SIGKILL: nothing lost, duplicates only under the same id, order kept per sensor`,
    async ({ skip }) => {
      needsMosquitto(there, skip);
      expect(existsSync(DIST), 'run npm run build first: the child runs from dist/').toBe(true);
      const dir = await mkdtemp(join(tmpdir(), 'slothd-kill-'));
      const broker = await start();
      const proxy = await startProxy(broker.port);
      const consumer = await startConsumer(broker.url, 4, ['slothd/pi/+/alert']);
      const startedMs = performance.now();
      let cuts = 0;
      try {
        for (let round = 0; round < ROUNDS; round++) {
          const before = consumer.heard.length;
          const { child, err } = life(dir, proxy.url, 'raise');
          await until(() => consumer.heard.length > before || child.exitCode !== null, 'the first alert', PATIENCE_MS);
          expect(child.exitCode, err()).toBe(null);
          if (round % 3 === 1) {
            proxy.cut();
            cuts++;
          }
          if (SOAK && round % 100 === 99) console.log(`${name}: ${round + 1} of ${ROUNDS} rounds`);
          await tick(10 + ((round * 37) % 120));
          child.kill('SIGKILL');
          await ended(child);
        }
        const last = life(dir, proxy.url, 'drain');
        await ended(last.child);
        expect(last.child.exitCode, last.err()).toBe(0);
        const counter = Number(/counter (\d+)/.exec(last.out())?.[1]);
        const numbers = () =>
          consumer.heard.map(({ text }) => Number((JSON.parse(text) as { id: string }).id.slice(2)));
        await until(() => new Set(numbers()).size >= counter, 'all alerts', PATIENCE_MS);

        const firsts: number[] = [];
        const seen = new Set<number>();
        for (const n of numbers()) {
          if (!seen.has(n)) firsts.push(n);
          seen.add(n);
        }
        // Everything up to what was stored, and whatever the broker had before the store did.
        const missing = Array.from({ length: counter }, (_, i) => i + 1).filter((n) => !seen.has(n));
        report[name] = {
          rounds: ROUNDS,
          linkCuts: cuts,
          alertsStored: counter,
          alertsReceived: seen.size,
          duplicatesUnderTheSameId: consumer.heard.length - seen.size,
          lost: missing.length,
          seconds: Math.round((performance.now() - startedMs) / 1000),
        };
        expect(missing).toEqual([]);
        expect(counter).toBeGreaterThan(ROUNDS * 5);
        for (const parity of [0, 1]) {
          const own = firsts.filter((n) => n % 2 === parity);
          expect(own).toEqual([...own].sort((a, b) => a - b));
        }
        // Sent twice with the same id is the same alert: same sensor, same event.
        const bodies = new Map<string, string>();
        for (const { text } of consumer.heard) {
          const { id, sequence, sensor, values } = JSON.parse(text) as Record<string, unknown>;
          const body = JSON.stringify({ sequence, sensor, values });
          expect(bodies.get(String(id)) ?? body).toBe(body);
          bodies.set(String(id), body);
        }
      } finally {
        await consumer.close();
        await proxy.close();
        await broker.close();
        await rm(dir, { recursive: true, force: true });
      }
    },
    PATIENCE_MS + ROUNDS * 10_000,
  );
});
