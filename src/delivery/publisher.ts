import type { HomeAssistantSettings } from '../config/home-assistant.js';
import type { MqttSettings } from '../config/mqtt.js';
import type { WebhookSettings } from '../config/webhook.js';
import type { Announcement } from '../domain/alert.js';
import type { Clock, StreamMs, Timers } from '../domain/clock.js';
import type { StageRecorder } from '../domain/stage.js';
import type { KeyValueStore, StoreWrite } from '../domain/store.js';
import { type CommandHandler, type CommandStats, Commands } from './commands.js';
import { discoveryPayload, discoveryTopic, EXTRAS, type Extra, statusTopic } from './home-assistant.js';
import type { DeliveryLog } from './log.js';
import { type ConnectMqtt, MqttLink, type Subscription } from './mqtt-link.js';
import { type MoreWrites, Outbox, type OutboxItem, type OutboxStats, type SendOutcome, writesOf } from './outbox.js';
import {
  type About,
  type ActiveAlert,
  alarmsJson,
  alertBodyJson,
  finishAlertJson,
  type Health,
  isoFromWallMs,
  type Vitals,
  type WallTime,
  withoutEvidence,
} from './payloads.js';
import { RetainedState } from './retained.js';
import { StoreQueue } from './store-queue.js';
import { Topics, topicLevel } from './topics.js';
import { Webhook, type WebhookStats } from './webhook.js';

export interface DeliverySettings {
  readonly mqtt: MqttSettings;
  readonly homeAssistant: HomeAssistantSettings;
  /** A second way out; left out (or without a URL): none. */
  readonly webhook?: WebhookSettings;
}

export interface DeliveryOptions {
  readonly settings: DeliverySettings;
  /** This device's name. */
  readonly node: string;
  /** slothd's version, for Home Assistant. */
  readonly version: string;
  /** The configured sensors: announced at the start, and those of earlier runs that are gone are removed. */
  readonly sensors: readonly string[];
  readonly clock: Clock;
  readonly timers: Timers;
  /** Stays open: it is the caller's to close, after `stop`. */
  readonly store: KeyValueStore;
  readonly log: DeliveryLog;
  /** Told `wire_to_alert` (with sensor and alert id) and `publish_ack`. */
  readonly stages?: StageRecorder;
  /** Stream time to wall clock; where left out, stream time is the monotonic clock's. */
  readonly toWallMs?: (tMs: StreamMs) => number;
  /** mqtt.js' `connect`, or a test's. */
  readonly connect?: ConnectMqtt;
  readonly random?: () => number;
  /** For the webhook; Node's own where left out. */
  readonly fetch?: typeof fetch;
  /** The outbox had to give up alerts (`full`), or has room again: for the alert `outbox-full`. */
  readonly onOutboxFull?: (state: { full: boolean; shedAlerts: number }) => void;
  /** The connection to the broker came or went. */
  readonly onLink?: (up: boolean, reason: string) => void;
}

export interface DeliveryStats {
  readonly enabled: boolean;
  /** The broker in use, or tried next. */
  readonly url: string;
  readonly connected: boolean;
  readonly protocol: '5' | '3.1.1';
  /** Why there is no connection, in words for a person; empty while there is one. */
  readonly lastError: string;
  readonly connections: number;
  readonly attempts: number;
  readonly outbox: OutboxStats;
  readonly vitalsSent: number;
  readonly vitalsDropped: number;
  readonly commands: CommandStats;
  /** null: none is configured. */
  readonly webhook: WebhookStats | null;
}

/** Where the list of announced sensors is kept. */
const SENSORS_KEY = 'delivery/sensors';
/**
 * After so many connections lost with an alert on its way, the alert itself may be what the broker hangs up on (a size
 * limit it does not announce); it then goes without its evidence.
 */
