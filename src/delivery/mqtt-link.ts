import {
  connect as connectMqtt,
  type IClientOptions,
  type IConnackPacket,
  type IPublishPacket,
  type MqttClient,
} from 'mqtt';
import type { MqttSettings } from '../config/mqtt.js';
import type { Clock, Timers } from '../domain/clock.js';
import { Brokers } from './brokers.js';
import { ConnectionWatch } from './connection-watch.js';
import type { DeliveryLog } from './log.js';
import { describeMqttError, describeReasonCode } from './mqtt-errors.js';
import { clientOptions } from './mqtt-options.js';

export type ConnectMqtt = (url: string, options: IClientOptions) => MqttClient;

/** One message to publish. */
export interface Outgoing {
  readonly topic: string;
  readonly payload: string;
  readonly qos: 0 | 1;
  readonly retain?: boolean;
  /** MQTT 5: the broker may throw it away after so many seconds; 0 or left out: never. */
  readonly expiryS?: number;
  /** MQTT 5: answer to a request. */
  readonly correlationData?: Buffer;
}

export interface Subscription {
  readonly topic: string;
  readonly qos: 0 | 1;
}

/** How a QoS 1 publish ended. */
export type PublishOutcome = 'acked' | 'lost' | 'refused';

export interface LinkEvents {
  /** Connected. Nothing has been published on this connection yet. */
  onUp(): void;
  onDown(reason: string): void;
  onMessage(topic: string, payload: Buffer, packet: IPublishPacket): void;
  /** A QoS 1 slot is free again. */
  onRoom(): void;
}

export interface MqttLinkOptions {
  readonly settings: MqttSettings;
  readonly clientId: string;
  /** Topic that carries `online` and `offline`: will, birth, goodbye. */
  readonly availabilityTopic: string;
  readonly subscriptions: readonly Subscription[];
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: DeliveryLog;
  readonly events: LinkEvents;
  readonly connect?: ConnectMqtt;
  readonly random?: () => number;
}

/** Bytes waiting in the socket above which telemetry is dropped: the broker does not keep up or is gone half-way. */
const CONGESTED_BYTES = 64 * 1024;
/** Longest wait for a goodbye before a connection is left. */
const LEAVE_MS = 2_000;
interface Pending {
  readonly sentAtMs: number;
  readonly done: (outcome: PublishOutcome) => void;
}

/**
 * One connection to the broker, made anew for ever. Each attempt is a fresh mqtt.js client that is thrown away with its
 * connection: nothing is queued or sent again inside the library, so what is on its way is exactly what we know of.
 */
export class MqttLink {
  connected = false;
  /** Connections made since the start. */
  connections = 0;
  attempts = 0;
  /** Why there is no connection, for a person; empty while there is one. */
  lastError = 'not connected yet';
  private client: MqttClient | null = null;
  private generation = 0;
  private readonly brokers: Brokers;
  /** On the way from one connection to another: nothing more is handed over. */
  private leaving = false;
  private readonly watch: ConnectionWatch;
  private backoffMs: number;
  private pending = new Set<Pending>();
  private slots = 0;
  private maxPacketBytes = Number.POSITIVE_INFINITY;
  private cancelRetry: (() => void) | null = null;
  private cancelAckTimer: (() => void) | null = null;
  private stopped = false;
  private loggedError = '';
  private readonly connect: ConnectMqtt;
  private readonly random: () => number;

  constructor(private readonly options: MqttLinkOptions) {
    this.connect = options.connect ?? connectMqtt;
    this.random = options.random ?? Math.random;
    const { settings } = options;
    this.brokers = new Brokers([settings.url, ...settings.backups], settings.protocol === '3.1.1' ? 4 : 5);
    this.backoffMs = settings.reconnectMinMs;
    this.watch = new ConnectionWatch({
      ...options,
      connect: this.connect,
      home: () => this.brokers.home,
      onHome: () => {
        const offline = { topic: options.availabilityTopic, payload: 'offline', qos: 1, retain: true } as const;
        return this.change('the first broker is back', [offline], true);
      },
      onRenewed: () => this.change('the TLS files were renewed', [], false),
    });
  }

