import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { SerialPort } from 'serialport';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualPort } from '../../src/simulator/virtual-port.js';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function until(what: string, done: () => boolean, timeoutMs = 5000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!done()) {
    if (performance.now() > deadline) throw new Error(`waited in vain for: ${what}`);
    await pause(5);
  }
}

async function openHost(
  devicePath: string,
): Promise<{ host: SerialPort; received: () => Buffer; closed: () => boolean }> {
  const host = new SerialPort({ path: devicePath, baudRate: 115_200, autoOpen: false });
  const chunks: Buffer[] = [];
  let closed = false;
  host.on('data', (chunk: Buffer) => chunks.push(chunk));
  host.on('close', () => {
    closed = true;
  });
  host.on('error', () => {});
  await new Promise<void>((resolve, reject) => {
    host.open((error) => (error ? reject(error) : resolve()));
  });
  return { host, received: () => Buffer.concat(chunks), closed: () => closed };
}

const shut = (host: SerialPort): Promise<void> => new Promise((resolve) => host.close(() => resolve()));

/** Odd lengths, so that no boundary is a power of two. */
function oddChunks(bytes: Buffer): Buffer[] {
  const chunks: Buffer[] = [];
  for (let from = 0, i = 0; from < bytes.length; i++) {
    const length = [1, 3, 7, 61, 333, 1001][i % 6]!;
    chunks.push(bytes.subarray(from, from + length));
    from += length;
  }
  return chunks;
}

describe('virtual port', () => {
  let folder: string;
  let port: VirtualPort;

  beforeEach(async () => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'slothd-vport-'));
    port = await VirtualPort.open({ link: path.join(folder, 'sim0') });
  });

  afterEach(() => {
    port.close();
    fs.rmSync(folder, { recursive: true, force: true });
  });

  it('passes 64 kB of random bytes unchanged from device to host', async () => {
    const { host, received } = await openHost(port.path);
    const sent = randomBytes(65_536);
    let pacing = 0;
    for (const chunk of oddChunks(sent)) {
      port.write(chunk);
      pacing += chunk.length;
      if (pacing > 2000) {
        pacing = 0;
        await pause(1);
      }
    }
    await until('all bytes', () => received().length >= sent.length);
    expect(received().equals(sent)).toBe(true);
    expect(port.lostBytes).toBe(0);
    await shut(host);
  });

  it('passes 64 kB of random bytes unchanged from host to device and echoes nothing', async () => {
    const { host, received } = await openHost(port.path);
    const got: Uint8Array[] = [];
    port.onData((bytes) => got.push(bytes));
    const sent = randomBytes(65_536);
    for (const chunk of oddChunks(sent)) host.write(chunk);
    await until('all bytes', () => got.reduce((sum, bytes) => sum + bytes.length, 0) >= sent.length);
    expect(Buffer.concat(got).equals(sent)).toBe(true);
    expect(received().length).toBe(0);
    await shut(host);
  });

  it('is raw before anybody sets it so: every byte value passes to a plain reader, none comes back', async () => {
    const echoed: Uint8Array[] = [];
    port.onData((bytes) => echoed.push(bytes));
    const fd = fs.openSync(port.path, fs.constants.O_RDWR | fs.constants.O_NOCTTY | fs.constants.O_NONBLOCK);
    const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    port.write(all);
    await pause(30);
    const got = Buffer.alloc(600);
    const length = fs.readSync(fd, got);
    fs.closeSync(fd);
    expect(got.subarray(0, length).equals(all)).toBe(true);
    expect(echoed).toEqual([]);
  });

  it('keeps little and forgets it when nobody reads, and serves a late reader fresh bytes only', async () => {
    const kilobyte = Buffer.alloc(1024, 0x41);
    for (let i = 0; i < 2000; i++) port.write(kilobyte);
    expect(port.lostBytes).toBeGreaterThan(1_900_000);
    // What waits is forgotten after a second.
    await pause(1100);
    port.write(Buffer.from('old'));
    const { host, received } = await openHost(port.path);
    await pause(50);
    port.write(Buffer.from('fresh'));
    await until('the fresh bytes', () => received().includes('fresh'));
    expect(received().length).toBeLessThan(20);
    await shut(host);
  });

  it('closes the host on unplug and comes back under the same name on replug', async () => {
    const first = await openHost(port.path);
    // Not in the very instant of opening: there serialport 13 reads 0 bytes in a loop and never emits `close`.
    await pause(50);
    port.unplug();
    await until('the close', first.closed);
    expect(fs.existsSync(port.path)).toBe(false);
    expect(fs.lstatSync(port.path, { throwIfNoEntry: false })).toBeUndefined();
    const lost = port.lostBytes;
    port.write(Buffer.from('nobody'));
    expect(port.lostBytes).toBe(lost + 6);

    await port.replug();
    const second = await openHost(port.path);
    port.write(Buffer.from('again'));
    await until('bytes after the replug', () => second.received().toString() === 'again');
    await shut(second.host);
  });

  it('survives a host that closes and opens the port again', async () => {
    const first = await openHost(port.path);
    await shut(first.host);
    await pause(20);
    expect(port.plugged).toBe(true);
    const second = await openHost(port.path);
    port.write(Buffer.from('hello'));
    await until('bytes', () => second.received().toString() === 'hello');
    await shut(second.host);
  });

  it('leaks no descriptor over 50 rounds of unplug and replug', async () => {
    const descriptors = (): number => fs.readdirSync('/proc/self/fd').length;
    await pause(50);
    const before = descriptors();
    for (let i = 0; i < 50; i++) {
      port.unplug();
      await port.replug();
    }
    await pause(50);
    expect(descriptors()).toBeLessThanOrEqual(before + 1);
  });

  it('does not put its link over a file that is something else', async () => {
    const taken = path.join(folder, 'taken');
    fs.writeFileSync(taken, 'precious');
    await expect(VirtualPort.open({ link: taken })).rejects.toThrow('not a symbolic link');
    expect(fs.readFileSync(taken, 'utf8')).toBe('precious');
  });
});
