import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { Aedes } from 'aedes';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { createWebSocketStream, WebSocketServer } from 'ws';
import { createMemoryStore } from '../../src/daemon/memory-store.js';
import { clientOptions } from '../../src/delivery/mqtt-options.js';
import { Delivery } from '../../src/delivery/publisher.js';
import { hasMosquitto, needsMosquitto, startMosquitto } from './support/brokers.js';
import { collectLog, ManualTime, realClock, realTimers, settingsFor, tick, until } from './support/world.js';

const open: Array<() => Promise<unknown>> = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const file = (name: string) => join(import.meta.dirname, '../fixtures/tls', name);

function daemon(url: string, mqtt: Record<string, unknown> = {}, time: ManualTime | null = null) {
  const { log, lines } = collectLog();
  const delivery = new Delivery({
    settings: settingsFor(url, mqtt),
    node: 'pi',
    version: '1.0.0',
    sensors: [],
    clock: time ?? realClock,
    timers: time ?? realTimers,
    store: createMemoryStore(),
    log,
  });
  open.push(() => delivery.stop());
  return { delivery, lines };
}

async function listen(server: net.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as net.AddressInfo).port;
}

async function tlsBroker(name: string, options: tls.TlsOptions = {}) {
  const aedes = await Aedes.createBroker();
  const sockets = new Set<net.Socket>();
  const server = tls.createServer(
    { cert: readFileSync(file(`${name}.pem`)), key: readFileSync(file(`${name}.key`)), ...options },
    (socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      aedes.handle(socket);
    },
  );
  server.on('tlsClientError', () => undefined);
  const port = await listen(server);
  open.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    await new Promise<void>((resolve) => aedes.close(() => resolve()));
  });
  return port;
}

