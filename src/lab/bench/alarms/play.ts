import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { AlertKind } from '../../../domain/alert.js';

/** dist/main.js, from dist/lab/bench/alarms/. */
const PROGRAM = fileURLToPath(new URL('../../../main.js', import.meta.url));

/** One alert from its `new` to its `end`, seconds from the record's start. */
export interface AlertRun {
  readonly id: string;
  readonly kind: AlertKind;
  readonly category: string;
  readonly onsetS: number;
  readonly raisedS: number;
  endedS: number;
  readonly values: unknown;
}

export interface Played {
  readonly alerts: AlertRun[];
  readonly endS: number;
  /** Last beats, for looking at what went wrong. */
  readonly beats: number;
}

interface Line {
  readonly type: string;
  readonly event: string;
  readonly id: string;
  readonly kind: AlertKind;
  readonly category: string;
  readonly t: number;
  readonly onsetT: number;
  readonly values: unknown;
  readonly beats: number;
}

/**
 * Plays records through `slothd replay`, in a process of its own with the shipped models and settings.
 * @returns one answer a record, in order
 * @throws Error where the replay fails
 */
export async function play(args: readonly string[]): Promise<Played[]> {
  const child = spawn(
    process.execPath,
    [PROGRAM, 'replay', ...args, '--events', '-', '--only', 'alert', '--in-process'],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let said = '';
  child.stderr.on('data', (text: Buffer) => {
    said += text.toString();
  });
  const out: Played[] = [];
  let open = new Map<string, AlertRun>();
  let alerts: AlertRun[] = [];
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line) as Line;
    if (event.type === 'start') {
      alerts = [];
      open = new Map();
    } else if (event.type === 'alert' && event.event === 'new') {
      const { id, kind, category, onsetT, t, values } = event;
      const run = { id, kind, category, onsetS: onsetT, raisedS: t, endedS: Number.POSITIVE_INFINITY, values };
      open.set(id, run);
      alerts.push(run);
    } else if (event.type === 'alert' && event.event === 'end') {
      const run = open.get(event.id);
      if (run) run.endedS = event.t;
    } else if (event.type === 'end') out.push({ alerts, endS: event.t, beats: event.beats });
  }
  const code = await closed;
  if (code !== 0) throw new Error(`slothd replay ${args[0]} failed: ${said.trim()}`);
  return out;
}