const STRIP_AFTER_LOSSES = 5;
/** `offline` said of us while we are here is corrected at most this often: two daemons on one root must not duel. */
const CORRECT_EVERY_MS = 1_000;
/** Home Assistant starts once; a flood of its birth message must not become a flood of ours. */
const REPEAT_EVERY_MS = 5_000;
/** A state that the broker refuses (an access rule, as a rule) is said again after this, then ever more rarely. */
const REFUSED_AGAIN_MS = { first: 30_000, longest: 3_600_000 } as const;
/** How long `stop` waits for acknowledgements. */
const FLUSH_MS = 2_000;
const FLUSH_POLL_MS = 20;

/** Everything that leaves the device over MQTT: alerts, vitals, health, availability, discovery, answers to commands. */
export class Delivery {
  private readonly topics: Topics;
  private readonly queue: StoreQueue;
  private readonly outbox: Outbox;
  private readonly webhook: Webhook | null;
  private readonly link: MqttLink;
  private readonly retained = new RetainedState();
  private readonly commands: Commands;
  private readonly enabled: boolean;
  private readonly announced = new Set<string>();
  /** What each sensor has told of itself beyond its heart, for Home Assistant. */
  private readonly extras = new Map<string, Set<Extra>>();
  private stopping = false;
  private correctedAtMs = Number.NEGATIVE_INFINITY;
  private cancelCorrection: (() => void) | null = null;
  private repeatedAtMs = Number.NEGATIVE_INFINITY;
  private cancelRepeat: (() => void) | null = null;
  private refusedAgainMs: number = REFUSED_AGAIN_MS.first;
  private cancelRefusedAgain: (() => void) | null = null;
  private vitalsSent = 0;
  private vitalsDropped = 0;

  constructor(private readonly options: DeliveryOptions) {
    const { settings, node, clock, timers, store, log, connect, random } = options;
    this.enabled = settings.mqtt.enabled;
    this.topics = new Topics(settings.mqtt.baseTopic, node);
    this.commands = new Commands({
      clock,
      log,
      root: this.topics.root,
      responseTopic: (verb) => this.topics.response(verb),
      reply: (topic, payload, correlationData) => {
        this.link.publish({ topic, payload, qos: 1, correlationData });
      },
    });
    this.queue = new StoreQueue(store, timers, log);
    this.outbox = new Outbox({
      store,
      queue: this.queue,
      clock,
      timers,
      log,
      settings: settings.mqtt.outbox,
      send: (item, done) => this.send(item, done),
      onFull: options.onOutboxFull,
    });
    const { url } = settings.webhook ?? {};
    this.webhook =
      settings.webhook && url !== undefined
        ? new Webhook({
            ...options,
            settings: { ...settings.webhook, url },
            outbox: settings.mqtt.outbox,
            queue: this.queue,
            random: random ?? Math.random,
          })
        : null;
    // Only a command must not be lost. What else we listen to is said again, and some brokers keep a queue on the disk for
    // each subscription of QoS 1.
    const subscriptions: Subscription[] = [
      { topic: this.topics.commands, qos: 1 },
      { topic: this.topics.availability, qos: 0 },
    ];
    if (settings.homeAssistant.enabled) subscriptions.push({ topic: statusTopic(settings.homeAssistant), qos: 0 });
    this.link = new MqttLink({
      settings: settings.mqtt,
      clientId: settings.mqtt.clientId ?? `slothd-${topicLevel(node)}`,
      availabilityTopic: this.topics.availability,
      subscriptions,
      clock,
      timers,
      log,
      connect,
      random,
      events: {
        onUp: () => {
          this.outbox.setLink(true);
          this.retained.markAll();
          this.refusedAgainMs = REFUSED_AGAIN_MS.first;
          this.pump();
          options.onLink?.(true, '');
        },
        onDown: (reason) => {
          this.outbox.setLink(false);
          options.onLink?.(false, reason);
        },
        onRoom: () => this.pump(),
        onMessage: (topic, payload, packet) => {
          const verb = this.topics.verb(topic);
          if (verb !== null) this.commands.take(verb, payload, packet);
          else if (topic === this.topics.availability) this.heardAvailability(payload.toString());
          else if (payload.toString() === 'online' && !packet.retain) this.homeAssistantStarted();
        },
      },
    });
  }

