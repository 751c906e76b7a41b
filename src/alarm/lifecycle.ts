import type { AlertKind, AlertPriority, AlertValues, ModelRef } from '../domain/alert.js';
import type { StreamMs } from '../domain/clock.js';
import type { ModelSlot } from '../domain/inference.js';
import { type EvidenceOptions, gatherEvidence } from './evidence.js';
import { OpenAlert, recallAlert, restoreAlert, type StandingAlert, type ToldAlert } from './open-alert.js';
import { heldBackBy } from './peers.js';
import type { Finding, Rule } from './rule.js';
import type { AlarmSnapshot } from './snapshot.js';
import { explainedBy } from './subsumption.js';
import { beginUpdates, sayUpdate, speakAgain, type UpdateOptions } from './updates.js';

/**
 * Why an alert ended; the value `endReason` of its `end`.
 * - `cleared`: the condition is over. `withdrawn`: it never was, a late reading showed it.
 * - `subsumed`: a graver kind (`by`) explains it.
 * - `signal-lost`, `no-evidence`: nothing was known of it for the hold time, because the signal went or because beats or
 *   scores stayed away. What is no longer known is not called current; the lost signal has an alert of its own.
 * - `snoozed`: somebody asked for silence. `disabled`: the kind was switched off in the config.
 * - `restarted`: slothd was killed while it told of it, and cannot go on with it: it had raised another one since, or had
 *   told of its end.
 * - `stopped`: the sensor was taken out of the config, or a recording is over.
 */
export type EndReason =
  | 'cleared'
  | 'withdrawn'
  | 'subsumed'
  | 'signal-lost'
  | 'no-evidence'
  | 'snoozed'
  | 'disabled'
  | 'restarted'
  | 'stopped';

/** What became of an `ack` or `snooze`. `untilMs` is what was granted, which may be less than was asked. */
export type CommandResult =
  | { readonly accepted: true; readonly untilMs: StreamMs }
  | { readonly accepted: false; readonly reason: string };

export interface LifecycleOptions extends EvidenceOptions, UpdateOptions {
  newId(): string;
  modelInfo(kind: AlertKind, slot?: ModelSlot): ModelRef | null;
}

/** One kind's place: its rule, and the alert that may be open. */
interface Slot {
  readonly rule: Rule;
  readonly priority: AlertPriority;
  /** Graver kinds that have a rule here. */
  explainedBy: readonly Slot[];
  /** The condition stands, told or (snoozed) not. */
  standing: boolean;
  alert: OpenAlert | null;
  absentSinceMs: StreamMs | null;
  blindSinceMs: StreamMs | null;
  snoozedUntilMs: StreamMs;
  endedMs: StreamMs;
  /** Times it came back right after its end. */
  flaps: number;
}

/**
 * Makes alerts of what the rules say: at most one open per kind, every `new` with exactly one `end`, sequences without a
 * gap, updates that back off, graver kinds instead of lesser ones.
 */
export class Lifecycle {
  private readonly slots: Slot[];
  private readonly byKind = new Map<AlertKind, Slot>();
  /** Alerts of an earlier process whose kind has no rule any more. */
  private orphans: OpenAlert[] = [];

  constructor(
    rules: readonly { rule: Rule; priority: AlertPriority }[],
    private readonly options: LifecycleOptions,
  ) {
    this.slots = rules.map(({ rule, priority }) => ({
      rule,
      priority,
      explainedBy: [],
      standing: false,
      alert: null,
      absentSinceMs: null,
      blindSinceMs: null,
      snoozedUntilMs: Number.NEGATIVE_INFINITY,
      endedMs: Number.NEGATIVE_INFINITY,
      flaps: 0,
    }));
    for (const slot of this.slots) this.byKind.set(slot.rule.kind, slot);
    for (const slot of this.slots) {
      slot.explainedBy = explainedBy(slot.rule.kind).flatMap((kind) => this.byKind.get(kind) ?? []);
    }
  }

  /** Asks every rule and acts on the answers. */
  evaluate(): void {
    // One by one: what is stored with each event still holds those whose end has not been told.
    for (let orphan = this.orphans.shift(); orphan; orphan = this.orphans.shift()) {
      this.emitEnd(orphan, 'disabled', {});
    }
    for (const slot of this.slots) this.step(slot);
  }

  /** An alert of this kind is open, or would be, had nobody asked for silence. */
  tells(kind: AlertKind): boolean {
    const slot = this.byKind.get(kind);
    if (!slot) return false;
    return slot.alert !== null || (slot.standing && slot.snoozedUntilMs > this.options.view.nowMs);
  }

  active(): StandingAlert[] {
    return this.slots.flatMap((slot) => (slot.alert ? [slot.alert.current(this.options.view.nowMs)] : []));
  }

