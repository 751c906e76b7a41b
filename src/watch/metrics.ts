import type * as Prom from 'prom-client';
import { Counter, Gauge, Registry } from './prom-parts.js';
import { StageHistogram } from './stage-histogram.js';

export const PROMETHEUS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';
export const OPENMETRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';

/** Every metric of the daemon, under the `slothd_` prefix and in base units. One instance per daemon: no global registry. */
export class Metrics {
  readonly registry = new Registry();
  readonly stages = new StageHistogram();
  readonly frames = this.counter('frames_total', 'Valid frames decoded.', ['sensor']);
  readonly bytes = this.counter('received_bytes_total', 'Bytes that came from the sensor.', ['sensor']);
  readonly dropped = this.counter('frames_dropped_total', 'Frames not used, by reason.', ['sensor', 'reason']);
  readonly reopens = this.counter('link_reopens_total', 'Times a link was lost or did not open, by reason.', [
    'sensor',
    'reason',
  ]);
  readonly beats = this.counter('beats_total', 'Heart beats found.', ['sensor']);
  readonly alerts = this.counter('alerts_total', 'Alert events, by kind and event.', ['sensor', 'kind', 'event']);
  readonly heartRate = this.gauge('heart_rate_bpm', 'Heart rate at the moment.', ['sensor']);
  readonly sensorUp = this.gauge('sensor_up', '1 while valid frames arrive.', ['sensor']);
  readonly signalGood = this.gauge('signal_good', '1 while the signal can be trusted.', ['sensor']);
  readonly inferenceUp = this.gauge('inference_up', '1 while the model host answers.', []);
  readonly contact = this.gauge('sensor_contact', '1 while the sensor touches the body, as far as it is known.', [
    'sensor',
  ]);
  readonly watchdogFresh = this.gauge('watchdog_healthy', '1 while every heartbeat is fresh.', []);
  readonly inferenceQueue = this.gauge('inference_queue_entries', 'Beats that wait for the model host.', []);
  readonly inferenceSlow = this.gauge('inference_slow', '1 while the p99 of recent answers is above the budget.', []);
  readonly inferenceBudget = this.gauge('inference_budget_seconds', 'Soft budget for the p99 of answers.', []);
  readonly inferenceDeadline = this.gauge(
    'inference_deadline_seconds',
    'A host that has not answered after this long is killed.',
    [],
  );
  readonly inferenceItems = this.counter('inference_items_total', 'Beats the model answered.', []);
  readonly timeouts = this.counter(
    'inference_timeouts_total',
    'Times the host missed its deadline and was killed.',
    [],
  );
  readonly memoryRestarts = this.counter(
    'inference_memory_restarts_total',
    'Times the host was started anew because it had grown too large.',
    [],
  );
  readonly unanswered = this.counter('inference_unanswered_total', 'Beats that got no answer, by reason.', ['reason']);
  readonly respawns = this.counter('inference_respawns_total', 'Times the model host was started anew.', []);
  readonly lateAnswers = this.counter('inference_late_answers_total', 'Answers that came after their deadline.', []);
  readonly hostRss = this.gauge('inference_host_resident_memory_bytes', 'Resident memory of the model host.', []);
  readonly brokerUp = this.gauge('broker_connected', '1 while the broker is connected.', []);
  readonly outboxEntries = this.gauge('outbox_entries', 'Messages that wait for the broker.', []);
  readonly outboxBytes = this.gauge('outbox_bytes', 'Bytes that wait for the broker.', []);
  readonly shed = this.counter('outbox_shed_total', 'Messages given up because the outbox was full, by class.', [
    'class',
  ]);
  readonly outboxInFlight = this.gauge('outbox_in_flight_entries', 'Messages sent and not yet acknowledged.', []);
  readonly outboxOldest = this.gauge('outbox_oldest_age_seconds', 'How long the oldest message has waited.', []);
  readonly replayed = this.counter('outbox_replayed_total', 'Messages sent again or later than they were made.', []);
  readonly refused = this.counter('outbox_refused_total', 'Messages not delivered, by reason.', ['reason']);
  readonly storeFailures = this.counter('store_write_failures_total', 'Writes the disk refused.', []);
  readonly brokerConnections = this.counter('broker_connections_total', 'Connections made to the broker.', []);
  readonly brokerAttempts = this.counter('broker_connection_attempts_total', 'Attempts to reach the broker.', []);
  readonly webhookUp = this.gauge(
    'webhook_up',
    '1 while the webhook took the last alert posted, 0 while alerts wait for it; NaN where none is configured.',
    [],
  );
  readonly webhookAttempts = this.counter('webhook_attempts_total', 'Posts to the webhook.', []);
  readonly webhookDelivered = this.counter('webhook_delivered_total', 'Alert events the webhook took.', []);
  readonly webhookEntries = this.gauge('webhook_outbox_entries', 'Alert events that wait for the webhook.', []);
  readonly webhookOldest = this.gauge(
    'webhook_outbox_oldest_age_seconds',
    'How long the oldest alert event has waited for the webhook.',
    [],
  );
  readonly webhookGivenUp = this.counter(
    'webhook_given_up_total',
    'Alert events the webhook did not get: no room for them, or refused as they are.',
    [],
  );
  readonly storeOnDisk = this.gauge('store_on_disk', '1 while alerts are kept on the disk, 0 in memory alone.', []);
  readonly vitalsSent = this.counter('vitals_sent_total', 'Vitals published.', []);
  readonly vitalsDropped = this.counter(
    'vitals_dropped_total',
    'Vitals not published because the broker was away or did not keep up.',
    [],
  );
  readonly eventClients = this.gauge('dashboard_clients', 'Browsers that listen to events.', []);
  readonly eventsSkipped = this.counter(
    'dashboard_events_skipped_total',
    'Events a browser did not get because it did not keep up.',
    [],
  );
  readonly loopLag = this.gauge('event_loop_lag_seconds', 'Delay of the event loop, p99 of the last interval.', []);
  readonly rss = this.gauge('resident_memory_bytes', 'Resident memory of the daemon.', []);
  readonly cpu = this.counter('cpu_seconds_total', 'CPU time of the daemon, user and system.', []);
  readonly temperature = this.gauge(
    'device_temperature_celsius',
    "The processor's temperature, where the machine tells.",
    [],
  );
  readonly throttled = this.gauge(
    'device_throttled',
    '1 while the board slows itself down for heat or low voltage, where the machine tells.',
    [],
  );
  readonly uptime = this.gauge('uptime_seconds', 'How long the daemon has been running.', []);
  readonly clockSynced = this.gauge('clock_synced', '1 while the wall clock is known to be set.', []);
  readonly modelInfo = this.gauge('model_info', 'Always 1; the labels say which model runs.', [
    'name',
    'sha256',
    'precision',
    'runtime',
  ]);
  readonly buildInfo = this.gauge('build_info', 'Always 1; the label says which slothd runs.', ['version']);

