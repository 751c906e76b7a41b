import type { Logger } from 'pino';
import { AlarmEngine, type EndReason, type ToldAlert } from '../alarm/engine.js';
import { AlarmBook, alarmPrefix, readAlarms } from '../alarm/store.js';
import type { AlarmSettings } from '../config/alarms.js';
import type { Delivery } from '../delivery/publisher.js';
import { TokenBucket } from '../delivery/token-bucket.js';
import { type AlertChange, type Announcement, type ListedAlert, TEST_KIND } from '../domain/alert.js';
import type { Clock, StreamMs } from '../domain/clock.js';
import type { KeyValueStore } from '../domain/store.js';
import type { Metrics } from '../watch/metrics.js';
import { AlertHistory, type AlertHistoryOptions, type ShownAlert } from './alert-history.js';

export interface AlarmDeskOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly store: KeyValueStore;
  readonly delivery: Delivery;
  readonly metrics: Metrics;
  readonly newId: () => string;
  /** Bounds of what is remembered. */
  readonly history: AlertHistoryOptions;
  readonly onShown: (alert: ShownAlert) => void;
}

/** Each is written to the disk and passed on to people: a program gone wrong must neither wear the one out nor the others. */
const TESTS = { perSecond: 0.2, atOnce: 10 } as const;

/** Where alert events of all sensors come together: stored, sent, counted, shown; and where a restart finds them again. */
export class AlarmDesk {
  readonly history: AlertHistory;
  private readonly books = new Map<string, AlarmBook>();
  private readonly observers: ((change: AlertChange) => void)[] = [];
  private readonly tests: TokenBucket;

  constructor(private readonly options: AlarmDeskOptions) {
    this.tests = new TokenBucket(options.clock, TESTS.perSecond, TESTS.atOnce);
    this.history = new AlertHistory(options.history);
  }

  /** Before anything else: what earlier runs told of. */
  async loadHistory(): Promise<void> {
    const damaged = await this.history.load(this.options.store);
    if (damaged > 0) this.options.log.warn({ damaged }, 'remembered alerts that make no sense were left out');
  }

  /** Hears every alert event as it is raised. */
  onAlert(observer: (change: AlertChange) => void): void {
    this.observers.push(observer);
  }

  /**
   * An engine has raised, renewed or ended an alert.
   * @param arrivedAtMs when the bytes that caused it arrived; null where none did
   */
  take(change: AlertChange, alarms: AlarmEngine, arrivedAtMs: StreamMs | null): void {
    const { delivery, metrics, log } = this.options;
    const { sensor, kind, event, id, priority } = change;
    // Alert, alarm state and history in one batch: after a crash there is all or nothing of it. They are made once the
    // alert is on its way: nobody waits for our books.
    const first = change.values.endReason === ('restarted' satisfies EndReason);
    delivery.alert(change, { arrivedAtMs, active: alarms.active(), first }, () => {
      this.options.onShown(this.history.add(change, (tMs) => this.toWallMs(tMs)));
      return [...this.writes(sensor, alarms), ...this.history.takeWrites()];
    });
    metrics.alerts.inc({ sensor, kind, event });
    log.info({ sensor, kind, event, id, priority }, `alert ${event}: ${kind}`);
    for (const observer of this.observers) observer(change);
  }

  /**
   * An alert that only shows that alerts arrive: stored, sent and shown as any other, and over at once.
   * @returns its id
   * @throws Error where somebody asks for too many
   */
  test(sensor: string): string {
    if (this.tests.waitMs > 0) throw new Error('too many test alerts; try again in some seconds');
    this.tests.take();
    const { delivery, metrics, log, clock, newId } = this.options;
    const nowMs = clock.monotonicMs();
    const id = newId();
    const event = (name: 'new' | 'end', sequence: number): Announcement => ({
      id,
      event: name,
      sequence,
      kind: TEST_KIND,
      priority: 'low',
      category: 'technical',
      sensor,
      onsetMs: nowMs,
      raisedMs: nowMs,
      endedMs: name === 'end' ? nowMs : null,
      values: { requested: true },
      evidence: {},
      model: null,
    });
    for (const announcement of [event('new', 1), event('end', 2)]) {
      const shown = this.history.add(announcement, (tMs) => this.toWallMs(tMs));
      delivery.alert(announcement, { arrivedAtMs: null }, this.history.takeWrites());
      metrics.alerts.inc({ sensor, kind: TEST_KIND, event: announcement.event });
      this.options.onShown(shown);
    }
    log.info({ sensor, id }, 'test alert sent');
    return id;
  }

  /** After `ack` or `snooze`: the changed state goes to the disk, to the retained list and to the dashboard. */
  changed(sensor: string, alarms: AlarmEngine): void {
    this.showAcknowledged(alarms);
    this.options.delivery.persist([...this.writes(sensor, alarms), ...this.history.takeWrites()]);
    this.options.delivery.alarms(sensor, alarms.active());
  }

  private showAcknowledged(alarms: AlarmEngine): void {
    for (const { id, acknowledgedUntilMs } of alarms.snapshot((tMs) => this.toWallMs(tMs)).alerts) {
      // Whole seconds: the two clocks behind it drift apart by microseconds between two looks.
      const until =
        acknowledgedUntilMs === null ? null : new Date(Math.round(acknowledgedUntilMs / 1000) * 1000).toISOString();
      const shown = this.history.acknowledge(id, until);
      if (shown) this.options.onShown(shown);
    }
  }

