// Story 8 at length: the model host is killed, stopped and crashed while sensors are live.
// Usage: npm run soak:host -- [--rounds 1000] [--daemons 4] [--seed 1] [--out FILE]
// Several daemons at once, for a host must live ten seconds before its death counts as a first one again (three in a row
// change the model's variant, by design): each daemon's host dies twice, then is left alone for that long.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { seededRandom } from '../dist/lab/random.js';
import { freePort } from './lib/ports.mjs';
import { machine, save, table } from './lib/report.mjs';
import { Broker } from './soak/broker.mjs';
import { delays, Judge } from './soak-host/judge.mjs';
import { Ward } from './soak-host/ward.mjs';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '1000' },
    daemons: { type: 'string', default: '4' },
    seed: { type: 'string', default: '1' },
    out: { type: 'string' },
  },
});
const [rounds, daemons, seed] = [options.rounds, options.daemons, options.seed].map(Number);
if (![rounds, daemons, seed].every((n) => Number.isInteger(n) && n > 0)) {
  console.error('--rounds, --daemons and --seed want whole numbers above 0');
  process.exit(1);
}

const SIGNALS = ['SIGKILL', 'SIGSTOP', 'SIGSEGV'];
/** STEADY_MS of src/inference/fallback.ts, and a little: what makes the next death a first one. */
const STEADY_MS = 10_500;
const DEATHS_IN_A_ROW = 2;
const PATIENCE_MS = 150_000;
/** Longest between two deaths that follow each other, so that they fall anywhere in a beat. */
const PAUSE_MS = 1500;
/** After the last death: alerts end, straps finish, the outbox drains. */
const SETTLE_MS = 90_000;
/** A death may not cost the straps' alarms more than this over what they cost otherwise, p99, ms. */
const MOST_ADDED_MS = 250;
/** The p99 of fewer alarms is their maximum, and says nothing. */
const FEW = 100;
/** Straps have fallen silent by the end, and a machine with other work may be slow: these are right, not stuck. */
const MAY_STAY_OPEN = new Set(['no-data', 'inference-slow']);
const SECONDS = 6 * 3600;

const beganMs = performance.now();
const violations = [];
const violated = (text) => {
  violations.push({ atS: Math.round((performance.now() - beganMs) / 1000), text });
  console.log(`VIOLATION ${text}`);
};
const folder = mkdtempSync(join(tmpdir(), 'slothd-soak-host-'));
const broker = new Broker(folder, await freePort());
await broker.start();
const wards = [];
const done = Object.fromEntries(SIGNALS.map((signal) => [signal, 0]));
const respawnMs = Object.fromEntries(SIGNALS.map((signal) => [signal, []]));
let judge = null;
let memory = [];
let frames = null;
try {
  judge = await Judge.connect(broker.url, wards);
  for (let i = 0; i < daemons; i++)
    wards.push(
      await Ward.start({ folder, name: `d${i}`, brokerUrl: broker.url, seed: seed * 100 + i, seconds: SECONDS }),
    );
  console.log(`${daemons} daemons are ready, after ${Math.round((performance.now() - beganMs) / 1000)} s`);
  // Variants are tried between the answers once a host is ready; what stands then must stand to the end.
  await sleep(STEADY_MS);
  for (const ward of wards) ward.variant = await ward.variants();
  memory = wards.map((ward) => ({ firstMib: ward.mib }));
  let left = rounds;
  await Promise.all(
    wards.map(async (ward, at) => {
      const random = seededRandom(seed * 1000 + at);
      while (left > 0 && ward.exit === null) {
        for (let k = 0; k < DEATHS_IN_A_ROW && left > 0; k++) {
          left--;
          await die(ward, SIGNALS[Math.floor(random() * SIGNALS.length)]);
          await sleep(random() * PAUSE_MS);
        }
        if (left > 0) await sleep(STEADY_MS);
      }
    }),
  );
  await settle();
} catch (error) {
  violated(`the soak itself failed: ${error.stack}`);
} finally {
  for (const ward of wards) await ward.stop();
  await judge?.close();
  await broker.stop();
}
report();
if (violations.length === 0) rmSync(folder, { recursive: true, force: true });
else console.log(`logs of the daemons: ${folder}`);
process.exit(violations.length > 0 ? 1 : 0);