  /** Takes up what an earlier run left unsent, then connects. Never fails because the broker is missing. */
  async start(): Promise<void> {
    await this.outbox.load();
    await this.webhook?.start();
    if (!this.enabled || this.stopping) return;
    await this.announceSensors();
    this.link.start();
  }

  /**
   * Sends and stores one alert event. Returns at once; delivery is seen to for as long as it takes.
   * @param meta arrivedAtMs: monotonic arrival of the bytes that caused it, null where none did
   * @param extraWrites written to the store in the same atomic batch as the alert
   */
  alert(change: Announcement, meta: { readonly arrivedAtMs: number | null }, extraWrites: MoreWrites): void {
    const body = alertBodyJson(change, this.options.node, this.wallTime());
    const writes = () => [...writesOf(extraWrites), ...(this.webhook?.take(change, body, meta.arrivedAtMs) ?? [])];
    if (!this.enabled) {
      const all = writes();
      if (all.length > 0) this.outbox.persist(all);
      return;
    }
    this.outbox.add(
      {
        sensor: change.sensor,
        topic: this.topics.sensor(change.sensor, 'alert'),
        class: 'alert',
        body,
        arrivedAtMs: meta.arrivedAtMs,
      },
      writes,
    );
  }

  /** Writes to the store in order with those of `alert`; a direct write could be overtaken by an earlier one of ours. */
  persist(writes: readonly StoreWrite[]): void {
    this.outbox.persist(writes);
  }

  /** Publishes what a sensor shows (QoS 0). Dropped while the broker is away or does not keep up, unless configured to be kept. */
  vitals(sensor: string, vitals: Vitals): void {
    if (!this.enabled) return;
    const { clock, settings } = this.options;
    this.learn(sensor, vitals);
    const payload = JSON.stringify({
      schema: 'slothd.vitals.v1',
      at: isoFromWallMs(clock.wallMs()),
      clockSynced: clock.synced(),
      ...vitals,
    });
    const topic = this.topics.sensor(sensor, 'vitals');
    if (!this.link.congested && this.link.publish({ topic, payload, qos: 0, expiryS: settings.mqtt.vitalsExpiryS })) {
      this.vitalsSent++;
    } else if (settings.mqtt.outbox.keepVitals && !this.link.connected) {
      this.outbox.add({ sensor: `${sensor}/vitals`, topic, class: 'telemetry', body: payload, arrivedAtMs: null });
    } else {
      this.vitalsDropped++;
    }
  }

  /** Publishes the daemon's state (retained). The queue and the clock are filled in. */
  health(health: Health): void {
    const { clock } = this.options;
    const { entries, bytes, shedAlerts, full } = this.outbox.stats();
    this.say(this.topics.health, {
      schema: 'slothd.health.v1',
      at: isoFromWallMs(clock.wallMs()),
      queue: { entries, bytes, shedAlerts, full },
      clock: { synced: clock.synced() },
      ...health,
    });
  }

  /** Publishes what runs here (retained). */
  about(about: About): void {
    this.say(this.topics.about, { schema: 'slothd.about.v1', node: this.options.node, ...about });
  }

  /** Publishes whether a sensor is there (retained). */
  sensorAvailability(sensor: string, online: boolean): void {
    if (!this.announced.has(sensor)) this.announce(sensor);
    this.retained.set(this.topics.sensor(sensor, 'availability'), online ? 'online' : 'offline');
    this.pump();
  }

  /** Publishes the list of a sensor's open alerts (retained). */
  alarms(sensor: string, list: readonly ActiveAlert[]): void {
    this.retained.set(this.topics.sensor(sensor, 'alarms'), alarmsJson(list, this.wallTime().toWallMs));
    this.pump();
  }

  /** Sets who carries out commands from `<root>/cmd/<verb>`. */
  onCommand(handler: CommandHandler): void {
    this.commands.onCommand(handler);
  }

