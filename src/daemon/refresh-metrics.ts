import { Metrics } from '../watch/metrics.js';
import type { HealthInputs } from './health.js';
import type { Models } from './models.js';

const seen = new WeakMap<Metrics, Map<string, number>>();

/** Brings the gauges, and the counters that are kept elsewhere, up to date; called when somebody scrapes. */
export function refreshMetrics(metrics: Metrics, inputs: HealthInputs, models: Models, version: string): void {
  const { delivery, machine, inference } = inputs;
  let totals = seen.get(metrics);
  if (!totals) {
    totals = new Map();
    seen.set(metrics, totals);
  }
  metrics.buildInfo.set({ version }, 1);
  metrics.rss.set(machine.rssBytes);
  metrics.loopLag.set(machine.loopLagMs / 1000);
  metrics.clockSynced.set(inputs.clockSynced ? 1 : 0);
  if (machine.temperatureC !== null) metrics.temperature.set(machine.temperatureC);
  metrics.brokerUp.set(delivery.connected ? 1 : 0);
  metrics.outboxEntries.set(delivery.outbox.entries);
  metrics.outboxBytes.set(delivery.outbox.bytes);
  metrics.inferenceUp.set(inference.state === 'ready' ? 1 : 0);
  Metrics.raiseTo(metrics.cpu, totals, 'cpu', machine.cpuSeconds);
  Metrics.raiseTo(metrics.shed, totals, 'shed alert', delivery.outbox.shedAlerts, { class: 'alert' });
  const stats = models.stats();
  Metrics.raiseTo(metrics.respawns, totals, 'respawns', stats.respawns);
  Metrics.raiseTo(metrics.lateAnswers, totals, 'late', stats.lateAnswers);
  if (stats.hostResidentMiB !== null) metrics.hostRss.set(stats.hostResidentMiB * 2 ** 20);
  metrics.modelInfo.reset();
  const info = models.beat && models.port.info(models.beat.name);
  if (info)
    metrics.modelInfo.set(
      { name: info.name, sha256: info.sha256, precision: info.precision, runtime: info.runtime },
      1,
    );
}
