import { beforeEach, describe, expect, it } from 'vitest';
import { LinkError } from '../../src/sensor/links/link.js';
import { LinkSupervisor } from '../../src/sensor/supervisor.js';
import { FakeLink, ManualTime } from './fake-link.js';

let time: ManualTime;
let link: FakeLink;
let log: string[];
let supervisor: LinkSupervisor;

function create(commands = {}): LinkSupervisor {
  return new LinkSupervisor({
    link,
    silenceMs: 5000,
    commands,
    clock: time,
    timers: time,
    random: () => 0.5,
    events: {
      onOpen: () => log.push('open'),
      onBytes: (bytes) => log.push(`bytes ${bytes.length}`),
      onDown: (reason) => log.push(`down ${reason}`),
      onSilent: (silent) => log.push(silent ? 'silent' : 'heard'),
    },
  });
}

beforeEach(() => {
  time = new ManualTime();
  link = new FakeLink();
  log = [];
  supervisor = create();
});

describe('LinkSupervisor', () => {
  it('passes bytes on and stays open while valid frames come', async () => {
    supervisor.start();
    for (let i = 0; i < 20; i++) {
      await time.advance(1000);
      link.handlers?.onBytes(new Uint8Array(3));
      supervisor.frame();
    }
    expect(log.filter((line) => line !== 'bytes 3')).toEqual(['open']);
    expect(link.opens).toBe(1);
  });

  it('reopens an open port that brings no valid frame, and calls it silent after three misses', async () => {
    supervisor.start();
    for (let i = 0; i < 16; i++) {
      link.handlers?.onBytes(new Uint8Array(9));
      await time.advance(1000);
    }
    expect(supervisor.reopens.get('silence')).toBeGreaterThanOrEqual(2);
    expect(log).toContain('silent');
    supervisor.frame();
    expect(log.at(-1)).toBe('heard');
  });

  it('says silent when there never was a port', async () => {
    link.refuse = new LinkError('absent', 'not there');
    supervisor.start();
    await time.advance(15_001);
    expect(log).toContain('silent');
    expect(supervisor.reopens.get('absent')).toBeGreaterThanOrEqual(4);
  });

  it('never gives up: waits grow from 0.5 s to 30 s and no further', async () => {
    link.refuse = new LinkError('absent', 'not there');
    supervisor.start();
    await time.advance(63_000);
    const early = link.opens;
    expect(early).toBeGreaterThanOrEqual(7);
    await time.advance(300_000);
    expect(link.opens - early).toBe(10);
    link.refuse = null;
    await time.advance(30_000);
    expect(log.at(-1)).toBe('open');
  });

  it('reopens after an unplug within a second, with the waits starting anew after valid frames', async () => {
    supervisor.start();
    await time.advance(10);
    for (let round = 0; round < 50; round++) {
      supervisor.frame();
      link.handlers?.onClose('unplugged');
      await time.advance(600);
      expect(link.opens).toBe(round + 2);
    }
    expect(time.pending).toBeLessThanOrEqual(2);
  });

  it('ignores bytes and closes of a former connection', async () => {
    supervisor.start();
    await time.advance(10);
    const old = link.handlers;
    old?.onClose('unplugged');
    await time.advance(600);
    log.length = 0;
    old?.onBytes(new Uint8Array(1));
    old?.onClose('again');
    expect(log).toEqual([]);
  });

  it('sends start commands on each opening, keep-alives while open and the stop command at the end', async () => {
    const commands = {
      start: Uint8Array.of(1),
      stop: Uint8Array.of(9),
      keepAlive: { bytes: Uint8Array.of(5), everyMs: 1000 },
    };
    supervisor = create(commands);
    supervisor.start();
    await time.advance(2500);
    expect(link.written.map((bytes) => bytes[0])).toEqual([1, 5, 5]);
    link.handlers?.onClose('unplugged');
    await time.advance(600);
    expect(link.written.map((bytes) => bytes[0])).toEqual([1, 5, 5, 1]);
    await supervisor.stop();
    expect(link.written.at(-1)?.[0]).toBe(9);
    expect(link.closes).toBeGreaterThanOrEqual(1);
    await time.advance(60_000);
    expect(link.opens).toBe(2);
  });
});
