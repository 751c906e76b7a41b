import { z } from 'zod';
import type { AlarmEngine, CommandResult } from '../alarm/engine.js';
import { type AlertKind, HEALTH_KINDS, TECHNICAL_KINDS } from '../domain/alert.js';
import type { StreamMs } from '../domain/clock.js';

/** What commands may touch. */
export interface Commandable {
  alarmsOf(sensor: string): AlarmEngine | null;
  sensorNames(): string[];
  nowMs(): StreamMs;
  /** Wall clock, ms since 1970: what a person is told. */
  wallMs(): number;
  alarmsChanged(sensor: string): void;
  /** Sends an alert of kind `test`, new and end, for a sensor. @returns its id */
  sendTestAlert(sensor: string): string;
}

const DEFAULT_MINUTES = 30;
/** Less is not granted: the alert would end and be raised anew, or speak, as often as somebody asks. */
const LEAST_MINUTES = 0.05;

const onAlarm = z.object({
  sensor: z.string(),
  /** Left out: every kind that is open. */
  kind: z.enum([...HEALTH_KINDS, ...TECHNICAL_KINDS]).optional(),
  minutes: z
    .number()
    .positive()
    .max(24 * 60)
    .default(DEFAULT_MINUTES),
});

const onTest = z.object({ sensor: z.string().optional() });

/** @throws Error naming what is wrong with the arguments */
function parse<T>(schema: z.ZodType<T>, args: unknown): T {
  const parsed = schema.safeParse(args);
  if (parsed.success) return parsed.data;
  throw new Error(parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '));
}

const noSensor = (sensor: string, daemon: Commandable) =>
  new Error(`no sensor '${sensor}'; there are: ${daemon.sensorNames().join(', ')}`);

/** What was granted, with its end by the clock on the wall: stream time means nothing to who asked. */
function told(result: CommandResult, daemon: Commandable): CommandResult & { readonly until?: string } {
  if (!result.accepted) return result;
  const untilWallMs = daemon.wallMs() + result.untilMs - daemon.nowMs();
  return { ...result, until: new Date(Math.round(untilWallMs / 1000) * 1000).toISOString() };
}

/**
 * Carries out a command of `<root>/cmd/<verb>`.
 * @returns the answer's `result`
 * @throws Error whose message is the answer's `error`
 */
export function carryOut(verb: string, args: Readonly<Record<string, unknown>>, daemon: Commandable): unknown {
  switch (verb) {
    case 'ack':
    case 'snooze': {
      const { sensor, kind, minutes } = parse(onAlarm, args);
      const alarms = daemon.alarmsOf(sensor);
      if (!alarms) throw noSensor(sensor, daemon);
      const untilMs = daemon.nowMs() + Math.max(LEAST_MINUTES, minutes) * 60_000;
      const act = (one: AlertKind) =>
        told(verb === 'ack' ? alarms.ack(one, untilMs) : alarms.snooze(one, untilMs), daemon);
      if (kind !== undefined) {
        const result = act(kind);
        daemon.alarmsChanged(sensor);
        return result;
      }
      const open = alarms.active().map((alert) => alert.kind);
      if (open.length === 0) return { accepted: false, reason: 'no alert is open' };
      const kinds = Object.fromEntries(open.map((one) => [one, act(one)]));
      daemon.alarmsChanged(sensor);
      return { accepted: true, kinds };
    }
    case 'test':
    case 'silence-test': {
      const { sensor = daemon.sensorNames()[0] ?? '' } = parse(onTest, args);
      if (!daemon.alarmsOf(sensor)) throw noSensor(sensor, daemon);
      return { id: daemon.sendTestAlert(sensor) };
    }
    case 'ping':
      return { pong: true };
    default:
      throw new Error(`unknown command '${verb}'; there are: ack, snooze, test, ping`);
  }
}
