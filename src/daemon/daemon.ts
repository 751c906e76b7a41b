import type { Logger } from 'pino';
import type { AlarmEngine } from '../alarm/engine.js';
import type { Config } from '../config/schema.js';
import type { SensorSettings } from '../config/sensors.js';
import { Delivery, type DeliveryOptions } from '../delivery/publisher.js';
import type { AlertChange } from '../domain/alert.js';
import type { Clock, StreamMs, Timers } from '../domain/clock.js';
import type { Format } from '../domain/reading.js';
import type { StageRecorder } from '../domain/stage.js';
import type { Link } from '../sensor/links/link.js';
import { WebServer } from '../watch/http.js';
import { LatencyBook } from '../watch/latency.js';
import { Machine, type MachineFigures } from '../watch/machine.js';
import { Metrics } from '../watch/metrics.js';
import { SystemdNotifier } from '../watch/systemd.js';
import { Watchdog } from '../watch/watchdog.js';
import { AlarmDesk } from './alarm-desk.js';
import { carryOut } from './commands.js';
import { type HealthInputs, healthOf, readiness } from './health.js';
import type { DurableStore } from './level-store.js';
import type { Models } from './models.js';
import { refreshMetrics } from './refresh-metrics.js';
import { Station } from './station.js';

/** The outside world, passed in; `run`, the demo and tests bring their own. */
export interface Outside {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: () => number;
  readonly newId: () => string;
  readonly log: Logger;
  readonly env: NodeJS.ProcessEnv;
  readonly version: string;
  readonly openLink: (settings: SensorSettings, format: Format) => Link;
  readonly openStore: (dir: string) => Promise<DurableStore>;
  readonly createModels: (config: Config, stages: StageRecorder, onState: () => void) => Promise<Models>;
  /** Token of the web server, already read from its file. */
  readonly httpToken: string | null;
  readonly connect?: DeliveryOptions['connect'];
}

/** Rounds of the alarm rules, of the live trace, of vitals, of health. */
const TICK_MS = 100;
const TRACE_MS = 40;
const VITALS_MS = 1000;
const HEALTH_MS = 30_000;
const LOOP_DEADLINE_MS = 2000;

/**
 * The daemon: the only place that knows all stations. Builds one pipeline per sensor, joins them to the store, the
 * broker and the web server, keeps their time, and takes them down again.
 */
export class Daemon {
  readonly latency: LatencyBook;
  readonly metrics = new Metrics();
  private readonly stations = new Map<string, Station>();
  private readonly watchdog: Watchdog;
  private readonly machine = new Machine();
  private readonly systemd: SystemdNotifier;
  private figures: MachineFigures;
  private store!: DurableStore;
  private models!: Models;
  private delivery!: Delivery;
  private desk!: AlarmDesk;
  private web: WebServer | null = null;
  private url: string | null = null;
  private cancels: (() => void)[] = [];
  private startedAtMs = 0;
  private wasReady: string | null = null;

  constructor(
    private readonly config: Config,
    private readonly outside: Outside,
  ) {
    this.latency = new LatencyBook((stage, durationMs) => this.metrics.recordStage(stage, durationMs));
    this.watchdog = new Watchdog(outside.clock);
    this.systemd = new SystemdNotifier(outside.env);
    this.figures = this.machine.read();
  }

  /** Where the dashboard is; null where it is off. */
  get dashboardUrl(): string | null {
    return this.url;
  }