  stats(): DeliveryStats {
    const { url, connected, protocol, lastError, connections, attempts } = this.link;
    return {
      enabled: this.enabled,
      url,
      connected,
      protocol,
      lastError,
      connections,
      attempts,
      outbox: this.outbox.stats(),
      vitalsSent: this.vitalsSent,
      vitalsDropped: this.vitalsDropped,
      commands: this.commands.stats(),
      webhook: this.webhook?.stats() ?? null,
    };
  }

  /** Waits shortly for acknowledgements, says goodbye, and brings everything to the store. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.cancelCorrection?.();
    this.cancelRefusedAgain?.();
    this.cancelRepeat?.();
    for (let waitedMs = 0; waitedMs < FLUSH_MS; waitedMs += FLUSH_POLL_MS) {
      if (!this.link.connected || this.outbox.stats().inFlight === 0) break;
      await new Promise<void>((resolve) => this.options.timers.after(FLUSH_POLL_MS, resolve));
    }
    const goodbyes = [...this.announced].map((sensor) => ({
      topic: this.topics.sensor(sensor, 'availability'),
      payload: 'offline',
      qos: 1 as const,
      retain: true,
    }));
    await Promise.all([this.link.stop(goodbyes, FLUSH_MS), this.webhook?.stop(FLUSH_MS)]);
    this.outbox.stop();
    await this.queue.stop();
  }

  /** Order of importance: fresh alerts, states, then what waited. */
  private pump(): void {
    if (!this.outbox.pumpFresh()) return;
    const said = this.retained.pump((topic, payload, done) =>
      this.link.publish({ topic, payload, qos: 1, retain: true }, (outcome) => {
        done(outcome);
        if (outcome === 'refused') this.sayRefusedAgain();
      }),
    );
    if (said) this.outbox.pumpReplay();
  }

  private sayRefusedAgain(): void {
    if (this.cancelRefusedAgain || this.stopping) return;
    this.cancelRefusedAgain = this.options.timers.after(this.refusedAgainMs, () => {
      this.cancelRefusedAgain = null;
      this.refusedAgainMs = Math.min(REFUSED_AGAIN_MS.longest, 2 * this.refusedAgainMs);
      this.retained.markRefused();
      this.pump();
    });
  }

  private send(item: OutboxItem, done: (outcome: SendOutcome) => void): boolean {
    const { clock, stages, log } = this.options;
    if (this.link.freeSlots <= 0) return false;
    const { topic, arrivedAtMs, replayed } = item;
    const alert = item.class === 'alert';
    const sentAtMs = clock.monotonicMs();
    const latencyMs = arrivedAtMs === null ? null : Math.max(0, sentAtMs - arrivedAtMs);
    const strip = alert && item.losses >= STRIP_AFTER_LOSSES;
    let payload = finishAlertJson(strip ? withoutEvidence(item.body) : item.body, latencyMs, replayed);
    if (alert && !this.link.fits(topic, payload)) {
      payload = finishAlertJson(withoutEvidence(item.body), latencyMs, replayed);
    }
    if (!this.link.fits(topic, payload)) {
      log.error({ topic, bytes: payload.length }, 'a message is larger than the broker allows and was given up');
      // Later, as every other end of a message: the outbox is in the middle of handing this one over.
      queueMicrotask(() => done('undeliverable'));
      return true;
    }
    const expiryS = alert ? 0 : this.options.settings.mqtt.vitalsExpiryS;
    const taken = this.link.publish({ topic, payload, qos: 1, expiryS }, (outcome) => {
      if (outcome === 'acked') stages?.record('publish_ack', clock.monotonicMs() - sentAtMs);
      done(outcome);
    });
    // What waited for the broker says nothing of our own speed, so only fresh alerts count.
    if (taken && !replayed && arrivedAtMs !== null) {
      stages?.record('wire_to_alert', Math.max(0, clock.monotonicMs() - arrivedAtMs), {
        sensor: item.sensor,
        alertId: alert ? alertIdOf(item.body) : undefined,
      });
    }
    return taken;
  }

  private say(topic: string, payload: object): void {
    this.retained.set(topic, JSON.stringify(payload));
    this.pump();
  }