  start(): void {
    void this.attempt();
  }

  /** QoS 1 messages that may be handed over now. */
  get freeSlots(): number {
    return this.connected && !this.leaving ? this.slots - this.pending.size : 0;
  }

  get inFlight(): number {
    return this.pending.size;
  }

  /** The socket holds so much unsent that only alerts should be added. */
  get congested(): boolean {
    return ((this.client?.stream as { writableLength?: number } | undefined)?.writableLength ?? 0) > CONGESTED_BYTES;
  }

  /** MQTT version of the connection (or of the next attempt). */
  get protocol(): '5' | '3.1.1' {
    return this.brokers.version === 5 ? '5' : '3.1.1';
  }

  /** The broker in use (or tried next). */
  get url(): string {
    return this.brokers.url;
  }

  /** Whether the broker takes a message of this size. */
  fits(topic: string, payload: string): boolean {
    // Fixed header, topic length, packet id and properties are far below 64 bytes.
    return Buffer.byteLength(payload) + Buffer.byteLength(topic) + 64 <= this.maxPacketBytes;
  }

  /**
   * Hands a message to the socket, synchronously. For QoS 1 `done` is called once, when it is acknowledged, refused or
   * the connection ends. False (and no `done`) where there is no connection or no free slot.
   */
  publish(message: Outgoing, done?: (outcome: PublishOutcome) => void): boolean {
    const client = this.client;
    if (!client || !this.connected || this.leaving) return false;
    const { topic, payload, qos, retain = false, correlationData, expiryS } = message;
    const properties =
      this.brokers.version === 5 && (correlationData || expiryS)
        ? { ...(correlationData ? { correlationData } : {}), ...(expiryS ? { messageExpiryInterval: expiryS } : {}) }
        : undefined;
    if (qos === 0) {
      client.publish(topic, payload, { qos, retain, properties }, ignore);
      return true;
    }
    if (this.freeSlots <= 0) return false;
    const entry: Pending = { sentAtMs: this.options.clock.monotonicMs(), done: done ?? ignore };
    this.pending.add(entry);
    client.publish(topic, payload, { qos, retain, properties }, (error) => {
      // After the end of its connection an entry is no longer in the set and has been told.
      if (!this.pending.delete(entry)) return;
      if (error) {
        this.options.log.error({ topic, reason: describeMqttError(error) }, 'the broker refused a message');
      }
      entry.done(error ? 'refused' : 'acked');
      this.options.events.onRoom();
    });
    // mqtt-packet keeps what it wrote in the stream until this turn of the event loop is over, and the turn goes on with
    // the store, the history and the log of this very alert: those may not stand between a heart and its alert.
    client.stream?.uncork();
    this.armAckTimer();
    return true;
  }

  /** Says goodbye (`offline`, then DISCONNECT, so that the will is not sent) and stops for good. */
  async stop(last: readonly Outgoing[], timeoutMs: number): Promise<void> {
    this.stopped = true;
    this.cancelRetry?.();
    if (this.client && this.connected) {
      const offline = { topic: this.options.availabilityTopic, payload: 'offline', qos: 1, retain: true } as const;
      await this.leave(this.client, [...last, offline], timeoutMs);
    }
    this.closed(this.generation, 'stopped');
  }

  /** Says the last messages and disconnects, so that the will is not sent. */
  private async leave(client: MqttClient, goodbye: readonly Outgoing[], timeoutMs: number): Promise<void> {
    this.leaving = true;
    await new Promise<void>((resolve) => {
      if (goodbye.length === 0) {
        resolve();
        return;
      }
      const cancel = this.options.timers.after(timeoutMs, resolve);
      let open = goodbye.length;
      for (const { topic, payload, qos, retain } of goodbye) {
        client.publish(topic, payload, { qos, retain }, () => {
          open--;
          if (open > 0) return;
          cancel();
          resolve();
        });
      }
    });
    await new Promise<void>((resolve) => {
      const cancel = this.options.timers.after(timeoutMs, () => {
        client.end(true);
        resolve();
      });
      client.end(false, () => {
        cancel();
        resolve();
      });
    });
  }

