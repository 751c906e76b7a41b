import type { Health } from '../delivery/payloads.js';
import type { DeliveryStats } from '../delivery/publisher.js';
import type { LatencyBook } from '../watch/latency.js';
import type { MachineFigures } from '../watch/machine.js';
import type { WatchVerdict } from '../watch/watchdog.js';

/** The model and its host, for a person. */
export interface ModelHealth {
  readonly name: string;
  readonly precision: string;
  readonly runtime: string;
  readonly sha256: string;
  /** How the variants did when the choice was made, ms for one beat; null: not timed or refused. */
  readonly trials: readonly {
    readonly variant: string;
    readonly medianMs: number | null;
    readonly refused: string | null;
  }[];
  readonly respawns: number;
  readonly timeouts: number;
  readonly lateAnswers: number;
  readonly memoryRestarts: number;
  readonly unanswered: number;
  readonly queued: number;
  readonly hostResidentMiB: number | null;
  readonly budgetMs: number;
  /** Why another variant runs than the one that was chosen; empty where none does. */
  readonly note: string;
}

export interface HealthInputs {
  readonly watchdog: WatchVerdict;
  readonly inference: { readonly wanted: boolean; readonly state: string; readonly reason: string };
  /** What runs and how it fares; null where no model is wanted. */
  readonly model?: ModelHealth | null;
  readonly delivery: DeliveryStats;
  readonly storeState: string;
  readonly sensors: readonly { readonly name: string; readonly online: boolean }[];
  readonly latency: LatencyBook;
  readonly machine: MachineFigures;
  readonly clockSynced: boolean;
  readonly uptimeMs: number;
}

export interface Readiness {
  readonly ready: boolean;
  /** Why not. */
  readonly reasons: string[];
  /** What a person should know though it is ready: that it runs on a fallback, and why. */
  readonly notes: string[];
}

const STORE_WORDS: Readonly<Record<string, string>> = {
  'memory-only':
    'memory-only, the disk is full or cannot be written: alerts go out, and do not survive a restart; the disk is tried again every 10 s',
};

/** Ready means: a beat that came in now would be looked at and its alert would reach the broker. */
export function readiness(inputs: HealthInputs): Readiness {
  const { watchdog, inference, delivery, storeState } = inputs;
  const reasons = [...watchdog.reasons];
  if (inference.wanted && inference.state !== 'ready' && inference.state !== 'slow') {
    reasons.push(
      `inference: ${inference.state}${inference.reason ? ` (${inference.reason})` : ''}; rules go on without it`,
    );
  }
  if (delivery.enabled && !delivery.connected) {
    reasons.push(`broker: ${delivery.lastError || 'not connected yet'}`);
  }
  if (delivery.webhook && delivery.webhook.lastError !== '') reasons.push(`webhook: ${delivery.webhook.lastError}`);
  if (storeState !== 'ok' && storeState !== 'repaired') reasons.push(`store: ${STORE_WORDS[storeState] ?? storeState}`);
  const note = inputs.model?.note;
  return { ready: reasons.length === 0, reasons, notes: note ? [`inference: ${note}`] : [] };
}

/** The daemon's state as it is published and shown. */
export function healthOf(inputs: HealthInputs): Health & { readonly system: Record<string, string> } {
  const { ready, reasons } = readiness(inputs);
  const { machine, delivery, sensors, latency } = inputs;
  const stages = latency.lastMinute();
  return {
    ready,
    reasons,
    latency: Object.fromEntries(Object.entries(stages).map(([stage, figures]) => [stage, rounded(figures)])),
    memory: { rssBytes: machine.rssBytes },
    cpu: { share: Math.round(machine.cpuShare * 1000) / 1000 },
    temperatureC: machine.temperatureC,
    throttled: machine.throttled,
    sensors: Object.fromEntries(sensors.map(({ name, online }) => [name, online ? 'online' : 'offline'])),
    inference: { state: inputs.inference.state, reason: inputs.inference.reason },
    model: inputs.model ?? null,
    uptimeSeconds: Math.round(inputs.uptimeMs / 1000),
    eventLoopLagMs: Math.round(machine.loopLagMs * 100) / 100,
    system: {
      broker: delivery.enabled
        ? delivery.connected
          ? `connected (MQTT ${delivery.protocol})`
          : delivery.lastError
        : 'off',
      outbox: outboxText(delivery.outbox),
      ...(delivery.webhook
        ? { webhook: delivery.webhook.lastError || `answers; ${outboxText(delivery.webhook.outbox)}` }
        : {}),
      store: inputs.storeState,
      memory: `${Math.round(machine.rssBytes / 1048576)} MiB`,
      cpu: `${Math.round(machine.cpuShare * 1000) / 10} % of one core`,
      temperature: machine.temperatureC === null ? 'unknown' : `${machine.temperatureC.toFixed(1)} °C`,
      throttled: machine.throttled === null ? 'unknown' : machine.throttled ? 'yes: check power and cooling' : 'no',
      clock: inputs.clockSynced ? 'synchronised' : 'not synchronised',
      'event loop': `${machine.loopLagMs.toFixed(1)} ms late at p99`,
    },
  };
}

function outboxText({ entries, bytes, oldestAgeMs, shedAlerts }: DeliveryStats['outbox']): string {
  const waiting = entries === 0 ? 'empty' : `${entries} waiting, ${Math.ceil(bytes / 1024)} KiB`;
  const oldest = entries > 0 && oldestAgeMs > 1000 ? `, the oldest for ${Math.round(oldestAgeMs / 1000)} s` : '';
  return `${waiting}${oldest}${shedAlerts > 0 ? `, ${shedAlerts} alerts given up` : ''}`;
}

function rounded(figures: object): { count: number; p50Ms: number; p99Ms: number } {
  const entries = Object.entries(figures as Record<string, number>);
  return Object.fromEntries(entries.map(([key, value]) => [key, Math.round(value * 1000) / 1000])) as never;
}
