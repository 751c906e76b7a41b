import { EventEmitter } from 'node:events';
import type { IClientOptions, MqttClient } from 'mqtt';
import type { Logger } from 'pino';
import { AlarmDesk } from '../../../src/daemon/alarm-desk.js';
import { createMemoryStore } from '../../../src/daemon/memory-store.js';
import { Delivery } from '../../../src/delivery/publisher.js';
import type { Timers } from '../../../src/domain/clock.js';
import type { KeyValueStore } from '../../../src/domain/store.js';
import type { Metrics } from '../../../src/watch/metrics.js';
import type { Bench } from '../../alarm/bench.js';
import { collectLog, type ManualTime, settingsFor } from '../../delivery/support/world.js';

/** What a careful receiver keeps: drops what came twice, and finds fault with all that the contract rules out. */
export class Receiver {
  readonly open = new Map<string, { id: string; sequence: number }>();
  readonly kinds = new Set<string>();
  readonly reasons = new Set<string>();
  duplicates = 0;
  private readonly told = new Map<string, { sequence: number; ended: boolean }>();

  take(text: string): void {
    const { id, kind, event, sequence, values } = JSON.parse(text) as {
      id: string;
      kind: string;
      event: string;
      sequence: number;
      values: Record<string, unknown>;
    };
    const about = `${event} ${sequence} of ${kind} ${id}`;
    const known = this.told.get(id);
    if (known && sequence <= known.sequence) {
      this.duplicates++;
      return;
    }
    if (known?.ended) throw new Error(`${about}: after its end`);
    if (sequence !== (known?.sequence ?? 0) + 1) throw new Error(`${about}: after sequence ${known?.sequence ?? 0}`);
    if ((event === 'new') !== (known === undefined)) throw new Error(`${about}: new comes first, and once`);
    const other = this.open.get(kind);
    if (other && other.id !== id) throw new Error(`${about}: ${other.id} is open`);
    this.told.set(id, { sequence, ended: event === 'end' });
    this.kinds.add(kind);
    if (event === 'end') {
      this.open.delete(kind);
      this.reasons.add(String(values.endReason));
    } else this.open.set(kind, { id, sequence });
  }
}

/** A broker that outlives every process, with what it keeps and one receiver that is always there. */
export class EternalBroker {
  up = true;
  readonly retained = new Map<string, string>();
  readonly receiver = new Receiver();
  readonly clients = new Set<FakeClient>();

  constructor(readonly time: ManualTime) {}

  publish(topic: string, text: string, retain: boolean): void {
    if (retain) this.retained.set(topic, text);
    if (topic.endsWith('/alert')) this.receiver.take(text);
  }

  setUp(up: boolean): void {
    this.up = up;
    if (!up) for (const client of this.clients) client.cut();
  }
}

/** As much of mqtt.js as the link uses; what is published is at the broker when the call returns. */
class FakeClient extends EventEmitter {
  readonly stream = { writableCorked: 0, writableLength: 0, uncork() {} };
  private open = true;

  constructor(
    private readonly broker: EternalBroker,
    private readonly timers: Timers,
  ) {
    super();
    broker.clients.add(this);
    timers.after(30, () => {
      if (!this.open) return;
      if (broker.up) this.emit('connect', { properties: {} });
      else this.cut();
    });
  }

  publish(topic: string, text: string, { qos, retain }: { qos: number; retain?: boolean }, done: () => void): void {
    if (!this.open) return;
    this.broker.publish(topic, text, retain ?? false);
    if (qos > 0) this.timers.after(20, () => this.open && done());
  }

  subscribe(topics: string | object, ...rest: unknown[]): void {
    const done = rest.at(-1) as (error: Error | null) => void;
    this.timers.after(20, () => {
      if (!this.open) return;
      done(null);
      if (typeof topics !== 'string') return;
      for (const [topic, text] of this.broker.retained) {
        if (topic.endsWith('/alarms')) this.emit('message', topic, Buffer.from(text), { retain: true });
      }
    });
  }

  unsubscribe(): void {}

  end(): void {
    this.open = false;
    this.broker.clients.delete(this);
  }

  cut(): void {
    if (!this.open) return;
    this.end();
    this.emit('close');
  }
}

/** A disk that outlives every process and takes its time. */
export class EternalDisk {
  delayMs = 10;
  readonly store = createMemoryStore();
}

/** A daemon's alarm half, from the engine to the broker, that can be killed between any two instructions that matter. */
export class MortalDaemon {
  private alive = true;
  private delivery!: Delivery;
  private desk!: AlarmDesk;

  constructor(
    private readonly time: ManualTime,
    private readonly broker: EternalBroker,
    private readonly disk: EternalDisk,
    private readonly bench: Bench,
    /** Told after each event: alert and list are with the broker or wait, the disk has nothing of it yet. */
    private readonly onEvent: () => void,
  ) {}

  async start(): Promise<void> {
    const { time, broker, disk, bench } = this;
    const timers: Timers = { after: (ms, run) => time.after(ms, () => this.alive && run()) };
    const store: KeyValueStore = {
      batch: (writes) =>
        new Promise((resolve) => {
          timers.after(disk.delayMs, () => void disk.store.batch(writes).then(resolve));
        }),
      scan: (prefix) => disk.store.scan(prefix),
      close: async () => {},
    };
    const log = collectLog().log as unknown as Logger;
    this.delivery = new Delivery({
      settings: settingsFor('mqtt://broker', { reconnectMinMs: 500, reconnectMaxMs: 2_000 }),
      node: 'pi',
      version: '0',
      sensors: [bench.sensor],
      clock: time,
      timers,
      store,
      log,
      random: () => 0.5,
      connect: (_url: string, _options: IClientOptions) => new FakeClient(broker, timers) as unknown as MqttClient,
      onListed: (lists) => {
        this.desk.recall(bench.sensor, bench.engine, lists.get(bench.sensor) ?? []);
      },
    });
    this.desk = new AlarmDesk({
      clock: time,
      log,
      store,
      delivery: this.delivery,
      metrics: { alerts: { inc() {} } } as unknown as Metrics,
      newId: () => 'unused',
      history: { maxAlerts: 1000, maxBytes: 1e6 },
      onShown: () => {},
    });
    bench.emit = (change) => {
      if (!this.alive) return;
      this.desk.take(change, bench.engine, null);
      this.onEvent();
    };
    await this.desk.loadHistory();
    await this.desk.restore(bench.sensor, bench.engine);
    await this.delivery.start();
  }

  /** After `ack` or `snooze`. */
  changed(): void {
    if (this.alive) this.desk.changed(this.bench.sensor, this.bench.engine);
  }

  kill(): void {
    this.alive = false;
    for (const client of this.broker.clients) client.end();
  }
}