  /** Leaves this connection in good order for another: back to the first broker, or with renewed certificates. */
  private async change(reason: string, goodbye: readonly Outgoing[], home: boolean): Promise<void> {
    const { client, generation } = this;
    if (!client || !this.connected || this.stopped || this.leaving) return;
    this.options.log.info({ url: this.url, reason }, 'changing the connection to the broker');
    await this.leave(client, goodbye, LEAVE_MS);
    if (generation !== this.generation || this.stopped) return;
    if (home) this.brokers.goHome();
    this.discard();
    this.options.events.onDown(reason);
    this.lastError = reason;
    void this.attempt();
  }

  /** Drops the connection; a new one follows. */
  private cut(reason: string): void {
    this.closed(this.generation, reason);
  }

  private async attempt(): Promise<void> {
    if (this.stopped) return;
    const generation = ++this.generation;
    this.attempts++;
    let options: IClientOptions;
    try {
      const { settings, clientId, availabilityTopic } = this.options;
      options = await clientOptions(settings, this.brokers.version, clientId, availabilityTopic);
    } catch (error) {
      this.failed(error instanceof Error ? error.message : String(error));
      return;
    }
    if (this.stopped || generation !== this.generation) return;
    let client: MqttClient;
    try {
      client = this.connect(this.url, options);
    } catch (error) {
      this.failed(describeMqttError(error));
      return;
    }
    this.client = client;
    let reason = '';
    let code: unknown;
    client.on('error', (error) => {
      if (reason === '') reason = describeMqttError(error);
      code ??= (error as { code?: unknown }).code;
    });
    client.on('disconnect', (packet) => {
      reason = describeReasonCode(packet.reasonCode ?? 0) ?? `the broker disconnected (${packet.reasonCode ?? 0})`;
    });
    client.on('connect', (connack) => {
      if (generation === this.generation) this.up(client, connack);
    });
    client.on('message', (topic, payload, packet) => {
      if (generation === this.generation) this.options.events.onMessage(topic, payload, packet);
    });
    client.on('close', () => {
      // Whoever leaves sees to what follows.
      if (generation !== this.generation || this.leaving) return;
      const answered = this.connected;
      if (!answered && this.fallBack(reason, code)) return;
      this.closed(generation, reason || (answered ? 'the broker closed the connection' : 'the broker hung up at once'));
    });
  }

  private up(client: MqttClient, connack: IConnackPacket): void {
    const { settings, log, availabilityTopic, subscriptions, events } = this.options;
    const { receiveMaximum = 65_535, maximumPacketSize } = connack.properties ?? {};
    this.connected = true;
    this.connections++;
    this.lastError = '';
    this.loggedError = '';
    this.backoffMs = settings.reconnectMinMs;
    this.brokers.connected();
    this.slots = Math.min(settings.outbox.inFlight, receiveMaximum);
    this.maxPacketBytes = maximumPacketSize ?? Number.POSITIVE_INFINITY;
    // mqtt.js leaves Nagle's algorithm on: while anything is unacknowledged (a line of vitals is enough), an alert would wait for the
    // broker's delayed ACK, 40 ms on Linux. WebSockets have no such method; they see to it themselves.
    (client.stream as { setNoDelay?: (on: boolean) => void } | undefined)?.setNoDelay?.(true);
    log.info({ url: this.url, protocol: this.protocol }, 'connected to the broker');
    this.watch.start(!this.brokers.isHome);
    // Birth first, on the topic of the will: whatever the broker said of our former connection, this comes after it.
    this.publish({ topic: availabilityTopic, payload: 'online', qos: 1, retain: true });
    const wanted = Object.fromEntries(subscriptions.map(({ topic, qos }) => [topic, { qos }]));
    client.subscribe(wanted, (error) => {
      if (error && client === this.client && this.connected) {
        log.warn(
          { reason: describeMqttError(error) },
          'the broker refused a subscription: some commands will not arrive',
        );
      }
    });
    events.onUp();
  }

