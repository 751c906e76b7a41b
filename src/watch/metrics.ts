import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Stage } from '../domain/stage.js';

/** 10 us to 10 s, about three buckets a decade. */
const STAGE_BUCKETS_SECONDS = [
  1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** Every metric of the daemon, under the `slothd_` prefix and in base units. One instance per daemon: no global registry. */
export class Metrics {
  readonly registry = new Registry();
  private readonly stage = this.histogram('stage_duration_seconds', 'How long each stage took.', ['stage']);
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
  readonly respawns = this.counter('inference_respawns_total', 'Times the model host was started anew.', []);
  readonly lateAnswers = this.counter('inference_late_answers_total', 'Answers that came after their deadline.', []);
  readonly hostRss = this.gauge('inference_host_resident_memory_bytes', 'Resident memory of the model host.', []);
  readonly brokerUp = this.gauge('broker_connected', '1 while the broker is connected.', []);
  readonly outboxEntries = this.gauge('outbox_entries', 'Messages that wait for the broker.', []);
  readonly outboxBytes = this.gauge('outbox_bytes', 'Bytes that wait for the broker.', []);
  readonly shed = this.counter('outbox_shed_total', 'Messages given up because the outbox was full, by class.', [
    'class',
  ]);
  readonly loopLag = this.gauge('event_loop_lag_seconds', 'Delay of the event loop, p99 of the last interval.', []);
  readonly rss = this.gauge('resident_memory_bytes', 'Resident memory of the daemon.', []);
  readonly cpu = this.counter('cpu_seconds_total', 'CPU time of the daemon, user and system.', []);
  readonly temperature = this.gauge(
    'device_temperature_celsius',
    "The processor's temperature, where the machine tells.",
    [],
  );
  readonly clockSynced = this.gauge('clock_synced', '1 while the wall clock is known to be set.', []);
  readonly modelInfo = this.gauge('model_info', 'Always 1; the labels say which model runs.', [
    'name',
    'sha256',
    'precision',
    'runtime',
  ]);
  readonly buildInfo = this.gauge('build_info', 'Always 1; the label says which slothd runs.', ['version']);

  recordStage(stage: Stage, durationMs: number): void {
    this.stage.observe({ stage }, durationMs / 1000);
  }

  /** Sets a counter to a total kept elsewhere (a library's or a child's own count). */
  static raiseTo(
    counter: Counter,
    seen: Map<string, number>,
    key: string,
    total: number,
    labels: Record<string, string> = {},
  ): void {
    const before = seen.get(key) ?? 0;
    if (total > before) counter.inc(labels, total - before);
    seen.set(key, total);
  }

  text(): Promise<string> {
    return this.registry.metrics();
  }

  private counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name: `slothd_${name}`, help, labelNames, registers: [this.registry] });
  }

  private gauge(name: string, help: string, labelNames: string[]): Gauge {
    return new Gauge({ name: `slothd_${name}`, help, labelNames, registers: [this.registry] });
  }

  private histogram(name: string, help: string, labelNames: string[]): Histogram {
    return new Histogram({
      name: `slothd_${name}`,
      help,
      labelNames,
      buckets: STAGE_BUCKETS_SECONDS,
      registers: [this.registry],
    });
  }
}
