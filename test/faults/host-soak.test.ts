import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { hasMosquitto, needsMosquitto } from '../delivery/support/brokers.js';

/** Story 8, a few rounds of `npm run soak:host`, which makes a thousand. */

const ROOT = join(import.meta.dirname, '../..');

it('the host of a live daemon dies twice: every alarm of the rules comes, every alert ends, no line is lost', ({
  skip,
}) => {
  needsMosquitto(hasMosquitto, skip);
  expect(existsSync(join(ROOT, 'dist/main.js')), 'run npm run build first: the daemon runs from dist/').toBe(true);
  const folder = mkdtempSync(join(tmpdir(), 'slothd-host-soak-'));
  const out = join(folder, 'result.json');
  const args = ['bench/soak-host.mjs', '--rounds', '2', '--daemons', '1', '--seed', '2', '--out', out];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
  const said = `${stdout}${stderr}`;
  expect(status, said).toBe(0);
  const result = JSON.parse(readFileSync(out, 'utf8'));
  rmSync(folder, { recursive: true });
  expect(result.rounds).toBe(2);
  expect(result.violations).toEqual([]);
  expect(result.strapLines.decoded).toBe(result.strapLines.written);
  const { besideAKill, otherwise } = result.ruleAlarmsMs;
  expect(besideAKill.count + otherwise.count).toBeGreaterThanOrEqual(4);
}, 240_000);
