import type { AlertKind, Announcement } from '../domain/alert.js';
import type { StoreWrite } from '../domain/store.js';
import { AlarmLists } from './alarm-lists.js';
import { AlertSize } from './alert-size.js';
import { Announcements } from './announcements.js';
import { type CommandHandler, Commands } from './commands.js';
import { statusTopic } from './home-assistant.js';
import { MqttLink, type Subscription } from './mqtt-link.js';
import type { AlertMeta, DeliveryOptions, DeliveryStats } from './options.js';
import { type MoreWrites, Outbox, type OutboxItem, type SendOutcome, writesOf } from './outbox.js';
import { OwnAvailability } from './own-availability.js';
import { OwnStates } from './own-states.js';
import {
  type About,
  type ActiveAlert,
  alertBodyJson,
  type Health,
  isoFromWallMs,
  type Vitals,
  type WallTime,
} from './payloads.js';
import { ReadBack } from './read-back.js';
import { StateSpeaker } from './state-speaker.js';
import { StoreQueue } from './store-queue.js';
import { Throttle } from './throttle.js';
import { Topics, topicLevel } from './topics.js';
import { Webhook } from './webhook.js';

export type { AlertMeta, DeliveryOptions, DeliverySettings, DeliveryStats } from './options.js';

/** Home Assistant starts once; a flood of its birth message must not become a flood of ours. */
const REPEAT_EVERY_MS = 5_000;
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
  /** null: nobody wants to know. */
  private readonly readBack: ReadBack | null;
  private readonly speaker: StateSpeaker;
  private readonly alertSize: AlertSize;
  private readonly lists: AlarmLists;
  private readonly commands: Commands;
  private readonly enabled: boolean;
  private readonly announcements: Announcements;
  private readonly availability: OwnAvailability;
  private readonly ownStates: OwnStates;
  /** For Home Assistant, which has started. */
  private readonly sayAllAgain: Throttle;
  /** The broker of the last connection. */
  private metUrl = '';
  private stopping = false;
  private vitalsSent = 0;
  private vitalsDropped = 0;

  constructor(private readonly options: DeliveryOptions) {
    const { settings, node, clock, timers, store, log, connect, random } = options;
    this.enabled = settings.mqtt.enabled;
    this.topics = new Topics(settings.mqtt.baseTopic, node);
    this.commands = new Commands({
      clock,
      log,
      isSpokenFor: (topic) =>
        this.topics.isSpokenFor(topic) || topic.startsWith(`${settings.homeAssistant.discoveryPrefix}/`),
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
    const homeAssistantStatus = statusTopic(settings.homeAssistant);
    if (settings.homeAssistant.enabled) subscriptions.push({ topic: homeAssistantStatus, qos: 0 });
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
          const isOther = this.link.url !== this.metUrl;
          this.metUrl = this.link.url;
          if (isOther) this.alertSize.forget();
          this.speaker.connected(isOther);
          this.ownStates.connected();
          this.link.listen(this.topics.availabilities);
          if (!this.readBack?.connected()) this.link.listen(this.topics.lists);
          this.pump();
          options.onLink?.(true, '');
        },
        onDown: (reason) => {
          this.readBack?.disconnected();
          this.speaker.disconnected();
          this.outbox.setLink(false);
          options.onLink?.(false, reason);
        },
        onRoom: () => this.pump(),
        onMessage: (topic, payload, packet) => {
          const verb = this.topics.verb(topic);
          if (verb !== null) {
            this.commands.take(verb, payload, packet);
            return;
          }
          this.readBack?.heard(topic, payload, packet.retain);
          this.ownStates.heard(topic, payload);
          if (topic === this.topics.availability) this.availability.heard(payload.toString());
          else if (topic === homeAssistantStatus && payload.toString() === 'online' && !packet.retain) {
            this.sayAllAgain.ask();
          }
        },
      },
    });
    const fits = (topic: string, payload: string) => this.link.fits(topic, payload);
    this.alertSize = new AlertSize(clock, fits);
    this.speaker = new StateSpeaker({
      clock,
      timers,
      log,
      fits,
      publish: (topic, payload, done) => this.link.publish({ topic, payload, qos: 1, retain: true }, done),
      onDue: () => this.pump(),
    });
    const retained = this.speaker.states;
    this.lists = new AlarmLists({
      sensors: options.sensors,
      topics: this.topics,
      retained,
      wallTime: () => this.wallTime(),
    });
    this.announcements = new Announcements({
      ...options,
      homeAssistant: settings.homeAssistant,
      topics: this.topics,
      retained,
      persist: (writes) => this.outbox.persist(writes),
    });
    this.availability = new OwnAvailability({
      clock,
      timers,
      log,
      isHere: () => this.link.connected,
      sayOnline: () => this.sayOnline(),
    });
    this.ownStates = new OwnStates({ retained, clock, timers, log, onDue: () => this.pump() });
    this.sayAllAgain = new Throttle({
      clock,
      timers,
      everyMs: REPEAT_EVERY_MS,
      run: () => {
        this.sayOnline();
        retained.markAll();
        this.pump();
      },
    });
    const { onListed, onFormer } = options;
    this.readBack =
      onListed === undefined
        ? null
        : new ReadBack({
            sensors: new Map(options.sensors.map((sensor) => [this.topics.sensor(sensor, 'alarms'), sensor])),
            timers,
            log,
            ask: (answered) => this.link.listen(this.topics.lists, answered),
            onRead: (lists) => {
              onListed(lists);
              this.pump();
            },
            formerOf: (topic) => {
              const level = this.topics.listedLevel(topic);
              return level === null ? null : this.announcements.formerAt(level);
            },
            onFormer: (sensor, list) => {
              this.announcements.remove(sensor);
              onFormer?.(sensor, list);
              this.pump();
            },
          });
  }

  /** `onListed` will be called, should there ever be a connection. */
  get readsBack(): boolean {
    return this.enabled && this.readBack !== null;
  }

  /** Takes up what an earlier run left unsent, then connects. Never fails because the broker is missing. */
  async start(): Promise<void> {
    await this.outbox.load();
    await this.webhook?.start();
    if (!this.enabled || this.stopping) return;
    await this.announcements.begin();
    this.link.start();
  }

  /**
   * Sends and stores one alert event. Returns at once; delivery is seen to for as long as it takes. A `new` goes ahead of
   * its disk, together with the list it stands in: who is killed before the disk has it finds it in that list.
   * @param extraWrites written to the store in the same atomic batch as the alert
   */
  alert(change: Announcement, meta: AlertMeta, extraWrites: MoreWrites): void {
    const body = alertBodyJson(change, this.options.node, this.wallTime());
    const writes = () => [...writesOf(extraWrites), ...(this.webhook?.take(change, body, meta.arrivedAtMs) ?? [])];
    if (!this.enabled) {
      const all = writes();
      if (all.length > 0) this.outbox.persist(all);
      return;
    }
    const tellList = meta.active && this.lists.make(change.sensor, meta.active);
    this.link.hold();
    this.outbox.add(
      {
        sensor: change.sensor,
        topic: this.topics.sensor(change.sensor, 'alert'),
        class: 'alert',
        body,
        arrivedAtMs: meta.arrivedAtMs,
        afterDisk: change.event !== 'new',
        first: meta.first ?? false,
      },
      writes,
      () => {
        if (tellList) {
          tellList();
          this.pump();
        }
        this.link.flush();
      },
    );
    this.link.flush();
  }

  /** Writes to the store in order with those of `alert`; a direct write could be overtaken by an earlier one of ours. */
  persist(writes: readonly StoreWrite[]): void {
    this.outbox.persist(writes);
  }

  /** Publishes what a sensor shows (QoS 0). Dropped while the broker is away or does not keep up, unless configured to be kept. */
  vitals(sensor: string, vitals: Vitals): void {
    if (!this.enabled) return;
    const { clock, settings } = this.options;
    if (this.announcements.learn(sensor, vitals)) this.pump();
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
    this.announcements.know(sensor);
    this.speaker.states.set(this.topics.sensor(sensor, 'availability'), online ? 'online' : 'offline');
    this.pump();
  }

  /** Publishes the list of a sensor's open alerts (retained). */
  alarms(sensor: string, list: readonly ActiveAlert[]): void {
    const makeKnown = this.lists.make(sensor, list);
    const tell = () => {
      makeKnown();
      this.pump();
    };
    if (!this.outbox.hasUnkept(sensor)) {
      tell();
      return;
    }
    // Behind the events it rests on, which are on their way to the disk: an alert in the list that was never told, or one
    // that is not in it and was not ended, would be what a killed process leaves to the next.
    this.lists.pause(sensor);
    this.queue.write([], tell);
  }

  /** Whether events of alerts of this kind wait to be told. */
  isWaitingToTell(sensor: string, kind: AlertKind): boolean {
    return this.outbox.holds(sensor, `"kind":"${kind}"`);
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
    this.readBack?.stop();
    this.availability.stop();
    this.ownStates.stop();
    this.speaker.stop();
    this.sayAllAgain.stop();
    for (let waitedMs = 0; waitedMs < FLUSH_MS; waitedMs += FLUSH_POLL_MS) {
      if (!this.link.connected || !this.outbox.isBusy) break;
      await new Promise<void>((resolve) => this.options.timers.after(FLUSH_POLL_MS, resolve));
    }
    const goodbyes = this.announcements.known.map((sensor) => ({
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
    if (this.readBack?.isReading) return;
    if (!this.outbox.pumpFresh()) return;
    if (this.speaker.pump()) this.outbox.pumpReplay();
  }

  private sayOnline(): boolean {
    return this.link.publish({ topic: this.topics.availability, payload: 'online', qos: 1, retain: true });
  }

  private send(item: OutboxItem, done: (outcome: SendOutcome) => void): boolean {
    const { clock, stages, log } = this.options;
    // An alert goes with the list it stands in.
    if (this.readBack?.isReading || !this.link.hasRoomFor(2)) return false;
    const { topic, arrivedAtMs, replayed } = item;
    const alert = item.class === 'alert';
    const sentAtMs = clock.monotonicMs();
    const latencyMs = arrivedAtMs === null ? null : Math.max(0, sentAtMs - arrivedAtMs);
    const { payload, onAcked } = this.alertSize.payloadOf(item, latencyMs);
    if (!this.link.fits(topic, payload)) {
      log.error({ topic, bytes: payload.length }, 'a message is larger than the broker allows and was given up');
      // Later, as every other end of a message: the outbox is in the middle of handing this one over.
      queueMicrotask(() => done('undeliverable'));
      return true;
    }
    const expiryS = alert ? 0 : this.options.settings.mqtt.vitalsExpiryS;
    const taken = this.link.publish({ topic, payload, qos: 1, expiryS }, (outcome) => {
      if (outcome === 'acked') {
        stages?.record('publish_ack', clock.monotonicMs() - sentAtMs);
        onAcked();
      }
      done(outcome);
    });
    // What waited for the broker says nothing of our own speed, so only fresh alerts count.
    if (taken && !replayed && arrivedAtMs !== null) {
      this.link.whenWritten(() =>
        stages?.record('wire_to_alert', Math.max(0, clock.monotonicMs() - arrivedAtMs), {
          sensor: item.sensor,
          alertId: alert ? alertIdOf(item.body) : undefined,
        }),
      );
    }
    return taken;
  }

  private say(topic: string, payload: object): void {
    this.speaker.states.set(topic, JSON.stringify(payload));
    this.pump();
  }

  private wallTime(): WallTime {
    const { clock, toWallMs } = this.options;
    const offsetMs = clock.wallMs() - clock.monotonicMs();
    return { toWallMs: toWallMs ?? ((tMs) => offsetMs + tMs), clockSynced: clock.synced() };
  }
}

/** The id of an alert in its body, where it stands right behind the schema. */
function alertIdOf(body: string): string | undefined {
  return /"id":"([^"]+)"/.exec(body)?.[1];
}
