import type { AlarmEngine } from '../alarm/engine.js';
import type { Config } from '../config/schema.js';
import type { SensorSettings } from '../config/sensors.js';
import { Delivery } from '../delivery/publisher.js';
import type { AlertChange } from '../domain/alert.js';
import type { StreamMs } from '../domain/clock.js';
import { LatencyBook, ROTATE_MS } from '../watch/latency.js';
import { Machine, type MachineFigures } from '../watch/machine.js';
import { Metrics } from '../watch/metrics.js';
import { SystemdNotifier } from '../watch/systemd.js';
import { Watchdog } from '../watch/watchdog.js';
import { AlarmDesk } from './alarm-desk.js';
import { keepBaselines, restoreBaseline } from './baselines.js';
import { carryOut } from './commands.js';
import type { FlightShelf } from './flight/shelf.js';
import { type HealthInputs, healthOf, type Readiness, readiness } from './health.js';
import { Heartbeats } from './heartbeats.js';
import type { DurableStore } from './level-store.js';
import { LivePage } from './live-page.js';
import { type MeasuredStore, measuredStore } from './measured-store.js';
import { aboutOf, modelHealthOf } from './model-report.js';
import type { ModelRefresh, Models } from './models.js';
import type { Outside } from './outside.js';
import { Persons } from './persons.js';
import { Rounds } from './rounds.js';
import { Station } from './station.js';
import { webView } from './web-view.js';

/** Rounds of a look at ourselves, of health. */
const LOOK_MS = 1000;
const HEALTH_MS = 30_000;
/** What was learnt of a person is worth a write this often: a power cut costs no more. */
const BASELINE_MS = 600_000;

/**
 * The daemon: the only place that knows all stations. Builds one pipeline per sensor, joins them to the store, the
 * broker and the web server, keeps their time, and takes them down again.
 */
export class Daemon {
  readonly latency: LatencyBook;
  readonly metrics = new Metrics();
  private readonly stations = new Map<string, Station>();
  private readonly persons = new Persons();
  private readonly watchdog: Watchdog;
  private readonly machine = new Machine();
  private readonly systemd: SystemdNotifier;
  private figures: MachineFigures;
  private store!: DurableStore;
  private measured!: MeasuredStore;
  private heartbeats!: Heartbeats;
  private models!: Models;
  private delivery!: Delivery;
  private desk!: AlarmDesk;
  private flights: FlightShelf | null = null;
  private readonly page: LivePage;
  private cancels: (() => void)[] = [];
  private startedAtMs = 0;
  /** Everything is built: what changes may be told. */
  private started = false;
  private wasReady: string | null = null;

  constructor(
    private readonly config: Config,
    private readonly outside: Outside,
  ) {
    this.latency = new LatencyBook((stage, durationMs, subject) =>
      this.metrics.stages.observe(stage, durationMs, subject?.sensor, subject?.alertId, outside.clock.wallMs()),
    );
    this.watchdog = new Watchdog(outside.clock);
    this.systemd = new SystemdNotifier(outside.env);
    const { timers, httpToken } = outside;
    this.page = new LivePage({ http: config.http, token: httpToken, timers, stations: this.stations });
    this.figures = this.machine.read();
  }

  /** Where the dashboard is; null where it is off. */
  get dashboardUrl(): string | null {
    return this.page.url;
  }

  /** Starts everything. Never fails because a sensor or the broker is missing. */
  async start(): Promise<void> {
    const { config, outside } = this;
    const { clock } = outside;
    this.startedAtMs = clock.monotonicMs();
    this.store = await outside.openStore(config.stateDir);
    this.flights = config.flightRecorder.enabled ? (outside.openFlights?.(config) ?? null) : null;
    this.measured = measuredStore(this.store, clock, this.latency);
    this.models = await outside.createModels(config, this.latency, () => {
      if (this.started) this.inferenceChanged();
    });
    // At once: the host loads while the rest is built. Nobody asks it before the sensors start.
    this.models.start();
    try {
      await this.startRest();
    } catch (error) {
      await this.models.stop();
      throw error;
    }
  }

