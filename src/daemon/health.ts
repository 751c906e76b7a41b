import type { Health } from '../delivery/payloads.js';
import type { DeliveryStats } from '../delivery/publisher.js';
import type { LatencyBook } from '../watch/latency.js';
import type { MachineFigures } from '../watch/machine.js';
import type { WatchVerdict } from '../watch/watchdog.js';

export interface HealthInputs {
  readonly watchdog: WatchVerdict;
  readonly inference: { readonly wanted: boolean; readonly state: string; readonly reason: string };
  readonly delivery: DeliveryStats;
  readonly storeState: string;
  readonly sensors: readonly { readonly name: string; readonly online: boolean }[];
  readonly latency: LatencyBook;
  readonly machine: MachineFigures;
  readonly clockSynced: boolean;
  readonly uptimeMs: number;
}

/** Ready means: a beat that came in now would be looked at and its alert would reach the broker. */
export function readiness(inputs: HealthInputs): { ready: boolean; reasons: string[] } {
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
  if (storeState !== 'ok' && storeState !== 'repaired') reasons.push(`store: ${storeState}`);
  return { ready: reasons.length === 0, reasons };
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
    uptimeSeconds: Math.round(inputs.uptimeMs / 1000),
    eventLoopLagMs: Math.round(machine.loopLagMs * 100) / 100,
    system: {
      broker: delivery.enabled
        ? delivery.connected
          ? `connected (MQTT ${delivery.protocol})`
          : delivery.lastError
        : 'off',
      outbox: `${delivery.outbox.entries} waiting, ${delivery.outbox.bytes} bytes`,
      inference: `${inputs.inference.state}${inputs.inference.reason ? `: ${inputs.inference.reason}` : ''}`,
      memory: `${Math.round(machine.rssBytes / 1048576)} MiB`,
      cpu: `${Math.round(machine.cpuShare * 1000) / 10} % of one core`,
      temperature: machine.temperatureC === null ? 'unknown' : `${machine.temperatureC.toFixed(1)} °C`,
      throttled: machine.throttled === null ? 'unknown' : machine.throttled ? 'yes: check power and cooling' : 'no',
      clock: inputs.clockSynced ? 'synchronised' : 'not synchronised',
      'event loop': `${machine.loopLagMs.toFixed(1)} ms late at p99`,
    },
  };
}

function rounded(figures: object): { count: number; p50Ms: number; p99Ms: number } {
  const entries = Object.entries(figures as Record<string, number>);
  return Object.fromEntries(entries.map(([key, value]) => [key, Math.round(value * 1000) / 1000])) as never;
}