  /** Starts everything. Never fails because a sensor or the broker is missing. */
  async start(): Promise<void> {
    const { config, outside } = this;
    const { clock, log } = outside;
    this.startedAtMs = clock.monotonicMs();
    this.store = await outside.openStore(config.stateDir);
    this.models = await outside.createModels(config, this.latency, () => this.inferenceChanged());
    this.delivery = new Delivery({
      settings: { mqtt: config.mqtt, homeAssistant: config.homeAssistant },
      node: config.node,
      version: outside.version,
      sensors: config.sensors.map((sensor) => sensor.name),
      clock,
      timers: outside.timers,
      store: this.store,
      log: log.child({ part: 'mqtt' }),
      stages: this.latency,
      random: outside.random,
      connect: outside.connect,
      onOutboxFull: ({ full, shedAlerts }) => log.error({ full, shedAlerts }, 'outbox full: alerts were given up'),
      onLink: (up, reason) => {
        log.info({ up, reason }, up ? 'broker connected' : 'broker away');
        this.publishHealth();
      },
    });
    this.delivery.onCommand((verb, args) => carryOut(verb, args, this));
    this.desk = new AlarmDesk({
      clock,
      log,
      store: this.store,
      delivery: this.delivery,
      metrics: this.metrics,
      newId: outside.newId,
      onShown: (alert) => this.web?.events.emit('alert', alert),
    });
    for (const settings of config.sensors) await this.addStation(settings);
    await this.desk.endAlertsOfFormer(new Set(this.stations.keys()), config.alarms);
    await this.startWeb();
    await this.delivery.start();
    this.models.start();
    for (const station of this.stations.values()) station.runtime.start();
    this.inferenceChanged();
    this.watchdog.expect('event-loop', LOOP_DEADLINE_MS);
    this.every(TICK_MS, () => this.tick());
    this.every(TRACE_MS, () => this.showTraces());
    this.every(VITALS_MS, () => this.showVitals());
    this.every(HEALTH_MS, () => this.publishHealth());
    this.every(HEALTH_MS, () => this.latency.rotate());
    if (this.systemd.pingEveryMs) this.every(this.systemd.pingEveryMs, () => this.pingSystemd());
    this.systemd.ready();
    log.info(
      { sensors: this.stations.size, dashboard: this.url, ms: Math.round(clock.monotonicMs() - this.startedAtMs) },
      'running',
    );
  }

  async stop(): Promise<void> {
    this.systemd.stopping();
    for (const cancel of this.cancels.splice(0)) cancel();
    await Promise.all([...this.stations.values()].map((station) => station.runtime.stop()));
    await this.models.stop();
    await this.delivery.stop();
    await this.web?.close();
    await this.store.close();
    this.machine.stop();
  }

  /** Hears every alert event as it is raised; to be called once the daemon runs. */
  onAlert(observer: (change: AlertChange) => void): void {
    this.desk.onAlert(observer);
  }

  /** For the demo's live line and for tests. */
  sensor(name: string) {
    const station = this.stations.get(name);
    return station ? { ...station.vitals.peek(station.runtime.current), online: station.runtime.isOnline } : null;
  }

  alarmsOf(sensor: string): AlarmEngine | null {
    return this.stations.get(sensor)?.alarms ?? null;
  }

  sensorNames(): string[] {
    return [...this.stations.keys()];
  }

  nowMs(): StreamMs {
    return this.outside.clock.monotonicMs();
  }

  /** After `ack` or `snooze`. */
  alarmsChanged(sensor: string): void {
    const station = this.stations.get(sensor);
    if (station) this.desk.changed(sensor, station.alarms);
  }

  ready(): { ready: boolean; reasons: string[] } {
    return readiness(this.healthInputs());
  }

  inferenceFigures() {
    return this.latency.lastMinute().inference ?? null;
  }

  private async addStation(settings: SensorSettings): Promise<void> {
    const station = new Station({
      settings,
      config: this.config,
      outside: this.outside,
      models: this.models,
      stages: this.latency,
      metrics: this.metrics,
      events: () => this.web?.events ?? null,
      onAlert: (change, { alarms, runtime }) => this.desk.take(change, alarms, runtime.current?.causeMs ?? null),
      onOnline: (sensor, online) => this.online(sensor, online),
    });
    this.stations.set(station.name, station);
    await this.desk.restore(station.name, station.alarms);
  }

  private inferenceChanged(): void {
    if (!this.models.beat && !this.models.reason) return;
    const condition = this.models.condition();
    for (const { alarms, usesBeatModel } of this.stations.values()) {
      if (usesBeatModel) alarms.inference(this.nowMs(), condition, this.models.reason);
    }
    this.publishAbout();
    this.publishHealth();
  }

  // --- rounds ---