  private async startRest(): Promise<void> {
    const { config, outside } = this;
    const { clock, log } = outside;
    this.delivery = new Delivery({
      settings: { mqtt: config.mqtt, homeAssistant: config.homeAssistant, webhook: config.webhook },
      node: config.node,
      version: outside.version,
      sensors: config.sensors.map((sensor) => sensor.name),
      clock,
      timers: outside.timers,
      store: this.measured,
      log: log.child({ part: 'mqtt' }),
      stages: this.latency,
      random: outside.random,
      connect: outside.connect,
      onOutboxFull: ({ full, shedAlerts }) => log.error({ full, shedAlerts }, 'outbox full: alerts were given up'),
      onLink: (up, reason) => {
        log.info({ up, reason }, up ? 'broker connected' : 'broker away');
        this.publishHealth();
      },
      onListed: (lists) => {
        for (const { name, alarms } of this.stations.values()) this.desk.recall(name, alarms, lists.get(name) ?? []);
      },
      onFormer: (sensor, list) => this.desk.endListedOfFormer(sensor, list, config.alarms),
    });
    this.delivery.onCommand((verb, args) => carryOut(verb, args, this));
    this.desk = new AlarmDesk({
      clock,
      log,
      store: this.store,
      delivery: this.delivery,
      metrics: this.metrics,
      newId: outside.newId,
      history: { maxAlerts: config.alertHistory.maxAlerts, maxBytes: config.alertHistory.maxMb * 1e6 },
      onShown: (alert) => this.page.show('alert', alert),
    });
    await this.desk.loadHistory();
    for (const settings of config.sensors) await this.addStation(settings);
    await this.desk.endAlertsOfFormer(new Set(this.stations.keys()), config.alarms);
    await this.page.start(this.webView());
    await this.delivery.start();
    for (const station of this.stations.values()) station.runtime.start();
    this.started = true;
    this.inferenceChanged();
    this.heartbeats = new Heartbeats(this.watchdog, clock, this.models, this.measured);
    const rounds = new Rounds(this.stations.size);
    this.every(rounds.turnMs, () => this.tick(rounds));
    this.every(LOOK_MS, () => this.look());
    this.every(HEALTH_MS, () => this.publishHealth());
    this.every(ROTATE_MS, () => this.rotateLatency());
    this.every(BASELINE_MS, () => void this.keepBaselines());
    const { roundEveryMs } = this.systemd;
    if (roundEveryMs) this.every(roundEveryMs, () => this.systemd.round(this.watchdog.verdict(), this.nowMs()));
    this.systemd.ready();
    log.info(
      { sensors: this.stations.size, dashboard: this.page.url, ms: Math.round(clock.monotonicMs() - this.startedAtMs) },
      'running',
    );
  }

  /** @param how `restarting`: another daemon follows in this process, so systemd must not hear that the service ends */
  async stop(how?: { readonly restarting: boolean }): Promise<void> {
    if (!how?.restarting) this.systemd.stopping();
    for (const cancel of this.cancels.splice(0)) cancel();
    this.page.stop();
    await Promise.all([...this.stations.values()].map((station) => station.runtime.stop()));
    await this.models.stop();
    await this.keepBaselines();
    await this.delivery.stop();
    await this.page.close();
    await this.flights?.settled();
    await this.store.close();
    this.machine.stop();
  }

  /** Takes other model bundles in, if others are wanted now, without a pause. */
  async refreshModels(): Promise<ModelRefresh> {
    return (await this.models.refresh?.()) ?? { outcome: 'unchanged', says: '' };
  }

  /** Hears every alert event as it is raised; to be called once the daemon runs. */
  onAlert(observer: (change: AlertChange) => void): void {
    this.desk.onAlert(observer);
  }