/** One round: the host dies of `signal`, and another one answers. */
async function die(ward, signal) {
  if ((await ward.respawned(null, PATIENCE_MS)) === null) {
    violated(`${ward.name}: no host that answers within ${PATIENCE_MS / 1000} s`);
    return;
  }
  const pid = ward.host;
  if (pid === null) return;
  const fromMs = performance.now();
  process.kill(pid, signal);
  const tookMs = await ward.respawned(pid, PATIENCE_MS);
  judge.disturbed(ward, fromMs, performance.now());
  done[signal]++;
  if (tookMs === null) violated(`${ward.name}: no new host within ${PATIENCE_MS / 1000} s of ${signal}`);
  else respawnMs[signal].push(tookMs);
  if (ward.exit !== null) violated(`${ward.name} ended by itself (${ward.exit}) after ${signal}`);
  const made = SIGNALS.reduce((sum, name) => sum + done[name], 0);
  if (made % 20 === 0 || made === rounds)
    console.log(`${made} of ${rounds} rounds, ${Math.round((performance.now() - beganMs) / 1000)} s`);
}

/** Peace; then everything that was promised is looked for. */
async function settle() {
  await Promise.all(wards.map((ward, i) => ward.calm(seed * 100 + i)));
  const untilMs = performance.now() + SETTLE_MS;
  while (performance.now() < untilMs && judge.faults(MAY_STAY_OPEN).length > 0) await sleep(500);
  for (const text of judge.faults(MAY_STAY_OPEN)) violated(text);
  memory = memory.map((one, i) => ({ ...one, lastMib: wards[i].mib }));
  frames = { written: 0, decoded: 0 };
  for (const ward of wards) {
    const { inference } = await ward.ask('/about');
    const now = await ward.variants();
    if (inference.state !== 'ready' && inference.state !== 'slow')
      violated(`${ward.name} ends ${inference.state}: ${inference.reason}`);
    if (now !== ward.variant) violated(`${ward.name} began with ${ward.variant} and ends with ${now}`);
    const decoded = await ward.decoded();
    for (const [i, written] of ward.written.entries()) {
      frames.written += written;
      frames.decoded += decoded[i];
      if (decoded[i] !== written) violated(`${ward.name}/strap${i}: ${written} lines written, ${decoded[i]} decoded`);
    }
  }
}

function report() {
  const { alerts, ruleAlarmsMs } = judge?.summary() ?? {};
  const { besideAKill, otherwise } = ruleAlarmsMs ?? {};
  const many = Math.min(besideAKill?.count ?? 0, otherwise?.count ?? 0) >= FEW;
  if (many && besideAKill.p99 > otherwise.p99 + MOST_ADDED_MS)
    violated(`rule alarms beside a kill take ${besideAKill.p99} ms (p99), otherwise ${otherwise.p99} ms`);
  const result = {
    command: `npm run soak:host -- --rounds ${rounds} --daemons ${daemons} --seed ${seed}`,
    rounds: SIGNALS.reduce((sum, signal) => sum + done[signal], 0),
    bySignal: done,
    daemons,
    minutes: Math.round((performance.now() - beganMs) / 6000) / 10,
    respawnMs: Object.fromEntries(SIGNALS.map((signal) => [signal, delays(respawnMs[signal])])),
    ruleAlarmsMs,
    strapLines: frames,
    alerts,
    memory,
    violations,
  };
  const row = ({ count, p50, p99, max }) => [count, p50 ?? '-', p99 ?? '-', max ?? '-'];
  console.log();
  table(
    ['ms', 'count', 'p50', 'p99', 'max'],
    [
      ...SIGNALS.map((signal) => [`${signal} to the next answer`, ...row(result.respawnMs[signal])]),
      ...(ruleAlarmsMs
        ? [
            ['rule alarms, line to subscriber, beside a kill', ...row(besideAKill)],
            ['rule alarms, line to subscriber, otherwise', ...row(otherwise)],
          ]
        : []),
    ],
  );
  console.log(
    `${result.rounds} rounds, ${alerts?.distinct} alerts, ${frames?.decoded} of ${frames?.written} strap lines decoded, ${violations.length} violations`,
  );
  if (options.out) writeFileSync(options.out, `${JSON.stringify({ machine: machine(), ...result }, null, 2)}\n`);
  else save('soak-host', result);
}
