import { z } from 'zod';
import type { AlarmEngine } from '../alarm/engine.js';
import { HEALTH_KINDS, TECHNICAL_KINDS } from '../domain/alert.js';
import type { StreamMs } from '../domain/clock.js';

/** What commands may touch. */
export interface Commandable {
  alarmsOf(sensor: string): AlarmEngine | null;
  sensorNames(): string[];
  nowMs(): StreamMs;
  alarmsChanged(sensor: string): void;
}

const DEFAULT_MINUTES = 30;

const onAlarm = z.object({
  sensor: z.string(),
  kind: z.enum([...HEALTH_KINDS, ...TECHNICAL_KINDS]),
  minutes: z
    .number()
    .positive()
    .max(24 * 60)
    .default(DEFAULT_MINUTES),
});

/**
 * Carries out a command of `<root>/cmd/<verb>`.
 * @returns the answer's `result`
 * @throws Error whose message is the answer's `error`
 */
export function carryOut(verb: string, args: Readonly<Record<string, unknown>>, daemon: Commandable): unknown {
  switch (verb) {
    case 'ack':
    case 'snooze': {
      const parsed = onAlarm.safeParse(args);
      if (!parsed.success) {
        throw new Error(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '));
      }
      const { sensor, kind, minutes } = parsed.data;
      const alarms = daemon.alarmsOf(sensor);
      if (!alarms) throw new Error(`no sensor '${sensor}'; there are: ${daemon.sensorNames().join(', ')}`);
      const untilMs = daemon.nowMs() + minutes * 60_000;
      const result = verb === 'ack' ? alarms.ack(kind, untilMs) : alarms.snooze(kind, untilMs);
      daemon.alarmsChanged(sensor);
      return result;
    }
    case 'ping':
      return { pong: true };
    default:
      throw new Error(`unknown command '${verb}'; there are: ack, snooze, ping`);
  }
}