  /** For the demo's live line and for tests. */
  sensor(name: string) {
    return this.stations.get(name)?.shown ?? null;
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

  wallMs(): number {
    return this.outside.clock.wallMs();
  }

  sendTestAlert(sensor: string): string {
    return this.desk.test(sensor);
  }

  /** After `ack` or `snooze`. */
  alarmsChanged(sensor: string): void {
    const station = this.stations.get(sensor);
    if (station) this.desk.changed(sensor, station.alarms);
  }

  ready(): Readiness {
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
      stages: this.latency.of(settings.name),
      metrics: this.metrics,
      events: () => this.page.events,
      persons: this.persons,
      onAlert: (change, { alarms, runtime }) => this.desk.take(change, alarms, runtime.current?.causeMs ?? null),
      onOnline: (sensor, online) => this.online(sensor, online),
      ...(this.flights ? { saveFlight: (id, members) => this.flights?.save(id, members) } : {}),
    });
    this.stations.set(station.name, station);
    await this.desk.restore(station.name, station.alarms);
    await restoreBaseline(this.store, station, this.outside.log);
  }

  private keepBaselines(): Promise<void> {
    return keepBaselines(this.store, [...this.stations.values()], this.outside.log);
  }

  private inferenceChanged(): void {
    if (!this.hasEcgModel && !this.models.reason) return;
    this.tellAlarmsOfInference();
    this.delivery.about(this.about());
    this.publishHealth();
    // At once: a host that hangs is back within a second, and who looks at the page shall see that it was away.
    this.showHealth(this.healthInputs());
  }

  /** Whether a model looks at ECGs: only then does its absence leave something unseen. */
  private get hasEcgModel(): boolean {
    return this.models.beat !== null || this.models.shockable !== null;
  }

  private tellAlarmsOfInference(): void {
    const condition = this.models.condition();
    const { reason } = this.models;
    for (const station of this.stations.values()) station.tellInference(this.nowMs(), condition, reason);
  }

  private tellAlarmsOfDevice(): void {
    const { outbox, webhook } = this.delivery.stats();
    const outboxFull = outbox.full || (webhook?.outbox.full ?? false);
    const shedAlerts = outbox.shedAlerts + (webhook?.outbox.shedAlerts ?? 0);
    const memoryOnly = this.store.state === 'memory-only';
    const condition = { outboxFull, shedAlerts, memoryOnly, clockSynced: this.outside.clock.synced() };
    for (const station of this.stations.values()) station.tellDevice(this.nowMs(), condition);
  }

  // --- rounds ---

  private tick(rounds: Rounds): void {
    const now = this.nowMs();
    const turnOf = rounds.next();
    this.heartbeats.round(() => {
      let place = 0;
      for (const station of this.stations.values()) {
        const turn = turnOf(place++);
        if (!turn) continue;
        station.runtime.tick(now);
        if (turn.vitals) this.showVitals(station);
      }
    });
  }

  private showVitals({ name, person, vitals, runtime }: Station): void {
    const worn = this.persons.vitals(person);
    const now = { ...vitals.take(runtime.current), ...(worn ? { person: worn } : {}) };
    const { quality, ...rest } = now;
    if (runtime.isOnline) this.delivery.vitals(name, { ...rest, quality: quality.state });
    this.page.show('vitals', { sensor: name, online: runtime.isOnline, ...now });
    this.metrics.heartRate.set({ sensor: name }, now.hrBpm ?? Number.NaN);
    this.metrics.signalGood.set({ sensor: name }, quality.state === 'good' ? 1 : 0);
    if (now.contact !== null) this.metrics.contact.set({ sensor: name }, now.contact ? 1 : 0);
  }

  private look(): void {
    this.heartbeats.look();
    if (this.hasEcgModel) this.tellAlarmsOfInference();
    this.tellAlarmsOfDevice();
    this.figures = this.machine.read();
    const inputs = this.healthInputs();
    const { ready, reasons } = readiness(inputs);
    const state = `${ready} ${reasons.join('; ')}`;
    if (state !== this.wasReady) {
      this.wasReady = state;
      this.publishHealth();
    }
    if (inputs.watchdog.healthy) this.systemd.status(this.statusLine(ready, reasons));
    this.showHealth(inputs);
  }

  /** Health sums up a minute of histograms of each stage: only for somebody who looks. */
  private showHealth(inputs: HealthInputs): void {
    if (this.page.isWatched) this.page.show('health', healthOf(inputs));
  }

  /** For `systemctl status`: what a person asks first. Without figures that change each second. */
  private statusLine(ready: boolean, reasons: readonly string[]): string {
    if (!ready) return reasons.join('; ');
    const online = [...this.stations.values()].filter(({ runtime }) => runtime.isOnline).length;
    return `ready; ${online} of ${this.stations.size} sensors online`;
  }

  private publishHealth(): void {
    this.delivery.health(healthOf(this.healthInputs()));
  }

  private about() {
    return aboutOf(this.outside.version, this.models, this.config);
  }

  private rotateLatency(): void {
    this.latency.rotate(this.outside.clock.wallMs());
    this.page.show('latency', { point: this.latency.history.last, inference: this.latency.bins('inference') });
  }

  private online(sensor: string, online: boolean): void {
    this.outside.log.info({ sensor, online }, online ? 'sensor online' : 'sensor offline');
    this.delivery.sensorAvailability(sensor, online);
  }

  private webView() {
    const { config, outside, flights } = this;
    return webView({
      node: config.node,
      version: outside.version,
      inference: config.inference,
      clock: outside.clock,
      stations: this.stations,
      desk: this.desk,
      store: this.store,
      flights,
      models: this.models,
      metrics: this.metrics,
      latency: this.latency,
      watchdog: this.watchdog,
      events: () => this.page.events,
      healthInputs: () => this.healthInputs(),
      about: () => this.about(),
      command: (verb, args) => carryOut(verb, args, this),
    });
  }

  private healthInputs(): HealthInputs {
    return {
      watchdog: this.watchdog.verdict(),
      inference: {
        wanted: this.models.beat !== null || this.models.reason !== '',
        state: this.models.condition(),
        reason: this.models.reason,
      },
      model: modelHealthOf(this.models),
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
