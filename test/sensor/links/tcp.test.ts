import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { describe, expect, it } from 'vitest';
import type { LinkHandlers } from '../../../src/sensor/links/link.js';
import { TcpLink } from '../../../src/sensor/links/tcp.js';
import { LinkSupervisor } from '../../../src/sensor/supervisor.js';
import { afterwards, pause, until } from '../../e2e/support/world.js';
import { ManualTime } from '../fake-link.js';

interface Bridge {
  readonly port: number;
  readonly clients: net.Socket[];
  close(): Promise<void>;
}

/** The other end: what ser2net or a WLAN bridge is. */
async function startBridge(port = 0): Promise<Bridge> {
  const clients: net.Socket[] = [];
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    // Unread, a socket would never notice its end.
    socket.resume();
    clients.push(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const close = async () => {
    for (const client of clients) client.destroy();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  afterwards(close);
  return { port: (server.address() as net.AddressInfo).port, clients, close };
}

/** A listener that was stopped and whose queue is full: the kernel drops what knocks, as a bridge without power does. */
async function startDeafListener(): Promise<number> {
  const program = `
    const server = require('net').createServer();
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      process.stdout.write(String(server.address().port) + '\\n');
    });`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'ignore'] });
  afterwards(() => child.kill('SIGKILL'));
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  const port = Number(line.toString());
  child.kill('SIGSTOP');
  for (let i = 0; i < 4; i++) {
    const filler = net.connect(port, '127.0.0.1');
    filler.on('error', () => undefined);
    afterwards(() => filler.destroy());
  }
  await pause(50);
  return port;
}

function listener() {
  const heard = { bytes: Buffer.alloc(0), closes: [] as string[] };
  const handlers: LinkHandlers = {
    onBytes: (bytes) => {
      heard.bytes = Buffer.concat([heard.bytes, bytes]);
    },
    onClose: (reason) => heard.closes.push(reason),
  };
  return { heard, handlers };
}

/** A supervisor on a real link with a time of its own. */
function supervise(link: TcpLink, time: ManualTime, silenceMs = 5000) {
  const log: string[] = [];
  const supervisor = new LinkSupervisor({
    link,
    silenceMs,
    commands: {},
    clock: time,
    timers: time,
    random: () => 0.5,
    events: {
      onOpen: () => log.push('open'),
      onBytes: (bytes) => {
        log.push(`bytes ${Buffer.from(bytes).toString()}`);
        supervisor.frame();
      },
      onDown: (reason) => log.push(`down ${reason}`),
      onSilent: (silent) => log.push(silent ? 'silent' : 'heard'),
    },
  });
  afterwards(() => supervisor.stop());
  supervisor.start();
  return { supervisor, log };
}

describe('TcpLink', () => {
  it('passes bytes both ways', async () => {
    const bridge = await startBridge();
    const { heard, handlers } = listener();
    const link = await new TcpLink('127.0.0.1', bridge.port).open(handlers);
    afterwards(() => link.close());
    const client = await until('the connection', () => bridge.clients[0]);
    const up: Buffer[] = [];
    client.on('data', (chunk) => up.push(chunk));
    client.write(Uint8Array.of(0, 255, 10));
    link.write(Uint8Array.of(13, 0, 254));
    await until('bytes', () => heard.bytes.length === 3 && Buffer.concat(up).length === 3);
    expect([...heard.bytes]).toEqual([0, 255, 10]);
    expect([...Buffer.concat(up)]).toEqual([13, 0, 254]);
  });

  it('says which address does not answer', async () => {
    const bridge = await startBridge();
    await bridge.close();
    const opening = new TcpLink('127.0.0.1', bridge.port).open(listener().handlers);
    await expect(opening).rejects.toMatchObject({
      reason: 'refused',
      message: expect.stringMatching(new RegExp(`^tcp:127\\.0\\.0\\.1:${bridge.port} does not answer: .*ECONNREFUSED`)),
    });
  });

  it('gives up on an address that neither answers nor refuses', async () => {
    const port = await startDeafListener();
    const opening = new TcpLink('127.0.0.1', port, 300).open(listener().handlers);
    await expect(opening).rejects.toMatchObject({
      reason: 'refused',
      message: `tcp:127.0.0.1:${port} does not answer: no connection within 0.3 s`,
    });
  });

  it('has no time limit once it is open', async () => {
    const bridge = await startBridge();
    const { heard, handlers } = listener();
    const link = await new TcpLink('127.0.0.1', bridge.port, 40).open(handlers);
    afterwards(() => link.close());
    await pause(120);
    expect(heard.closes).toEqual([]);
  });

  it.each([
    ['ended', (client: net.Socket) => client.end()],
    ['cut', (client: net.Socket) => client.resetAndDestroy()],
  ])('tells once of a connection that was %s by the other side', async (_how, end) => {
    const bridge = await startBridge();
    const { heard, handlers } = listener();
    const link = await new TcpLink('127.0.0.1', bridge.port).open(handlers);
    end(await until('the connection', () => bridge.clients[0]));
    await until('the close', () => heard.closes.length > 0);
    link.write(Uint8Array.of(1));
    await link.close();
    await pause(20);
    expect(heard.closes).toHaveLength(1);
  });

  it('does not tell of its own close', async () => {
    const bridge = await startBridge();
    const { heard, handlers } = listener();
    const link = await new TcpLink('127.0.0.1', bridge.port).open(handlers);
    await link.close();
    await pause(20);
    expect(heard.closes).toEqual([]);
  });

  it('a half-open connection (no FIN, no data) is closed by the silence watch and made anew', async () => {
    const bridge = await startBridge();
    const time = new ManualTime();
    const { supervisor, log } = supervise(new TcpLink('127.0.0.1', bridge.port), time);
    await until('the first connection', () => log.includes('open'));
    await time.advance(5001);
    expect(log).toContain('down silence');
    await until('the end of the first', () => bridge.clients[0]?.closed);
    await time.advance(600);
    await until('the second connection', () => bridge.clients.length === 2);
    bridge.clients[1]?.write('x');
    await until('its bytes', () => log.includes('bytes x'));
    expect(supervisor.reopens.get('silence')).toBe(1);
  });

  it('comes back by itself when the bridge was restarted', async () => {
    const first = await startBridge();
    const time = new ManualTime();
    const { supervisor, log } = supervise(new TcpLink('127.0.0.1', first.port), time);
    await until('the first connection', () => log.includes('open'));
    await first.close();
    await until('the close', () => log.includes('down closed'));
    await time.advance(600);
    await until('a refusal', () => log.includes('down refused'));
    const second = await startBridge(first.port);
    await time.advance(1100);
    await until('the second connection', () => second.clients.length === 1);
    second.clients[0]?.write('y');
    await until('bytes', () => log.includes('bytes y'));
    expect(Object.fromEntries(supervisor.reopens)).toEqual({ closed: 1, refused: 1 });
  });
});
