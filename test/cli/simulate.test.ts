import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { SerialPort } from 'serialport';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { simulate, simulateCommand } from '../../src/cli/simulate.js';
import { UsageError } from '../../src/cli/usage-error.js';
import { VirtualPort } from '../../src/simulator/virtual-port.js';

const USUAL = { format: 'ad8232', speed: 1, seed: 1, option: [] as string[] };

async function until(what: string, done: () => boolean, timeoutMs = 8000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!done()) {
    if (performance.now() > deadline) throw new Error(`waited in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

class World {
  readonly said: string[] = [];
  private readonly controller = new AbortController();
  readonly stop = this.controller.signal;
  say = (line: string): void => {
    this.said.push(line);
  };
  end(): void {
    this.controller.abort();
  }
}

async function host(devicePath: string): Promise<{ port: SerialPort; text: () => string }> {
  const port = new SerialPort({ path: devicePath, baudRate: 9600, autoOpen: false });
  let text = '';
  port.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  port.on('error', () => {});
  await new Promise<void>((resolve, reject) => port.open((error) => (error ? reject(error) : resolve())));
  return { port, text: () => text };
}

describe('slothd simulate', () => {
  let folder: string;

  beforeEach(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'slothd-simulate-'));
  });

  afterEach(() => {
    fs.rmSync(folder, { recursive: true, force: true });
  });

  const inFolder = (name: string): string => path.join(folder, name);

  it('names a virtual port that serialport opens, speaks the format there, and takes it away at the end', async () => {
    const world = new World();
    const link = inFolder('heart');
    const running = simulate({ ...USUAL, rate: 250, ptyLink: link }, world);
    await until('the port', () => fs.existsSync(link));
    const { port, text } = await host(link);
    await until('a second of lines', () => text().split('\r\n').length > 250);
    const lines = text().split('\r\n').slice(1, -1);
    expect(lines.every((line) => /^\d{1,4}$/.test(line) && Number(line) <= 1023)).toBe(true);
    expect(new Set(lines).size).toBeGreaterThan(10);
    expect(world.said.join('\n')).toContain(`link: { type: serial, path: ${link} }`);
    world.end();
    await running;
    expect(fs.lstatSync(link, { throwIfNoEntry: false })).toBeUndefined();
    await until('the close of the host', () => !port.isOpen);
  });

  it('ends by itself after --for, and sooner at a higher --speed', async () => {
    const started = performance.now();
    await simulate({ ...USUAL, for: 10, speed: 20, tcp: '0' }, new World());
    const tookMs = performance.now() - started;
    expect(tookMs).toBeGreaterThan(450);
    expect(tookMs).toBeLessThan(5000);
  });

  it('serves everyone who connects on TCP', async () => {
    const world = new World();
    const running = simulate({ ...USUAL, format: 'nonin-df2', tcp: '0' }, world);
    await until('the announcement', () => world.said.length > 0);
    const tcpPort = Number(/127\.0\.0\.1:(\d+)/.exec(world.said[0]!)![1]);
    const got = [0, 0];
    const sockets = got.map((_, i) =>
      net.connect(tcpPort, '127.0.0.1').on('data', (bytes) => {
        got[i]! += bytes.length;
      }),
    );
    await until('bytes for both', () => got.every((bytes) => bytes > 200));
    world.end();
    await running;
    await until('the sockets to close', () => sockets.every((socket) => socket.destroyed));
  });

  it('writes to a named serial port, and says so when that goes away', async () => {
    const cable = await VirtualPort.open({ link: inFolder('cable') });
    let received = 0;
    cable.onData((bytes) => {
      received += bytes.length;
    });
    const running = simulate({ ...USUAL, port: cable.path }, new World());
    const outcome = running.then(
      () => 'ended',
      (error: unknown) => error,
    );
    await until('bytes at the other end', () => received > 500);
    cable.unplug();
    const error = await outcome;
    expect(error).toBeInstanceOf(UsageError);
    expect((error as Error).message).toContain('went away');
  });

  it('writes the same file for the same seed, with the truth beside it', async () => {
    const flags = { ...USUAL, rate: 250, scenario: 'demo' };
    await simulate({ ...flags, file: inFolder('a'), truth: inFolder('a.jsonl') }, new World());
    await simulate({ ...flags, file: inFolder('b') }, new World());
    await simulate({ ...flags, file: inFolder('c'), seed: 2 }, new World());
    const [a, b, c] = ['a', 'b', 'c'].map((name) => fs.readFileSync(inFolder(name)));
    expect(a!.equals(b!)).toBe(true);
    expect(a!.equals(c!)).toBe(false);
    expect(a!.toString('latin1').match(/\r\n!/g)!.length).toBeGreaterThan(250 * 10);
    const truths = fs
      .readFileSync(inFolder('a.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string; kind: string });
    const begun = truths.filter((truth) => truth.event === 'begin').map((truth) => truth.kind);
    expect(begun).toContain('atrial-fibrillation');
    expect(begun).toContain('contact-off');
  });

  it('reads a scenario from a file', async () => {
    fs.writeFileSync(inFolder('mine.yaml'), 'name: mine\natEnd: stop\nepisodes:\n  - { rhythm: vt, beats: 20 }\n');
    const world = new World();
    await simulate({ ...USUAL, scenario: inFolder('mine.yaml'), file: inFolder('out') }, world);
    expect(world.said.join('\n')).toContain('begins: ventricular-tachycardia');
  });

  it.each([
    [{ format: 'abacus' }, 'ad8232'],
    [{ option: ['board=x'] }, 'has no option "board"'],
    [{ option: ['adcBits'] }, 'NAME=VALUE'],
    [{ option: ['adcBits=99'] }, 'adcBits'],
    [{ scenario: 'nowhere.yaml' }, 'demo'],
    [{ scenario: 'calm', rhythm: 'af' }, 'either'],
    [{ scenario: 'calm', bpm: 70 }, '--bpm'],
    [{ rhythm: 'polka' }, 'bigeminy'],
    [{ bpm: 5000 }, '300'],
    [{ tcp: 'x:y:z' }, 'HOST:PORT'],
    [{ tcp: '1', file: '/tmp/never' }, 'only one'],
    [{ port: '/dev/no-such-port' }, 'No such file'],
    [{ file: '/no/such/folder/file' }, 'ENOENT'],
    [{ rate: 20_000, file: '/dev/null' }, '10000'],
  ])('refuses %j and says what is allowed', async (flags, words) => {
    await expect(simulate({ ...USUAL, ...flags }, new World())).rejects.toThrow(words);
  });

  it('ends cleanly on Ctrl-C', async () => {
    const listeners = process.listenerCount('SIGINT');
    const link = inFolder('heart');
    const running = simulateCommand().parseAsync(['--format', 'ad8232', '--pty-link', link], { from: 'user' });
    await until('the port', () => fs.existsSync(link));
    process.emit('SIGINT');
    await running;
    expect(process.listenerCount('SIGINT')).toBe(listeners);
    expect(process.exitCode ?? 0).toBe(0);
    expect(fs.lstatSync(link, { throwIfNoEntry: false })).toBeUndefined();
  });
});
