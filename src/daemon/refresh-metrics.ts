import type { Counter } from 'prom-client';
import { Metrics } from '../watch/metrics.js';
import type { HealthInputs } from './health.js';
import type { Models } from './models.js';

const seen = new WeakMap<Metrics, Map<string, number>>();

/** What only the daemon knows beside `HealthInputs`. */
export interface MetricExtras {
  readonly version: string;
  readonly deadlineMs: number;
  readonly eventClients: number;
  readonly eventsSkipped: number;
}

/** Brings the gauges, and the counters that are kept elsewhere, up to date; called when somebody scrapes. */
export function refreshMetrics(metrics: Metrics, inputs: HealthInputs, models: Models, extras: MetricExtras): void {
  let totals = seen.get(metrics);
  if (!totals) {
    totals = new Map();
    seen.set(metrics, totals);
  }
  const raise = raiser(totals);
  metrics.buildInfo.set({ version: extras.version }, 1);
  metrics.uptime.set(inputs.uptimeMs / 1000);
  metrics.clockSynced.set(inputs.clockSynced ? 1 : 0);
  metrics.watchdogFresh.set(inputs.watchdog.healthy ? 1 : 0);
  metrics.eventClients.set(extras.eventClients);
  raise(metrics.eventsSkipped, extras.eventsSkipped);
  refreshMachine(metrics, inputs.machine, raise);
  refreshDelivery(metrics, inputs.delivery, raise);
  refreshWebhook(metrics, inputs.delivery.webhook, raise);
  metrics.storeOnDisk.set(inputs.storeState === 'memory-only' ? 0 : 1);
  metrics.inferenceUp.set(inputs.inference.state === 'ready' || inputs.inference.state === 'slow' ? 1 : 0);
  metrics.inferenceSlow.set(inputs.inference.state === 'slow' ? 1 : 0);
  metrics.inferenceDeadline.set(extras.deadlineMs / 1000);
  if (inputs.inference.wanted) refreshInference(metrics, models, raise);
}

type Raise = (counter: Counter, total: number, labels?: Record<string, string>) => void;

function raiser(totals: Map<string, number>): Raise {
  return (counter, total, labels = {}) => {
    const { name } = counter as Counter & { readonly name: string };
    Metrics.raiseTo(counter, totals, `${name} ${Object.values(labels).join(' ')}`, total, labels);
  };
}

function refreshMachine(metrics: Metrics, machine: HealthInputs['machine'], raise: Raise): void {
  metrics.rss.set(machine.rssBytes);
  metrics.loopLag.set(machine.loopLagMs / 1000);
  // NaN where the machine does not tell: a gauge that was never set would say 0.
  metrics.temperature.set(machine.temperatureC ?? Number.NaN);
  metrics.throttled.set(machine.throttled === null ? Number.NaN : machine.throttled ? 1 : 0);
  raise(metrics.cpu, machine.cpuSeconds);
}

function refreshDelivery(metrics: Metrics, delivery: HealthInputs['delivery'], raise: Raise): void {
  const { outbox } = delivery;
  metrics.brokerUp.set(delivery.connected ? 1 : 0);
  raise(metrics.brokerConnections, delivery.connections);
  raise(metrics.brokerAttempts, delivery.attempts);
  raise(metrics.vitalsSent, delivery.vitalsSent);
  raise(metrics.vitalsDropped, delivery.vitalsDropped);
  metrics.outboxEntries.set(outbox.entries);
  metrics.outboxBytes.set(outbox.bytes);
  metrics.outboxInFlight.set(outbox.inFlight);
  metrics.outboxOldest.set(outbox.oldestAgeMs / 1000);
  raise(metrics.shed, outbox.shedAlerts, { class: 'alert' });
  raise(metrics.shed, outbox.shedTelemetry, { class: 'telemetry' });
  raise(metrics.refused, outbox.refused, { reason: 'refused' });
  raise(metrics.refused, outbox.undeliverable, { reason: 'undeliverable' });
  raise(metrics.replayed, outbox.replayed);
  raise(metrics.storeFailures, outbox.storeFailures);
}

function refreshWebhook(metrics: Metrics, webhook: HealthInputs['delivery']['webhook'], raise: Raise): void {
  metrics.webhookUp.set(webhook ? (webhook.lastError === '' ? 1 : 0) : Number.NaN);
  if (!webhook) return;
  const { outbox } = webhook;
  raise(metrics.webhookAttempts, webhook.attempts);
  raise(metrics.webhookDelivered, webhook.delivered);
  raise(metrics.webhookGivenUp, outbox.shedAlerts + outbox.undeliverable);
  metrics.webhookEntries.set(outbox.entries);
  metrics.webhookOldest.set(outbox.oldestAgeMs / 1000);
}

function refreshInference(metrics: Metrics, models: Models, raise: Raise): void {
  const stats = models.stats();
  metrics.inferenceQueue.set(stats.queued);
  metrics.inferenceBudget.set(stats.budgetMs / 1000);
  raise(metrics.inferenceItems, stats.items);
  raise(metrics.respawns, stats.respawns);
  raise(metrics.timeouts, stats.timeouts);
  raise(metrics.memoryRestarts, stats.memoryRestarts);
  raise(metrics.lateAnswers, stats.lateAnswers);
  raise(metrics.unanswered, stats.dropped, { reason: 'queue-full' });
  raise(metrics.unanswered, stats.unavailable, { reason: 'no-host' });
  raise(metrics.unanswered, stats.lost, { reason: 'host-died' });
  raise(metrics.unanswered, stats.faults, { reason: 'fault' });
  metrics.hostRss.set(stats.hostResidentMiB === null ? Number.NaN : stats.hostResidentMiB * 2 ** 20);
  metrics.modelInfo.reset();
  for (const slot of [models.beat, models.rhythm]) {
    const info = slot && models.port.info(slot.name);
    if (!info) continue;
    const { name, sha256, precision, runtime } = info;
    metrics.modelInfo.set({ name, sha256, precision, runtime }, 1);
  }
}
