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
import { sayGoodbye } from './goodbye.js';
import { InFlight, type PublishOutcome } from './in-flight.js';
import type { DeliveryLog } from './log.js';
import { describeMqttError, describeReasonCode } from './mqtt-errors.js';
import { clientOptions } from './mqtt-options.js';
import { PacketMeter } from './packet-meter.js';

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
/** A larger packet is not gathered in memory, which mqtt.js would do with any: the connection ends. */
const MOST_GATHERED_BYTES = 8 * 1024 * 1024;
/** CONNACK of MQTT 5 (3.2.2.2): the will is to be retained, and this broker does not. */
const RETAIN_NOT_SUPPORTED = 154;
/** A connection that stood for so long was a good one: after its end the first new attempt comes soon. */
const STEADY_MS = 10_000;
/** One that ended sooner, time and again (two devices of one name, a poor radio), is made anew no more rarely than this. */
const UNSTEADY_WAIT_MS = 5_000;

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
  /** The broker has answered a message on this connection: it does more than accept. */
  private served = false;
  private upAtMs = 0;
  /** The broker's session for us holds what we cannot take: the next connection begins without it. */
  private dropSession = false;
  private readonly inFlight: InFlight;
  private maxPacketBytes = Number.POSITIVE_INFINITY;
  private cancelRetry: (() => void) | null = null;
  private stopped = false;
  private loggedError = '';
  /** What is to be done once the messages held together are written; null while nothing is held. */
  private held: (() => void)[] | null = null;
  private readonly connect: ConnectMqtt;
  private readonly random: () => number;

  constructor(private readonly options: MqttLinkOptions) {
    this.connect = options.connect ?? connectMqtt;
    this.random = options.random ?? Math.random;
    const { settings } = options;
    this.brokers = new Brokers([settings.url, ...settings.backups], settings.protocol === '3.1.1' ? 4 : 5);
    this.backoffMs = settings.reconnectMinMs;
    this.inFlight = new InFlight({
      ...options,
      ackTimeoutMs: settings.ackTimeoutMs,
      onSilence: () => this.closed(this.generation, 'the broker does not acknowledge'),
    });
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

  /** Whether so many QoS 1 messages may be handed over now; fewer where the broker never allows so many. */
  hasRoomFor(messages: number): boolean {
    return this.connected && !this.leaving && this.inFlight.hasRoomFor(messages);
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
    const { topic, payload, qos, correlationData, expiryS } = message;
    const retain = this.retain(message);
    const properties =
      this.brokers.version === 5 && (correlationData || expiryS)
        ? { ...(correlationData ? { correlationData } : {}), ...(expiryS ? { messageExpiryInterval: expiryS } : {}) }
        : undefined;
    if (qos === 0) {
      client.publish(topic, payload, { qos, retain, properties }, ignore);
      return true;
    }
    if (!this.hasRoomFor(1)) return false;
    let reason = '';
    const answered = this.inFlight.add((outcome) => {
      if (outcome === 'refused') this.options.log.error({ topic, reason }, 'the broker refused a message');
      done?.(outcome);
    });
    client.publish(topic, payload, { qos, retain, properties }, (error) => {
      if (error) reason = describeMqttError(error);
      else if (client === this.client) this.serves();
      if (answered(error ? 'refused' : 'acked')) this.options.events.onRoom();
    });
    if (this.held === null) this.write();
    return true;
  }

  /** Whether a message is to be kept by a broker that does so at all. */
  private retain({ retain = false }: Outgoing): boolean {
    return retain && this.brokers.retains;
  }

  /** What is published from now on leaves in one write to the socket, by `flush`: the broker gets all of it or nothing. */
  hold(): void {
    this.held ??= [];
  }

  flush(): void {
    const written = this.held ?? [];
    this.held = null;
    this.write();
    for (const run of written) run();
  }

  /** Runs once what was published is with the socket: now, or where it is held at `flush`. */
  whenWritten(run: () => void): void {
    if (this.held === null) run();
    else this.held.push(run);
  }

  /**
   * Listens to a topic (QoS 0) on this connection alone.
   * @param answered told whether the broker lets us; not called where the connection ends before
   */
  listen(topic: string, answered: (granted: boolean) => void = ignore): void {
    const { client } = this;
    client?.subscribe(topic, { qos: 0 }, (error) => {
      if (client === this.client && this.connected) answered(!error);
    });
  }

  /**
   * mqtt-packet keeps what it wrote in the stream until this turn of the event loop is over, and the turn goes on with the
   * store, the history and the log of this very alert: those may not stand between a heart and its alert.
   */
  private write(): void {
    const stream = this.client?.stream;
    for (let corks = stream?.writableCorked ?? 0; corks > 0; corks--) stream?.uncork();
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

  private leave(client: MqttClient, goodbye: readonly Outgoing[], timeoutMs: number): Promise<void> {
    this.leaving = true;
    const last = goodbye.map((message) => ({ ...message, retain: this.retain(message) }));
    return sayGoodbye(client, last, this.options.timers, timeoutMs);
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

  private async attempt(): Promise<void> {
    if (this.stopped) return;
    const generation = ++this.generation;
    this.attempts++;
    let options: IClientOptions;
    try {
      const { settings, clientId, availabilityTopic } = this.options;
      options = await clientOptions(settings, this.brokers.version, clientId, availabilityTopic);
      if (this.dropSession) options.clean = true;
      if (options.will) options.will.retain = this.brokers.retains;
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
      // Bytes that are no MQTT: nothing that follows on this connection can be understood, and mqtt.js would wait for it.
      if (code === undefined && generation === this.generation && !this.leaving) client.stream?.destroy?.();
    });
    const meter = new PacketMeter(MOST_GATHERED_BYTES);
    client.stream?.on?.('data', (chunk: Buffer) => {
      const bytes = meter.take(chunk);
      if (bytes === null) return;
      reason ||= `the broker sends a packet of ${bytes} bytes; slothd takes ${MOST_GATHERED_BYTES}`;
      this.dropSession = true;
      client.stream.destroy();
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
    const { receiveMaximum = 65_535, maximumPacketSize, retainAvailable = true } = connack.properties ?? {};
    this.connected = true;
    this.connections++;
    this.lastError = '';
    this.served = false;
    this.upAtMs = this.options.clock.monotonicMs();
    this.dropSession = false;
    this.inFlight.begin(Math.min(settings.outbox.inFlight, receiveMaximum));
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
    // It learnt to keep messages meanwhile. The will of this connection says otherwise, and that cannot be changed on it.
    if (retainAvailable && !this.brokers.retains && this.brokers.version === 5) {
      this.brokers.retains = true;
      void this.change('the broker keeps retained messages now', [], false);
    }
  }

  /** A message was answered. Until then a broker has only accepted us, which one that is full or half dead does as well. */
  private serves(): void {
    if (this.served) return;
    this.served = true;
    this.loggedError = '';
    this.brokers.connected();
    this.watch.served(this.brokers.isHome);
  }

  /** Tries the other MQTT version where the broker seems not to know this one. */
  private fallBack(reason: string, code: unknown): boolean {
    if (code === RETAIN_NOT_SUPPORTED && this.brokers.retains) {
      this.brokers.retains = false;
      this.options.log.warn(
        { url: this.url },
        'the broker keeps no retained messages: who connects later does not see what is open, or that slothd is offline',
      );
      this.discard();
      void this.attempt();
      return true;
    }
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
    const served = wasUp && this.served;
    if (served && this.options.clock.monotonicMs() - this.upAtMs >= STEADY_MS) {
      this.backoffMs = this.options.settings.reconnectMinMs;
    }
    this.discard();
    if (served) this.brokers.goHome();
    if (wasUp) this.options.events.onDown(reason);
    this.failed(reason, served);
  }

  /** Ends the client for good and reports what was on its way as lost. */
  private discard(): void {
    this.generation++;
    const client = this.client;
    this.client = null;
    this.connected = false;
    this.leaving = false;
    this.watch.stop();
    const tellLost = this.inFlight.end();
    client?.end(true);
    tellLost();
  }

  /** @param served a connection of use ended, rather than one that never came about or led to nothing */
  private failed(reason: string, served = false): void {
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
    const inVain = !served && this.brokers.failed();
    const waits = served ? Math.min(this.backoffMs, UNSTEADY_WAIT_MS) : this.backoffMs;
    const delayMs = (served || inVain ? waits : Math.min(waits, reconnectMinMs)) * share;
    if (served || inVain) this.backoffMs = Math.min(reconnectMaxMs, this.backoffMs * 2);
    this.cancelRetry?.();
    this.cancelRetry = this.options.timers.after(delayMs, () => {
      this.cancelRetry = null;
      void this.attempt();
    });
  }
}

function ignore(): void {}
