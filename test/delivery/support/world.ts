import { homeAssistantSchema } from '../../../src/config/home-assistant.js';
import type { MqttSettings } from '../../../src/config/mqtt.js';
import { mqttSchema } from '../../../src/config/mqtt.js';
import type { DeliveryLog } from '../../../src/delivery/log.js';
import type { DeliverySettings } from '../../../src/delivery/publisher.js';
import type { AlertChange } from '../../../src/domain/alert.js';
import type { Clock, Timers } from '../../../src/domain/clock.js';

export const realClock: Clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  synced: () => true,
};

export const realTimers: Timers = {
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

/** A clock and timers that only move when told. */
export class ManualTime implements Clock, Timers {
  nowMs = 1000;
  wallOffsetMs = Date.UTC(2026, 0, 1);
  isSynced = true;
  private due: Array<{ atMs: number; run: () => void }> = [];

  monotonicMs = () => this.nowMs;
  wallMs = () => this.nowMs + this.wallOffsetMs;
  synced = () => this.isSynced;

  after = (delayMs: number, run: () => void) => {
    const timer = { atMs: this.nowMs + delayMs, run };
    this.due.push(timer);
    return () => {
      this.due = this.due.filter((other) => other !== timer);
    };
  };

  get timers(): number {
    return this.due.length;
  }

  /** Time of the next timer, or null. */
  get nextMs(): number | null {
    return this.due.length === 0 ? null : Math.min(...this.due.map(({ atMs }) => atMs));
  }

  /** Goes on by `ms`, running timers in order at their times. */
  advance(ms: number): void {
    const endMs = this.nowMs + ms;
    for (;;) {
      const next = this.due.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (!next) break;
      this.due = this.due.filter((other) => other !== next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.run();
    }
    this.nowMs = endMs;
  }
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly data: unknown;
  readonly message: string;
}

export function collectLog(): { log: DeliveryLog; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at =
    (level: LogLine['level']) =>
    (data: unknown, message = '') =>
      lines.push({ level, data, message });
  const log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  return { log: log as unknown as DeliveryLog, lines };
}

export function settingsFor(
  url: string,
  over: Record<string, unknown> = {},
): DeliverySettings & { mqtt: MqttSettings } {
  return {
    mqtt: mqttSchema.parse({ url, reconnectMinMs: 20, reconnectMaxMs: 200, ...over }),
    homeAssistant: homeAssistantSchema.parse({}),
  };
}

export function change(id: string, over: Partial<AlertChange> = {}): AlertChange {
  return {
    id,
    event: 'new',
    sequence: 1,
    kind: 'tachycardia',
    priority: 'medium',
    category: 'health',
    sensor: 'chest',
    onsetMs: 900,
    raisedMs: 1000,
    endedMs: null,
    values: { hrBpm: 163 },
    evidence: { rrMs: [370, 368, 366] },
    model: null,
    ...over,
  };
}

/** Waits until `ready()` is true. */
export async function until(ready: () => boolean, what: string, timeoutMs = 10_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!ready()) {
    if (performance.now() > end) throw new Error(`timed out waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export const tick = (ms = 0) => new Promise<void>((resolve) => setTimeout(resolve, ms));
