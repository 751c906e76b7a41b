import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';

/** systemd/slothd.service, as far as it can be judged without a systemd that runs. */

const file = join(import.meta.dirname, '../../systemd/slothd.service');
const unit = readFileSync(file, 'utf8');
const values = (key: string) => [...unit.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value = '']) => value);

it('allows the common serial ports by number: a name counts only where its driver is loaded at the start', () => {
  // admin-guide/devices.txt: ttyS 4, ttyACM 166, ttyUSB 188, ttyAMA 204, rfcomm 216.
  for (const major of [4, 166, 188, 204, 216]) expect(values('DeviceAllow')).toContain(`char-${major} rw`);
  expect(values('DevicePolicy')).toEqual(['closed']);
});

it('never gives up starting', () => {
  expect(values('StartLimitIntervalSec')).toEqual(['0']);
  expect(values('Restart')).toEqual(['always']);
});

it('is as closed as promised', ({ skip }) => {
  const folder = mkdtempSync(join(tmpdir(), 'slothd-unit-'));
  try {
    copyFileSync(file, join(folder, 'slothd.service'));
    const args = ['security', '--offline=true', '--no-pager', '--threshold=15', join(folder, 'slothd.service')];
    const { status, stdout, error } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
    if (error || !/exposure level/.test(stdout)) skip('systemd-analyze security cannot run here');
    expect(status, stdout.split('\n').slice(-3).join('\n')).toBe(0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