  /** Takes up what an earlier run left open for this sensor; before anything else is told to its engine. */
  async restore(sensor: string, alarms: AlarmEngine): Promise<void> {
    const { store, log, clock, delivery } = this.options;
    const entries: [string, string][] = [];
    for await (const [key, value] of store.scan(alarmPrefix(sensor))) entries.push([key, value]);
    const { snapshot, damaged } = readAlarms(entries);
    if (damaged.length > 0) log.warn({ sensor, damaged }, 'stored alarms that make no sense were left out');
    const offsetMs = this.wallOffsetMs();
    alarms.restore(snapshot, (wallMs) => wallMs - offsetMs, clock.monotonicMs(), delivery.readsBack);
    // Not before the list at the broker has been read: it may know more than the disk.
    if (!delivery.readsBack) delivery.alarms(sensor, alarms.active());
    for (const change of alarms.active()) this.options.onShown(this.history.add(change, (tMs) => this.toWallMs(tMs)));
    this.showAcknowledged(alarms);
  }

  /**
   * What an earlier run had told of this sensor and had open, as the broker has it; empty where it has no list. Where that
   * run was killed before its disk had an alert, only the broker knows of it: it goes on from there under its own id.
   */
  recall(sensor: string, alarms: AlarmEngine, listed: readonly ListedAlert[]): void {
    const { log, clock, delivery } = this.options;
    const told = this.toldOf(sensor, listed);
    const known = new Map(alarms.active().map(({ id, sequence }) => [id, sequence]));
    const news = told.filter(({ id, sequence }) => sequence > (known.get(id) ?? 0));
    alarms.recall(clock.monotonicMs(), told);
    if (news.length > 0) {
      log.warn(
        { sensor, alerts: news.map(({ id, kind, sequence }) => ({ id, kind, sequence })) },
        'the broker knows more of our open alerts than the disk: an earlier run was killed while it told of them',
      );
      for (const change of alarms.active()) {
        if (news.some(({ id }) => id === change.id)) {
          this.options.onShown(this.history.add(change, (tMs) => this.toWallMs(tMs)));
        }
      }
      delivery.persist([...this.writes(sensor, alarms), ...this.history.takeWrites()]);
    }
    delivery.alarms(sensor, alarms.active());
  }

  /**
   * What the broker says to be open of a sensor that is no longer configured: ended. Where an earlier run was killed before
   * its disk had such an alert, nobody else knows of it.
   */
  endListedOfFormer(sensor: string, listed: readonly ListedAlert[], settings: AlarmSettings): void {
    const { log, clock, delivery } = this.options;
    const told = this.toldOf(sensor, listed);
    if (told.length > 0) {
      const alarms = this.engineOfFormer(sensor, settings);
      alarms.recall(clock.monotonicMs(), told);
      alarms.stop(clock.monotonicMs());
      delivery.persist(this.writes(sensor, alarms));
      log.warn({ sensor, alerts: told.map(({ id, kind }) => ({ id, kind })) }, 'alerts of a former sensor were open');
    }
    // Behind what ends them, should that wait for the disk.
    delivery.alarms(sensor, []);
  }

  /** What was told and is not known to be over, in stream time. */
  private toldOf(sensor: string, listed: readonly ListedAlert[]): ToldAlert[] {
    const offsetMs = this.wallOffsetMs();
    return listed
      .filter(({ id }) => !this.history.hasEnded(id))
      .map(({ onsetAtMs, raisedAtMs, ...rest }) => ({
        ...rest,
        onsetMs: onsetAtMs - offsetMs,
        raisedMs: raisedAtMs - offsetMs,
        isPast: this.options.delivery.isWaitingToTell(sensor, rest.kind),
      }));
  }

  /** A sensor that is no longer configured cannot end its own alerts, and no alert may stay open for ever. */
  async endAlertsOfFormer(configured: ReadonlySet<string>, settings: AlarmSettings): Promise<void> {
    const { store, clock, delivery } = this.options;
    const gone = new Set<string>();
    for await (const [key] of store.scan('alarms/')) {
      const sensor = decodeURIComponent(key.split('/')[1] ?? '');
      if (sensor && !configured.has(sensor)) gone.add(sensor);
    }
    for (const sensor of gone) {
      const alarms = this.engineOfFormer(sensor, settings);
      await this.restore(sensor, alarms);
      alarms.stop(clock.monotonicMs());
      delivery.persist(this.writes(sensor, alarms));
    }
  }

  private engineOfFormer(sensor: string, settings: AlarmSettings): AlarmEngine {
    const alarms: AlarmEngine = new AlarmEngine({
      sensor,
      settings,
      emit: (change) => this.take(change, alarms, null),
      newId: this.options.newId,
      capture: () => undefined,
      modelInfo: () => null,
    });
    return alarms;
  }

  private writes(sensor: string, alarms: AlarmEngine) {
    let book = this.books.get(sensor);
    if (!book) {
      book = new AlarmBook(sensor);
      this.books.set(sensor, book);
    }
    return book.writes(alarms.snapshot((tMs) => this.toWallMs(tMs)));
  }

  private wallOffsetMs(): number {
    return this.options.clock.wallMs() - this.options.clock.monotonicMs();
  }

  private toWallMs(tMs: StreamMs): number {
    return tMs + this.wallOffsetMs();
  }
}
