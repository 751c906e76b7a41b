import { describe, expect, it } from 'vitest';
import { Machine } from '../../src/watch/machine.js';

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('Machine', () => {
  it('reads memory, CPU and lag of this process', () => {
    const machine = new Machine(async () => null);
    const before = { atMs: performance.now(), cpu: process.cpuUsage() };
    const usedMs = () => {
      const { user, system } = process.cpuUsage(before.cpu);
      return (user + system) / 1000;
    };
    while (usedMs() < 50);
    const figures = machine.read();
    // Not a fixed share: on a busy machine others have the rest of the time.
    const share = usedMs() / (performance.now() - before.atMs);
    expect(figures.rssBytes).toBeGreaterThan(1e7);
    expect(figures.cpuShare).toBeGreaterThan(share / 2);
    expect(figures.cpuShare).toBeLessThan(share * 2);
    expect(figures.loopLagMs).toBeGreaterThanOrEqual(0);
    machine.stop();
  });

  it.each([
    ['throttled=0x0\n', false],
    ['throttled=0x50000\n', false],
    ['throttled=0x50005\n', true],
    ['throttled=0x8\n', true],
    ['no such command', null],
  ])('understands the firmware: %j', async (text, throttled) => {
    const machine = new Machine(async () => text);
    expect(machine.read().throttled).toBeNull();
    await settle();
    expect(machine.read().throttled).toBe(throttled);
    machine.stop();
  });

  it('asks a machine without the tool once', async () => {
    let asked = 0;
    const machine = new Machine(async () => {
      asked++;
      return null;
    });
    for (let i = 0; i < 5; i++) {
      machine.read();
      await settle();
    }
    expect(asked).toBe(1);
    machine.stop();
  });
});