  private tick(): void {
    const now = this.nowMs();
    this.watchdog.beat('event-loop');
    for (const { runtime } of this.stations.values()) runtime.tick(now);
  }

  private showTraces(): void {
    if (!this.web || this.web.events.size === 0) return;
    for (const station of this.stations.values()) station.showTrace();
  }

  private showVitals(): void {
    for (const { name, vitals, runtime, alarms, usesBeatModel } of this.stations.values()) {
      const now = vitals.take(runtime.current);
      const { quality, ...rest } = now;
      if (runtime.isOnline) this.delivery.vitals(name, { ...rest, quality: quality.state });
      this.web?.events.emit('vitals', { sensor: name, online: runtime.isOnline, ...now });
      this.metrics.heartRate.set({ sensor: name }, now.hrBpm ?? Number.NaN);
      this.metrics.signalGood.set({ sensor: name }, quality.state === 'good' ? 1 : 0);
      if (usesBeatModel && this.models.beat) {
        alarms.inference(this.nowMs(), this.models.condition(), this.models.reason);
      }
    }
    this.figures = this.machine.read();
    const { ready, reasons } = this.ready();
    const state = `${ready} ${reasons.join('; ')}`;
    if (state !== this.wasReady) {
      this.wasReady = state;
      this.publishHealth();
    }
    this.systemd.status(ready ? 'ready' : reasons.join('; '));
    this.web?.events.emit('health', healthOf(this.healthInputs()));
  }

  private publishHealth(): void {
    this.delivery.health(healthOf(this.healthInputs()));
  }

  private publishAbout(): void {
    const { beat, port } = this.models;
    const info = beat && port.info(beat.name);
    const { alarms } = this.config;
    this.delivery.about({
      version: this.outside.version,
      models: info ? [info] : [],
      limits: {
        tachycardiaAboveBpm: alarms.tachycardia.aboveBpm,
        bradycardiaBelowBpm: alarms.bradycardia.belowBpm,
        inferenceDeadlineMs: this.config.inference.deadlineMs,
      },
    });
  }

  private pingSystemd(): void {
    const { healthy, reasons } = this.watchdog.verdict();
    if (healthy) this.systemd.ping();
    else this.systemd.status(reasons.join('; '));
  }

  private online(sensor: string, online: boolean): void {
    this.outside.log.info({ sensor, online }, online ? 'sensor online' : 'sensor offline');
    this.delivery.sensorAvailability(sensor, online);
  }

  // --- web ---

  private async startWeb(): Promise<void> {
    const { http, node } = this.config;
    if (!http.enabled) return;
    const web = new WebServer({
      host: http.host,
      port: http.port,
      token: this.outside.httpToken,
      view: {
        live: () => this.watchdog.verdict(),
        ready: () => this.ready(),
        metricsText: () => {
          refreshMetrics(this.metrics, this.healthInputs(), this.models, this.outside.version);
          return this.metrics.text();
        },
        status: () => ({
          node,
          version: this.outside.version,
          vitals: Object.fromEntries(this.sensorNames().map((name) => [name, this.sensor(name)])),
          alerts: this.desk.history.list(),
          health: healthOf(this.healthInputs()),
        }),
      },
    });
    this.url = await web.listen();
    this.web = web;
  }

  private healthInputs(): HealthInputs {
    return {
      watchdog: this.watchdog.verdict(),
      inference: {
        wanted: this.models.beat !== null || this.models.reason !== '',
        state: this.models.condition(),
        reason: this.models.reason,
      },
      delivery: this.delivery.stats(),
      storeState: this.store.state,
      sensors: [...this.stations.values()].map(({ name, runtime }) => ({ name, online: runtime.isOnline })),
      latency: this.latency,
      machine: this.figures,
      clockSynced: this.outside.clock.synced(),
      uptimeMs: this.nowMs() - this.startedAtMs,
    };
  }

  // --- time ---

  private every(periodMs: number, run: () => void): void {
    let cancel = () => {};
    const again = () => {
      cancel = this.outside.timers.after(periodMs, again);
      run();
    };
    cancel = this.outside.timers.after(periodMs, again);
    this.cancels.push(() => cancel());
  }
}
