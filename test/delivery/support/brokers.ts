import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Aedes } from 'aedes';
import mqtt, { type IPublishPacket } from 'mqtt';
import { until } from './world.js';

export interface TestBroker {
  readonly port: number;
  readonly url: string;
  readonly aedes: Aedes;
  close(): Promise<void>;
}

/** An aedes broker (MQTT 3.1.1) on loopback. Its retained messages live as long as it does. */
export async function startAedes(port = 0): Promise<TestBroker> {
  const aedes = await Aedes.createBroker();
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    aedes.handle(socket);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const bound = (server.address() as net.AddressInfo).port;
  return {
    port: bound,
    url: `mqtt://127.0.0.1:${bound}`,
    aedes,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await new Promise<void>((resolve) => aedes.close(() => resolve()));
    },
  };
}

export interface FaultProxy {
  readonly port: number;
  readonly url: string;
  /** Connections made since the start. */
  readonly connections: number;
  /** `pass`: as if it were not there. `freeze`: open but silent both ways, no FIN. `refuse`: hang up at once. */
  mode: 'pass' | 'freeze' | 'refuse';
  /** Cuts the connection after so many further bytes from the client, in the middle of whatever packet that is. */
  cutAfterBytes: number | null;
  /** Hangs up on all. */
  cut(): void;
  close(): Promise<void>;
}

/** A TCP proxy before a broker, for links that fail in the ways real ones do. */
export async function startProxy(brokerPort: number): Promise<FaultProxy> {
  const pairs = new Set<[net.Socket, net.Socket]>();
  const server = net.createServer((client) => {
    connections++;
    client.on('error', () => undefined);
    if (proxy.mode === 'refuse') {
      client.destroy();
      return;
    }
    const upstream = net.connect(brokerPort, '127.0.0.1');
    upstream.on('error', () => client.destroy());
    const pair: [net.Socket, net.Socket] = [client, upstream];
    let frozen = false;
    pairs.add(pair);
    client.on('data', (chunk: Buffer) => {
      frozen ||= proxy.mode === 'freeze';
      if (frozen) return;
      if (proxy.cutAfterBytes !== null) {
        const take = Math.min(chunk.length, proxy.cutAfterBytes);
        proxy.cutAfterBytes -= take;
        if (take > 0) upstream.write(chunk.subarray(0, take));
        if (proxy.cutAfterBytes <= 0) {
          proxy.cutAfterBytes = null;
          // The bytes before the cut must reach the broker: an end, not a reset.
          upstream.end();
          client.destroy();
        }
        return;
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk: Buffer) => {
      frozen ||= proxy.mode === 'freeze';
      if (!frozen) client.write(chunk);
    });
    client.on('close', () => {
      // A frozen connection is one whose FIN never arrives.
      if (!frozen && proxy.mode !== 'freeze') upstream.end();
      pairs.delete(pair);
      if (frozen || proxy.mode === 'freeze') lost.add(upstream);
    });
    upstream.on('close', () => {
      if (!frozen) client.destroy();
    });
  });
  const lost = new Set<net.Socket>();
  let connections = 0;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  const proxy: FaultProxy = {
    port,
    url: `mqtt://127.0.0.1:${port}`,
    get connections() {
      return connections;
    },
    mode: 'pass',
    cutAfterBytes: null,
    cut() {
      for (const [client] of pairs) client.destroy();
    },
    async close() {
      for (const [client, upstream] of pairs) {
        client.destroy();
        upstream.destroy();
      }
      for (const socket of lost) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  return proxy;
}

export interface Received {
  readonly topic: string;
  readonly text: string;
  readonly retain: boolean;
  readonly packet: IPublishPacket;
}

/** An independent client that hears everything and knows only MQTT. */
export async function startConsumer(url: string, protocolVersion: 4 | 5 = 4, topics: string[] = ['#']) {
  const heard: Received[] = [];
  const client = mqtt.connect(url, { protocolVersion, reconnectPeriod: 50, clientId: `consumer-${Math.random()}` });
  client.on('message', (topic, payload, packet) => {
    heard.push({ topic, text: payload.toString(), retain: packet.retain, packet });
  });
  client.on('error', () => undefined);
  await new Promise<void>((resolve) => client.once('connect', () => resolve()));
  await client.subscribeAsync(topics, { qos: 1 });
  return {
    heard,
    client,
    on: (topic: string) => heard.filter((message) => message.topic === topic),
    alerts: () =>
      heard
        .filter(({ topic, text }) => topic.endsWith('/alert') && text !== '')
        .map(
          ({ text }) =>
            JSON.parse(text) as {
              id: string;
              sequence: number;
              sensor: string;
              replayed: boolean;
              latencyMs: number | null;
              [more: string]: unknown;
            },
        ),
    last: (topic: string) => heard.findLast((message) => message.topic === topic)?.text,
    close: () => client.endAsync(true),
  };
}
export type Consumer = Awaited<ReturnType<typeof startConsumer>>;

export const hasMosquitto = spawnSync('mosquitto', ['-h']).error === undefined;

/** A real mosquitto on a free loopback port. */
export async function startMosquitto(extraConfig = ''): Promise<{ port: number; url: string; close(): Promise<void> }> {
  const probe = net.createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as net.AddressInfo;
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  const dir = await mkdtemp(join(tmpdir(), 'slothd-mosquitto-'));
  const file = join(dir, 'mosquitto.conf');
  await writeFile(file, `listener ${port} 127.0.0.1\nallow_anonymous true\n${extraConfig}\n`);
  const child: ChildProcess = spawn('mosquitto', ['-c', file], { stdio: 'ignore' });
  let up = false;
  await until(() => {
    const socket = net.connect(port, '127.0.0.1', () => {
      up = true;
      socket.destroy();
    });
    socket.on('error', () => undefined);
    return up;
  }, 'mosquitto to listen');
  return {
    port,
    url: `mqtt://127.0.0.1:${port}`,
    async close() {
      const gone = new Promise<void>((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) resolve();
        else child.once('exit', () => resolve());
      });
      child.kill('SIGTERM');
      await gone;
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** For tests that need mosquitto: skipped with a word where it is not installed, a failure where CI=true. */
export function needsMosquitto(there: boolean, skip: (note: string) => void): void {
  if (there) return;
  if (process.env.CI === 'true')
    throw new Error('mosquitto is not installed, and CI needs it: apt-get install mosquitto');
  skip('mosquitto is not installed here');
}
