import type { InferenceSettings } from '../config/inference.js';
import type { Clock } from '../domain/clock.js';
import type { EventStream } from '../watch/event-stream.js';
import type { WebView } from '../watch/http.js';
import { type LatencyBook, ROTATE_MS } from '../watch/latency.js';
import type { Metrics } from '../watch/metrics.js';
import type { Watchdog } from '../watch/watchdog.js';
import type { AlarmDesk } from './alarm-desk.js';
import { alertsCsv, parseAlertQuery } from './alert-query.js';
import type { FlightShelf } from './flight/shelf.js';
import { type HealthInputs, healthOf, readiness } from './health.js';
import type { DurableStore } from './level-store.js';
import type { Models } from './models.js';
import { refreshMetrics } from './refresh-metrics.js';
import type { Station } from './station.js';

/** Alerts the dashboard begins with. */
const SHOWN_ALERTS = 100;

/** What of the daemon the web server shows. */
export interface Shown {
  readonly node: string;
  readonly version: string;
  readonly inference: InferenceSettings;
  readonly clock: Clock;
  readonly stations: ReadonlyMap<string, Station>;
  readonly desk: AlarmDesk;
  readonly store: DurableStore;
  readonly flights: FlightShelf | null;
  readonly models: Models;
  readonly metrics: Metrics;
  readonly latency: LatencyBook;
  readonly watchdog: Watchdog;
  /** null before somebody may listen. */
  readonly events: () => EventStream | null;
  readonly healthInputs: () => HealthInputs;
  readonly about: () => object;
  readonly command: WebView['command'];
}

/** The answers of the daemon's web pages. */
export function webView(shown: Shown): WebView {
  const { node, version, inference, clock, stations, desk, metrics, latency } = shown;
  const latencyView = () => ({
    intervalSeconds: ROTATE_MS / 1000,
    budgetsMs: { inference: inference.budgetMs },
    deadlinesMs: { inference: inference.deadlineMs },
    points: latency.history.points(),
    inference: latency.bins('inference'),
  });
  const alerts = (params: Readonly<Record<string, string>>) =>
    desk.history.list(parseAlertQuery(params, clock.wallMs()));
  return {
    live: () => shown.watchdog.verdict(),
    ready: () => readiness(shown.healthInputs()),
    metricsText: (openMetrics) => {
      const events = shown.events();
      refreshMetrics(metrics, shown.healthInputs(), shown.models, {
        version,
        deadlineMs: inference.deadlineMs,
        eventClients: events?.size ?? 0,
        eventsSkipped: events?.skipped ?? 0,
      });
      return metrics.text(openMetrics);
    },
    status: () => ({
      node,
      version,
      sensors: [...stations.values()].map((station) => ({
        name: station.name,
        waveform: station.carries.waveform?.kind ?? null,
        vitals: station.shown,
        beats: station.recentBeats,
      })),
      alerts: desk.history.list({ limit: SHOWN_ALERTS }),
      health: healthOf(shown.healthInputs()),
      latency: latencyView(),
    }),
    about: () => ({ node, ...shown.about() }),
    latency: latencyView,
    alerts,
    alertsCsv: (params) => alertsCsv(alerts(params)),
    alert: (id) => desk.history.details(id, shown.store),
    recording: (id) => shown.flights?.load(id) ?? null,
    command: shown.command,
  };
}