  /** Somebody has seen it: no updates until then. The end is still told. */
  acknowledge(kind: AlertKind, untilMs: StreamMs): CommandResult {
    const slot = this.byKind.get(kind);
    if (!slot?.alert) return { accepted: false, reason: `no ${kind} alert is open` };
    const granted = this.grant(slot.alert.priority, untilMs);
    if (granted === null) return { accepted: false, reason: 'the time asked for is not in the future' };
    const before = slot.alert.acknowledgedUntilMs;
    const isNews = before === null || before <= this.options.view.nowMs;
    slot.alert.acknowledgedUntilMs = granted;
    // Said once: who acknowledges again and again must not make the alert speak each time.
    if (isNews && !slot.alert.isQuiet)
      sayUpdate(this.options, slot.alert, { ...slot.alert.values, acknowledged: true });
    return { accepted: true, untilMs: granted };
  }

  /** Silence for one kind: an open alert ends, none is raised until then; what still stands then is raised anew. */
  snooze(kind: AlertKind, untilMs: StreamMs): CommandResult {
    const slot = this.byKind.get(kind);
    if (!slot) return { accepted: false, reason: `no rule for ${kind} on this sensor` };
    const granted = this.grant(slot.alert?.priority ?? slot.priority, untilMs);
    if (granted === null) return { accepted: false, reason: 'the time asked for is not in the future' };
    slot.snoozedUntilMs = granted;
    if (slot.alert) this.tellEnd(slot, 'snoozed', {});
    return { accepted: true, untilMs: granted };
  }

  /** The sensor is taken out of service: what is open ends. */
  endAll(): void {
    for (const slot of this.slots) if (slot.alert) this.close(slot, 'stopped');
  }

  snapshot(toWallMs: (tMs: StreamMs) => number): AlarmSnapshot {
    const { nowMs } = this.options.view;
    return {
      alerts: [...this.orphans, ...this.slots.flatMap((slot) => slot.alert ?? [])].map((a) => a.snapshot(toWallMs)),
      snoozes: this.slots
        .filter((slot) => slot.snoozedUntilMs > nowMs)
        .map((slot) => ({ kind: slot.rule.kind, untilMs: toWallMs(slot.snoozedUntilMs) })),
    };
  }

  /** @param quiet the alerts say nothing but their end until `recall` */
  restore(snapshot: AlarmSnapshot, toStreamMs: (wallMs: number) => StreamMs, nowMs: StreamMs, quiet: boolean): void {
    for (const saved of snapshot.alerts) {
      const alert = restoreAlert(saved, this.options.sensor, toStreamMs, nowMs);
      alert.isQuiet = quiet;
      const slot = this.byKind.get(saved.kind);
      if (!slot || slot.alert) {
        this.orphans.push(alert);
        continue;
      }
      if (alert.acknowledgedUntilMs !== null) {
        alert.acknowledgedUntilMs = Math.min(alert.acknowledgedUntilMs, nowMs + this.longest(alert.priority));
      }
      slot.alert = alert;
      slot.standing = true;
    }
    for (const saved of snapshot.snoozes) {
      const slot = this.byKind.get(saved.kind);
      // A wall clock set back while we were away may not lengthen a snooze beyond what is ever granted.
      if (slot) slot.snoozedUntilMs = Math.min(toStreamMs(saved.untilMs), nowMs + this.longest(slot.priority));
    }
  }

  /**
   * What an earlier process had told of and had open. Events of it that this one does not know of are counted; an alert
   * that it does not know at all is taken up where its kind has room, as one that was stored, and else ends.
   */
  recall(told: readonly ToldAlert[]): void {
    const open = [...this.slots.flatMap((slot) => slot.alert ?? []), ...this.orphans];
    const knownOf = ({ id }: ToldAlert) => open.find(({ fields }) => fields.id === id);
    const news = told.filter((one) => one.sequence > (knownOf(one)?.sequence ?? 0));
    // What was stored later than that was told before the kill; the rest of what is not in it had been told to be over.
    const untilMs = Math.max(...news.map(({ raisedMs }) => raisedMs));
    for (const slot of this.slots) {
      const { alert } = slot;
      if (!alert?.isQuiet) continue;
      alert.isQuiet = false;
      const isOver = alert.fields.raisedMs <= untilMs && !told.some(({ id }) => id === alert.fields.id);
      if (isOver) this.close(slot, 'restarted');
    }
    for (const one of told) {
      const known = knownOf(one);
      if (known) {
        known.catchUp(one);
        continue;
      }
      const alert = recallAlert(one, this.options.sensor, this.options.view.nowMs);
      const slot = this.byKind.get(one.kind);
      if (slot && !slot.alert && !one.isPast && slot.snoozedUntilMs <= this.options.view.nowMs) {
        beginUpdates(this.options, alert);
        slot.alert = alert;
        slot.standing = true;
      } else this.emitEnd(alert, slot ? 'restarted' : 'disabled', {});
    }
  }