  /** Tries the other MQTT version where the broker seems not to know this one. */
  private fallBack(reason: string, code: unknown): boolean {
    if (this.options.settings.protocol !== 'auto') return false;
    const refused = code === 1 || code === 132;
    if (this.brokers.version === 5 && refused) {
      this.brokers.version = 4;
      this.options.log.info({}, 'the broker does not speak MQTT 5; using 3.1.1');
      this.discard();
      void this.attempt();
      return true;
    }
    // Some old brokers just hang up on MQTT 5. It could also be anything else, so the versions take turns.
    if (reason === '' || refused || code === 'ECONNRESET') {
      this.brokers.version = this.brokers.version === 5 ? 4 : 5;
    }
    return false;
  }

  private closed(generation: number, reason: string): void {
    if (generation !== this.generation) return;
    const wasUp = this.connected;
    this.discard();
    if (wasUp) {
      this.brokers.goHome();
      this.options.events.onDown(reason);
    }
    this.failed(reason, wasUp);
  }

  /** Ends the client for good and reports what was on its way as lost. */
  private discard(): void {
    this.generation++;
    const client = this.client;
    this.client = null;
    this.connected = false;
    this.leaving = false;
    this.watch.stop();
    this.cancelAckTimer?.();
    this.cancelAckTimer = null;
    const lost = this.pending;
    this.pending = new Set();
    client?.end(true);
    for (const { done } of lost) done('lost');
  }

  /** @param wasUp a connection ended, rather than one that never came about */
  private failed(reason: string, wasUp = false): void {
    if (this.stopped) return;
    this.lastError = reason;
    const { url } = this;
    const { reconnectMinMs, reconnectMaxMs } = this.options.settings;
    if (reason !== this.loggedError) {
      this.loggedError = reason;
      this.options.log.warn({ url, reason }, 'no connection to the broker; alerts wait in the outbox');
    } else {
      this.options.log.debug({ url, reason }, 'still no connection to the broker');
    }
    // Half fixed, half random: a ward of devices must not return all at once.
    const share = 0.5 + 0.5 * this.random();
    // The next broker of the list is tried soon; only when all were tried in vain the waits grow.
    const inVain = !wasUp && this.brokers.failed();
    const delayMs = (wasUp || inVain ? this.backoffMs : Math.min(this.backoffMs, reconnectMinMs)) * share;
    if (wasUp || inVain) this.backoffMs = Math.min(reconnectMaxMs, this.backoffMs * 2);
    this.cancelRetry?.();
    this.cancelRetry = this.options.timers.after(delayMs, () => {
      this.cancelRetry = null;
      void this.attempt();
    });
  }

  /** A broker that takes messages and never acknowledges them is not delivering: the connection is made anew. */
  private armAckTimer(): void {
    if (this.cancelAckTimer) return;
    const { ackTimeoutMs } = this.options.settings;
    const oldest = this.pending.values().next().value;
    if (!oldest) return;
    const waitMs = oldest.sentAtMs + ackTimeoutMs - this.options.clock.monotonicMs();
    this.cancelAckTimer = this.options.timers.after(Math.max(1, waitMs), () => {
      this.cancelAckTimer = null;
      const still = this.pending.values().next().value;
      if (!still) return;
      if (this.options.clock.monotonicMs() - still.sentAtMs >= ackTimeoutMs) {
        this.cut('the broker does not acknowledge');
      } else {
        this.armAckTimer();
      }
    });
  }
}

function ignore(): void {}