describe('TLS', () => {
  test('with the authority named: connected', async () => {
    const port = await tlsBroker('server');
    const { delivery } = daemon(`mqtts://localhost:${port}`, { tls: { caFile: file('ca.pem') } });
    const noDelay = vi.spyOn(net.Socket.prototype, 'setNoDelay');
    await delivery.start();
    await until(() => delivery.stats().connected, 'the connection');
    expect(noDelay).toHaveBeenCalledWith(true);
    noDelay.mockRestore();
  });

  test('without TLS: no alert waits for the acknowledgement of what went before it', async () => {
    const aedes = await Aedes.createBroker();
    const server = net.createServer(aedes.handle);
    const port = await listen(server);
    open.push(async () => {
      server.close();
      await new Promise<void>((resolve) => aedes.close(() => resolve()));
    });
    const { delivery } = daemon(`mqtt://127.0.0.1:${port}`);
    const noDelay = vi.spyOn(net.Socket.prototype, 'setNoDelay');
    await delivery.start();
    await until(() => delivery.stats().connected, 'the connection');
    expect(noDelay).toHaveBeenCalledWith(true);
    noDelay.mockRestore();
  });

  const refused: Array<[string, string, Record<string, unknown>, RegExp]> = [
    ['an unknown authority', 'server', {}, /unknown authority; name it in mqtt\.tls\.caFile/],
    ['another name', 'other', { caFile: file('ca.pem') }, /for another name; see mqtt\.tls\.serverName/],
    ['an expired certificate', 'expired', { caFile: file('ca.pem') }, /certificate has expired/],
  ];
  test.each(refused)('%s: refused, and said why', async (_what, name, settings, words) => {
    const port = await tlsBroker(name);
    const { delivery } = daemon(`mqtts://localhost:${port}`, { tls: settings });
    await delivery.start();
    await until(() => words.test(delivery.stats().lastError), `${words}`);
    expect(delivery.stats().connections).toBe(0);
  });

  test('another name, allowed by serverName; anything at all, allowed by verify: false', async () => {
    const other = await tlsBroker('other');
    const named = daemon(`mqtts://localhost:${other}`, {
      tls: { caFile: file('ca.pem'), serverName: 'elsewhere.example' },
    });
    await named.delivery.start();
    await until(() => named.delivery.stats().connected, 'the connection by name');
    const expired = await tlsBroker('expired');
    const blind = daemon(`mqtts://localhost:${expired}`, { tls: { verify: false } });
    await blind.delivery.start();
    await until(() => blind.delivery.stats().connected, 'the unverified connection');
  });

  test('a client certificate, read anew at each connection', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'slothd-tls-'));
    open.push(() => rm(dir, { recursive: true, force: true }));
    const port = await tlsBroker('server', {
      ca: readFileSync(file('ca.pem')),
      requestCert: true,
      rejectUnauthorized: true,
    });
    const certFile = join(dir, 'client.pem');
    const keyFile = join(dir, 'client.key');
    writeFileSync(certFile, readFileSync(file('expired.pem')));
    writeFileSync(keyFile, readFileSync(file('expired.key')));
    const { delivery } = daemon(`mqtts://localhost:${port}`, { tls: { caFile: file('ca.pem'), certFile, keyFile } });
    await delivery.start();
    await until(() => delivery.stats().attempts >= 2, 'refusals');
    expect(delivery.stats().connected).toBe(false);
    copyFileSync(file('client.pem'), certFile);
    copyFileSync(file('client.key'), keyFile);
    await until(() => delivery.stats().connected, 'the connection with the renewed certificate');
  });

  test('no client certificate, or an expired one, where mosquitto asks for one: said which', async ({ skip }) => {
    needsMosquitto(hasMosquitto, skip);
    const broker = await startMosquitto(
      [
        `cafile ${file('ca.pem')}`,
        `certfile ${file('server.pem')}`,
        `keyfile ${file('server.key')}`,
        'require_certificate true',
        // Mosquitto started as root becomes a user that may not read the fixtures; otherwise the line means nothing.
        'user root',
      ].join('\n'),
    );
    open.push(() => broker.close());
    const ca = { caFile: file('ca.pem') };
    const cases: Array<[Record<string, unknown>, RegExp]> = [
      [ca, /asks for a client certificate; see mqtt\.tls\.certFile/],
      [{ ...ca, certFile: file('expired.pem'), keyFile: file('expired.key') }, /our client certificate has expired/],
      [
        { ...ca, certFile: file('client.pem'), keyFile: file('server.key') },
        /keyFile is not the key of mqtt\.tls\.certFile/,
      ],
    ];
    for (const [settings, words] of cases) {
      const { delivery } = daemon(`mqtts://localhost:${broker.port}`, { tls: settings });
      await delivery.start();
      await until(() => words.test(delivery.stats().lastError), `${words}`);
      expect(delivery.stats().connections).toBe(0);
    }
    const { delivery } = daemon(`mqtts://localhost:${broker.port}`, {
      tls: { ...ca, certFile: file('client.pem'), keyFile: file('client.key') },
    });
    await delivery.start();
    await until(() => delivery.stats().connected, 'the connection');
    expect(delivery.stats().protocol).toBe('5');
  });

  test('SNI and ALPN reach the broker as configured', async () => {
    const heard: Array<[unknown, unknown]> = [];
    const port = await tlsBroker('other', { ALPNProtocols: ['x-amzn-mqtt-ca', 'mqtt'] });
    const watch = tls.createServer(
      { cert: readFileSync(file('other.pem')), key: readFileSync(file('other.key')), ALPNProtocols: ['mqtt'] },
      (socket) => {
        heard.push([socket.alpnProtocol, (socket as unknown as { servername: string }).servername]);
        socket.on('error', () => undefined).destroy();
      },
    );
    watch.on('tlsClientError', () => undefined);
    const watchPort = await listen(watch);
    open.push(() => new Promise<void>((resolve) => watch.close(() => resolve())));
    const tlsSettings = { caFile: file('ca.pem'), serverName: 'elsewhere.example', alpn: ['mqtt'] };
    const { delivery } = daemon(`mqtts://localhost:${watchPort}`, { tls: tlsSettings });
    await delivery.start();
    await until(() => heard.length > 0, 'the handshake');
    expect(heard[0]).toEqual(['mqtt', 'elsewhere.example']);
    const wrong = daemon(`mqtts://localhost:${port}`, { tls: { ...tlsSettings, alpn: ['h2'] } });
    await wrong.delivery.start();
    await until(() => /protocol of mqtt\.tls\.alpn/.test(wrong.delivery.stats().lastError), 'the word on ALPN');
  });

  test('a certificate renewed while the connection stands is taken into use; a half-written one is not', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'slothd-tls-'));
    open.push(() => rm(dir, { recursive: true, force: true }));
    const names: unknown[] = [];
    const port = await tlsBroker('server', {
      ca: readFileSync(file('ca.pem')),
      requestCert: true,
      rejectUnauthorized: true,
      SNICallback: (_name, done) => {
        names.push(_name);
        done(null);
      },
    });
    const certFile = join(dir, 'client.pem');
    const keyFile = join(dir, 'client.key');
    copyFileSync(file('client.pem'), certFile);
    copyFileSync(file('client.key'), keyFile);
    const time = new ManualTime();
    const { delivery, lines } = daemon(
      `mqtts://localhost:${port}`,
      { tls: { caFile: file('ca.pem'), certFile, keyFile } },
      time,
    );
    await delivery.start();
    await until(() => delivery.stats().connected, 'the connection');
    const minutes = async (count: number) => {
      for (let n = 0; n < count; n++) {
        time.advance(61_000);
        await tick(30);
      }
    };
    await tick(50);
    writeFileSync(certFile, 'half of a certifi');
    await minutes(3);
    expect(lines.some(({ level, message }) => level === 'error' && /do not fit/.test(message))).toBe(true);
    expect(delivery.stats()).toMatchObject({ connected: true, connections: 1 });
    copyFileSync(file('client.pem'), certFile);
    await minutes(3);
    await until(() => delivery.stats().connections === 2 && delivery.stats().connected, 'the new connection');
    const stopping = delivery.stop();
    await minutes(1);
    await stopping;
  });

  test('TLS to a port without it: said so', async () => {
    const server = net.createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    });
    const port = await listen(server);
    open.push(() => new Promise<void>((resolve) => server.close(() => resolve())));
    const { delivery } = daemon(`mqtts://localhost:${port}`);
    await delivery.start();
    await until(() => /not a TLS port/.test(delivery.stats().lastError), 'the word');
  });
});