  private step(slot: Slot): void {
    const { view, settings } = this.options;
    const { nowMs } = view;
    const { rule } = slot;
    const higher = slot.explainedBy.find((other) => other.standing);
    if (higher) {
      rule.reset();
      if (slot.standing) this.close(slot, 'subsumed', { by: higher.rule.kind });
      return;
    }
    const usable = this.has(rule.needs) || (rule.seesThrough?.(view) ?? false);
    const state = usable ? rule.state(view) : 'blind';
    if (state !== 'blind') slot.blindSinceMs = null;
    if (state !== 'absent') slot.absentSinceMs = null;
    switch (state) {
      case 'present':
        slot.standing = true;
        if (slot.alert) speakAgain(this.options, slot.alert, rule, slot.priority);
        else if (slot.snoozedUntilMs <= nowMs) this.raiseUnlessHeld(slot);
        if (slot.alert) slot.alert.seenMs = nowMs;
        break;
      case 'holding':
        if (slot.alert) slot.alert.seenMs = nowMs;
        break;
      case 'withdrawn':
        if (slot.standing) this.close(slot, 'withdrawn');
        break;
      case 'absent':
        slot.absentSinceMs ??= nowMs;
        if (slot.standing && nowMs - slot.absentSinceMs >= this.clearMs(slot)) this.close(slot, 'cleared');
        break;
      case 'blind':
        slot.blindSinceMs ??= nowMs;
        if (slot.standing && nowMs - slot.blindSinceMs >= settings.signal.holdMs) {
          this.close(slot, usable ? 'no-evidence' : 'signal-lost');
        }
        break;
    }
  }

  /** Several sensors on one person raise one alert, and none that a better witness contradicts. */
  private raiseUnlessHeld(slot: Slot): void {
    const { peers, view, settings } = this.options;
    const { rule } = slot;
    const finding = rule.finding(view);
    if (peers && rule.needs !== 'nothing') {
      const { rateBpm, longestMs } = finding.values;
      const claim = {
        kind: rule.kind,
        rateBpm: typeof rateBpm === 'number' ? rateBpm : undefined,
        longestMs: typeof longestMs === 'number' ? longestMs : undefined,
      };
      if (heldBackBy(claim, peers, settings.signal.crossCheck) !== null) return;
    }
    this.raise(slot, finding);
  }

  private has(needs: Rule['needs']): boolean {
    const { view } = this.options;
    return needs === 'nothing' || (needs === 'contact' ? view.hasContact : view.signalGood);
  }

  private raise(slot: Slot, finding: Finding): void {
    const { sensor, view, settings } = this.options;
    const { nowMs } = view;
    const { rule, priority } = slot;
    const onsetMs = Math.min(finding.onsetMs, nowMs);
    if (nowMs - slot.endedMs <= settings.storm.withinMs) slot.flaps++;
    else if (nowMs - slot.endedMs >= settings.storm.calmMs) slot.flaps = 0;
    const alert = new OpenAlert({
      id: this.options.newId(),
      kind: rule.kind,
      priority,
      sensor,
      onsetMs,
      raisedMs: nowMs,
      values: finding.values,
      evidence: rule.needs !== 'nothing' ? gatherEvidence(this.options, onsetMs) : {},
      model: this.model(rule.kind, finding),
    });
    beginUpdates(this.options, alert);
    slot.alert = alert;
    this.options.emit(alert.next('new', finding.values, alert.fields.evidence, null));
  }

  /** The condition no longer stands. */
  private close(slot: Slot, reason: EndReason, more: AlertValues = {}): void {
    slot.standing = false;
    slot.absentSinceMs = null;
    slot.blindSinceMs = null;
    if (slot.alert) this.tellEnd(slot, reason, more);
  }

  private tellEnd(slot: Slot, reason: EndReason, more: AlertValues): void {
    const { alert } = slot;
    slot.alert = null;
    slot.endedMs = this.options.view.nowMs;
    if (alert) this.emitEnd(alert, reason, more);
  }

  private emitEnd(alert: OpenAlert, endReason: EndReason, more: AlertValues): void {
    const durationMs = Math.max(0, Math.round(alert.seenMs - alert.fields.onsetMs));
    const endedMs = Math.max(this.options.view.nowMs, alert.fields.raisedMs);
    const summary = this.byKind.get(alert.fields.kind)?.rule.summary?.() ?? {};
    const values = { ...alert.values, ...summary, durationMs, endReason, ...more };
    this.options.emit(alert.next('end', values, {}, endedMs));
  }

  private model(kind: AlertKind, finding: Finding): ModelRef | null {
    if (finding.score === undefined) return null;
    const info = this.options.modelInfo(kind, finding.slot);
    return info ? { ...info, score: finding.score } : null;
  }

  /** A condition that comes and goes must stay away longer each time before its alert ends. */
  private clearMs(slot: Slot): number {
    const { clearMs } = slot.rule;
    return Math.max(clearMs, Math.min(this.options.settings.storm.longestClearMs, clearMs * 2 ** slot.flaps));
  }

  private grant(priority: AlertPriority, untilMs: StreamMs): StreamMs | null {
    const { nowMs } = this.options.view;
    return untilMs > nowMs ? Math.min(untilMs, nowMs + this.longest(priority)) : null;
  }

  private longest(priority: AlertPriority): number {
    const { maxMs, maxHighMs } = this.options.settings.snooze;
    return priority === 'high' ? maxHighMs : maxMs;
  }
}