  /** Sets a counter to a total kept elsewhere (a library's or a child's own count). */
  static raiseTo(
    counter: Prom.Counter,
    seen: Map<string, number>,
    key: string,
    total: number,
    labels: Record<string, string> = {},
  ): void {
    const before = seen.get(key) ?? 0;
    // From the start, with 0: `increase` does not see the first event of a series that begins with it.
    if (!seen.has(key)) counter.inc(labels, 0);
    if (total > before) counter.inc(labels, total - before);
    seen.set(key, total);
  }

  /** Everything as text of Prometheus, or of OpenMetrics, which alone knows exemplars. */
  async text(openMetrics = false): Promise<string> {
    const others = await this.registry.metrics();
    const all = `${others.trimEnd()}\n${this.stages.render(openMetrics)}`;
    if (!openMetrics) return all;
    // OpenMetrics names a counter's family without the `_total` of its samples, and knows no empty lines.
    const families = all.replace(/^# (HELP|TYPE) (\S+)_total /gm, '# $1 $2 ').replace(/\n{2,}/g, '\n');
    return `${families}# EOF\n`;
  }

  private counter(name: string, help: string, labelNames: string[]): Prom.Counter {
    return new Counter({ name: `slothd_${name}`, help, labelNames, registers: [this.registry] });
  }

  private gauge(name: string, help: string, labelNames: string[]): Prom.Gauge {
    return new Gauge({ name: `slothd_${name}`, help, labelNames, registers: [this.registry] });
  }
}