test('user and password from a file reach the broker', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'slothd-secret-'));
  open.push(() => rm(dir, { recursive: true, force: true }));
  const passwordFile = join(dir, 'password');
  writeFileSync(passwordFile, 's3cret word\n');
  const aedes = await Aedes.createBroker();
  let given = '';
  aedes.authenticate = (_client, username, password, done) => {
    given = `${username}:${password}`;
    done(null, given === 'pi:s3cret word');
  };
  const server = net.createServer(aedes.handle);
  const port = await listen(server);
  open.push(async () => {
    await new Promise<void>((resolve) => aedes.close(() => resolve()));
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const { delivery } = daemon(`mqtt://127.0.0.1:${port}`, { username: 'pi', passwordFile });
  await delivery.start();
  await until(() => delivery.stats().connected, 'the connection');
  expect(given).toBe('pi:s3cret word');
});

test('a credential that systemd hands over', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'slothd-secret-'));
  open.push(() => rm(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, 'mqtt-password'), 'token-1\n');
  const settings = settingsFor('mqtt://localhost', {
    username: 'pi',
    passwordFile: '$CREDENTIALS_DIRECTORY/mqtt-password',
  }).mqtt;
  vi.stubEnv('CREDENTIALS_DIRECTORY', dir);
  open.push(async () => vi.unstubAllEnvs());
  expect((await clientOptions(settings, 5, 'id', 'topic')).password).toBe('token-1');
  vi.stubEnv('CREDENTIALS_DIRECTORY', undefined);
  await expect(clientOptions(settings, 5, 'id', 'topic')).rejects.toThrow(/passwordFile.*LoadCredential/);
});

test('WebSocket', async () => {
  const aedes = await Aedes.createBroker();
  const server = http.createServer();
  const sockets = new WebSocketServer({ server, handleProtocols: () => 'mqtt' });
  sockets.on('connection', (socket) => {
    const stream = createWebSocketStream(socket);
    stream.on('error', () => undefined);
    aedes.handle(stream);
  });
  const port = await listen(server);
  open.push(async () => {
    for (const socket of sockets.clients) socket.terminate();
    await new Promise<void>((resolve) => server.close(() => resolve()));
    await new Promise<void>((resolve) => aedes.close(() => resolve()));
  });
  const { delivery } = daemon(`ws://127.0.0.1:${port}/mqtt`);
  await delivery.start();
  await until(() => delivery.stats().connected, 'the connection');
});

describe('MQTT versions', () => {
  /** A broker of old that answers MQTT 5 with nothing but a hang-up, and speaks 3.1.1. */
  async function oldBroker(hangUp: (socket: net.Socket) => void) {
    const aedes = await Aedes.createBroker();
    const server = net.createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', (first: Buffer) => {
        // Fixed header, length, "MQTT" with its length, then the protocol level.
        const levelAt = first.indexOf('MQTT') + 4;
        if (first[levelAt] === 5) {
          hangUp(socket);
          return;
        }
        socket.unshift(first);
        aedes.handle(socket);
      });
    });
    const port = await listen(server);
    open.push(async () => {
      await new Promise<void>((resolve) => aedes.close(() => resolve()));
      await new Promise<void>((resolve) => server.close(() => resolve()));
    });
    return port;
  }

  const ways: Array<[string, (socket: net.Socket) => void]> = [
    ['says so as 3.1.1 does', (socket) => socket.end(Buffer.from([0x20, 2, 0, 1]))],
    ['says so as 5 does', (socket) => socket.end(Buffer.from([0x20, 3, 0, 0x84, 0]))],
    ['just closes', (socket) => socket.end()],
    ['resets the connection', (socket) => socket.resetAndDestroy()],
  ];
  test.each(ways)('a broker that does not know 5 and %s: 3.1.1', async (_what, hangUp) => {
    const port = await oldBroker(hangUp);
    const { delivery } = daemon(`mqtt://127.0.0.1:${port}`);
    await delivery.start();
    await until(() => delivery.stats().connected, 'the connection');
    expect(delivery.stats().protocol).toBe('3.1.1');
  });

  test('set to 5, it stays with 5 and says what is wrong', async () => {
    const port = await oldBroker((socket) => socket.end(Buffer.from([0x20, 3, 0, 0x84, 0])));
    const { delivery } = daemon(`mqtt://127.0.0.1:${port}`, { protocol: '5' });
    await delivery.start();
    await until(() => delivery.stats().attempts >= 3, 'three attempts');
    expect(delivery.stats().lastError).toMatch(/does not speak this MQTT version/);
    expect(delivery.stats().connections).toBe(0);
  });
});
