import type { AlarmSettings } from '../config/alarms.js';
import type { AlertChange, AlertPriority, AlertValues } from '../domain/alert.js';
import type { OpenAlert } from './open-alert.js';
import type { Rule } from './rule.js';
import type { RuleKind } from './rules/registry.js';
import type { AlarmView } from './view.js';

/*
 * What an open alert says between its `new` and its `end`: that its values have changed, that nobody has looked for long,
 * that it has lasted so long that it is graver now. Each comes more rarely the longer the alert stands.
 */

export interface UpdateOptions {
  readonly settings: AlarmSettings;
  readonly view: AlarmView;
  emit(change: AlertChange): void;
}

/** An alert begins: how long it is silent, at first. */
export function beginUpdates({ settings, view }: UpdateOptions, alert: OpenAlert): void {
  alert.updateIntervalMs = settings.updates.firstAfterMs;
  alert.nextUpdateMs = view.nowMs + alert.updateIntervalMs;
  alert.remindIntervalMs = settings.reminders.firstAfterMs;
}

/**
 * The condition of an open alert stands: has it something new to say, or has nobody looked for too long?
 * @param priority of its kind, before it rose
 */
export function speakAgain(options: UpdateOptions, alert: OpenAlert, rule: Rule, priority: AlertPriority): void {
  const { settings, view } = options;
  if (alert.isQuiet) return;
  if (alert.acknowledgedUntilMs === null && escalates(options, alert, rule, priority)) {
    const from = alert.priority;
    alert.priority = from === 'low' ? 'medium' : 'high';
    sayUpdate(options, alert, { ...rule.finding(view).values, escalatedFrom: from });
    return;
  }
  const told = alert.sequence;
  sayWhatChanged(options, alert, rule);
  if (alert.sequence === told && isDueToRemind(alert, view.nowMs)) {
    alert.remindIntervalMs = Math.min(settings.reminders.longestMs, 2 * alert.remindIntervalMs);
    alert.reminders++;
    sayUpdate(options, alert, { ...rule.finding(view).values, reminder: alert.reminders });
  }
}

/** One update, with the intervals of now where the alert rests on intervals. */
export function sayUpdate({ settings, view, emit }: UpdateOptions, alert: OpenAlert, values: AlertValues): void {
  alert.updateIntervalMs = Math.min(settings.updates.longestMs, 2 * alert.updateIntervalMs);
  alert.nextUpdateMs = view.nowMs + alert.updateIntervalMs;
  alert.toldMs = view.nowMs;
  const evidence = alert.fields.evidence.rrMs ? { rrMs: view.beats.lastRrMs(settings.evidence.rrCount) } : {};
  emit(alert.next('update', values, evidence, null));
}

/** Once: what has risen already, also in an earlier process, stays where it is. */
function escalates({ settings, view }: UpdateOptions, alert: OpenAlert, rule: Rule, priority: AlertPriority): boolean {
  if (alert.priority !== priority || priority === 'high') return false;
  const { escalateAfterMs } = settings[rule.kind as RuleKind];
  return escalateAfterMs > 0 && view.nowMs - alert.fields.raisedMs >= escalateAfterMs;
}

function isDueToRemind(alert: OpenAlert, nowMs: number): boolean {
  if (alert.acknowledgedUntilMs !== null || alert.remindIntervalMs <= 0) return false;
  return nowMs - alert.toldMs >= alert.remindIntervalMs;
}

function sayWhatChanged(options: UpdateOptions, alert: OpenAlert, rule: Rule): void {
  const { settings, view } = options;
  if (alert.acknowledgedUntilMs !== null) {
    if (view.nowMs < alert.acknowledgedUntilMs) return;
    // The silence somebody asked for is over and the condition still stands: that is worth saying by itself.
    alert.acknowledgedUntilMs = null;
    sayUpdate(options, alert, { ...rule.finding(view).values, acknowledged: false });
    return;
  }
  if (view.nowMs < alert.nextUpdateMs) return;
  const { values } = rule.finding(view);
  if (isMaterial(alert.values, values, settings.updates.minChange)) sayUpdate(options, alert, values);
}

function isMaterial(before: AlertValues, after: AlertValues, minChange: number): boolean {
  return Object.entries(after).some(([key, value]) => {
    const old = before[key];
    if (typeof value !== 'number' || typeof old !== 'number') return value !== old;
    const change = Math.abs(value - old);
    return change > 0 && change >= minChange * Math.abs(old);
  });
}