  private wallTime(): WallTime {
    const { clock, toWallMs } = this.options;
    const offsetMs = clock.wallMs() - clock.monotonicMs();
    return { toWallMs: toWallMs ?? ((tMs) => offsetMs + tMs), clockSynced: clock.synced() };
  }

  private announce(sensor: string): void {
    this.announced.add(sensor);
    const { settings, node, version } = this.options;
    if (!settings.homeAssistant.enabled) return;
    this.retained.set(
      discoveryTopic(settings.homeAssistant, node, sensor),
      discoveryPayload(node, sensor, version, this.topics, this.extras.get(sensor)),
    );
  }

  /** A sensor that tells of a battery or of oxygen for the first time gets an entity for it. */
  private learn(sensor: string, vitals: Vitals): void {
    for (const extra of EXTRAS) {
      if (vitals[extra] == null) continue;
      const known = this.extras.get(sensor) ?? new Set();
      if (known.has(extra)) continue;
      this.extras.set(sensor, known.add(extra));
      this.announce(sensor);
      this.pump();
    }
  }

  /** Says of each configured sensor that it is not there yet, and removes what earlier runs announced and is gone. */
  private async announceSensors(): Promise<void> {
    const { store, sensors, settings, node, log } = this.options;
    for (const sensor of sensors) {
      if (this.announced.has(sensor)) continue;
      this.announce(sensor);
      this.retained.set(this.topics.sensor(sensor, 'availability'), 'offline');
    }
    let former: string[] = [];
    try {
      for await (const [key, value] of store.scan(SENSORS_KEY)) {
        if (key === SENSORS_KEY) former = (JSON.parse(value) as unknown[]).filter((name) => typeof name === 'string');
      }
    } catch (error) {
      log.warn({ err: error }, 'the list of announced sensors cannot be read');
    }
    const gone = new Set(former.filter((sensor) => !sensors.includes(sensor)));
    const remember = () => {
      this.outbox.persist([{ key: SENSORS_KEY, value: JSON.stringify([...sensors, ...gone]) }]);
    };
    remember();
    for (const sensor of gone) {
      this.retained.set(this.topics.sensor(sensor, 'alarms'), '');
      this.retained.set(this.topics.sensor(sensor, 'availability'), '');
      this.retained.set(discoveryTopic(settings.homeAssistant, node, sensor), '', () => {
        gone.delete(sensor);
        remember();
      });
    }
  }

  /**
   * The will of a former connection of ours may come late (no FIN, take-over), or somebody clears the topic: `online` must
   * have the last word.
   */
  private heardAvailability(payload: string): void {
    if (payload === 'online' || this.stopping || this.cancelCorrection) return;
    const { clock, timers, log } = this.options;
    const waitMs = Math.max(0, this.correctedAtMs + CORRECT_EVERY_MS - clock.monotonicMs());
    this.cancelCorrection = timers.after(waitMs, () => {
      this.cancelCorrection = null;
      if (this.stopping || !this.link.connected) return;
      this.correctedAtMs = clock.monotonicMs();
      log.info({ said: payload.slice(0, 40) }, 'the broker said of us what is not so; saying online again');
      const birth = { topic: this.topics.availability, payload: 'online', qos: 1, retain: true } as const;
      if (!this.link.publish(birth)) this.heardAvailability('offline');
    });
  }

  private homeAssistantStarted(): void {
    if (this.cancelRepeat || this.stopping) return;
    const { clock, timers } = this.options;
    const waitMs = this.repeatedAtMs + REPEAT_EVERY_MS - clock.monotonicMs();
    if (waitMs > 0) {
      this.cancelRepeat = timers.after(waitMs, () => {
        this.cancelRepeat = null;
        this.homeAssistantStarted();
      });
      return;
    }
    this.repeatedAtMs = clock.monotonicMs();
    this.link.publish({ topic: this.topics.availability, payload: 'online', qos: 1, retain: true });
    this.retained.markAll();
    this.pump();
  }
}

/** The id of an alert in its body, where it stands right behind the schema. */
function alertIdOf(body: string): string | undefined {
  return /"id":"([^"]+)"/.exec(body)?.[1];
}
