import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { connectAsync } from 'mqtt';
import { pino } from 'pino';
import { parseConfig } from '../config/load.js';
import { Daemon } from '../daemon/daemon.js';
import { systemOutside } from '../daemon/outside.js';
import { systemClock, systemTimers } from '../daemon/system-clock.js';
import type { FormatOptions } from '../domain/reading.js';
import { builtInScenario } from '../simulator/scenario.js';
import { SimulatedSensor } from '../simulator/sensor.js';
import { positive, tcpPort, whole } from './arguments.js';
import { chosenFormat } from './chosen-format.js';
import { startBroker } from './demo/broker.js';
import { OnsetBook } from './demo/onsets.js';
import { openDemoPort } from './demo/port.js';
import { scaledTime } from './demo/scaled-time.js';
import { Screen } from './demo/screen.js';
import { untilSignal } from './until-signal.js';
import { UsageError } from './usage-error.js';
import { VERSION } from './version.js';

interface DemoOptions {
  readonly for?: number;
  readonly speed: number;
  readonly scenario: string;
  readonly format: string;
  readonly board?: string;
  readonly seed: number;
  readonly brokerPort: number;
  readonly httpPort: number;
}

const SENSOR = 'chest';
const STATUS_MS = 250;

export function demoCommand(): Command {
  return new Command('demo')
    .description(
      'The real daemon on this machine with nothing else installed: a simulated heart on a virtual serial port, a broker, a dashboard.',
    )
    .option(
      '--for <seconds>',
      'end after this many seconds of demo time (default: when the scenario has ended)',
      positive,
    )
    .option('--speed <x>', 'how much faster than life', positive, 1)
    .option('--scenario <name>', 'what the heart does', 'demo')
    .option('--format <id>', 'wire format the sensor speaks', 'protocentral')
    .option('--board <name>', "the format's board, where it knows several (default: one that tells of lost leads)")
    .option('--seed <n>', 'another heart', whole, 1)
    .option('--broker-port <n>', 'loopback port of the broker, if it is free', tcpPort, 1883)
    .option('--http-port <n>', 'loopback port of the dashboard; 0 takes a free one', tcpPort, 0)
    .action(demo);
}

async function demo(options: DemoOptions): Promise<void> {
  // The newest first, also when something fails half-way: an open port would keep the process alive for ever.
  const undo: (() => unknown)[] = [];
  try {
    await play(options, undo);
  } finally {
    for (const end of undo.reverse()) await end();
  }
}

async function play(options: DemoOptions, undo: (() => unknown)[]): Promise<void> {
  const screen = new Screen(process.stdout, Boolean(process.stdout.isTTY) && process.env.TERM !== 'dumb');
  const scenario = builtInScenario(options.scenario);
  if (!scenario) throw new UsageError(`no scenario '${options.scenario}'`);
  const board = options.board ?? (options.format === 'protocentral' ? 'healthypi-v4' : undefined);
  const formatOptions: FormatOptions = board === undefined ? {} : { board };
  const format = chosenFormat(options.format, formatOptions);
  const stateDir = await mkdtemp(join(tmpdir(), 'slothd-demo-'));
  undo.push(() => rm(stateDir, { recursive: true, force: true }));
  const broker = await startBroker(options.brokerPort);
  undo.push(() => broker.close());
  const port = await openDemoPort();
  undo.push(() => port.close());
  const time = scaledTime(systemClock, systemTimers, options.speed);
  // As a file would be read, so that SLOTHD_CONFIG_... works here too: another runtime, longer deadlines.
  const settings = {
    node: 'demo',
    stateDir,
    sensors: [{ name: SENSOR, format: format.id, options: formatOptions, link: port.link }],
    // The scenario is too short for the usual two minutes without fibrillation.
    alarms: { 'atrial-fibrillation': { clearMs: 30_000 } },
    mqtt: { url: broker.url },
    http: { port: options.httpPort },
    log: { level: 'warn' },
  };
  const config = parseConfig(JSON.stringify(settings), 'demo', process.env);
  const log = pino({ level: 'error' }, pino.destination(2));
  const daemon = new Daemon(config, { ...systemOutside(config, log, VERSION), clock: time, timers: time });
  const heart = new SimulatedSensor({
    scenario,
    format,
    options: formatOptions,
    seed: options.seed,
    write: (bytes) => port.write(bytes),
    pacing: time,
  });
  const onsets = new OnsetBook();
  heart.onTruth(({ event, kind, label, atMonotonicMs }) => {
    if (event === 'episode') screen.line(screen.paint(`         the heart: ${label}`, 'dim'));
    else if (kind && event === 'begin') onsets.begin(kind, atMonotonicMs);
    else if (kind) onsets.end(kind, atMonotonicMs);
  });

  await daemon.start();
  undo.push(() => daemon.stop());
  const watcher = await connectAsync(broker.url, { clientId: 'slothd-demo-watcher' });
  undo.push(() => watcher.endAsync());
  watcher.on('message', (_topic, payload) => showAlert(screen, onsets, payload, time.monotonicMs(), startedMs));
  await watcher.subscribeAsync(`slothd/${config.node}/+/alert`, { qos: 1 });

  screen.line(`slothd ${VERSION} demo: a simulated heart on ${port.place} (${format.title}); not a medical device`);
  if (port.note) screen.line(`no serial port, but TCP: ${port.note}`);
  screen.line(`dashboard  ${daemon.dashboardUrl}`);
  screen.line(`broker     ${broker.url}   try: mosquitto_sub -p ${broker.port} -t 'slothd/#' -v`);
  screen.line('Ctrl-C ends it.');
  screen.line();
  const startedMs = time.monotonicMs();
  heart.start();

  const showing = setInterval(() => screen.status(statusLine(daemon, time.monotonicMs() - startedMs)), STATUS_MS);
  const total = options.for ?? scenario.episodes.reduce((sum, episode) => sum + episode.seconds, 0);
  // Left pending, this timer would keep the process alive long after Ctrl-C.
  let cancelEnd = () => {};
  const end = new Promise<'end'>((resolve) => {
    cancelEnd = time.after(total * 1000, () => resolve('end'));
  });
  const why = await Promise.race([untilSignal(), end]);
  cancelEnd();
  clearInterval(showing);
  screen.end();
  heart.stop();
  screen.line(why === 'end' ? 'the end of the demo' : 'stopped');
}

/** The heart rate, rhythm and signal of the sensor, and how long the model takes. */
function statusLine(daemon: Daemon, elapsedMs: number): string {
  const sensor = daemon.sensor(SENSOR);
  const inference = daemon.inferenceFigures();
  const model = inference
    ? `model p50 ${inference.p50Ms.toFixed(2)} ms p99 ${inference.p99Ms.toFixed(2)} ms`
    : 'model waiting';
  const { ready, reasons } = daemon.ready();
  return [
    clockText(elapsedMs),
    `${SENSOR} ${sensor?.hrBpm ? String(Math.round(sensor.hrBpm)).padStart(3) : ' --'} bpm`,
    `rhythm ${sensor?.rhythm ?? 'unknown'}`,
    `signal ${sensor?.quality.state ?? 'none'}`,
    model,
    ready ? 'ready' : reasons[0],
  ].join(' | ');
}

function showAlert(screen: Screen, onsets: OnsetBook, payload: Buffer, nowMs: number, startedMs: number): void {
  const alert = JSON.parse(payload.toString()) as {
    event: string;
    kind: string;
    priority: string;
    latencyMs: number | null;
    values: Record<string, unknown>;
  };
  if (alert.event === 'update') return;
  const at = clockText(nowMs - startedMs);
  const truth = alert.event === 'new' ? onsets.onsetOf(alert.kind, nowMs) : onsets.endOf(alert.kind);
  const after =
    truth === null
      ? ''
      : `, ${((nowMs - truth) / 1000).toFixed(1)} s after it ${alert.event === 'new' ? 'truly began' : 'was over'}`;
  const wire = alert.latencyMs === null ? '' : `, ${alert.latencyMs.toFixed(1)} ms from wire to broker`;
  const text = `${at}  ${alert.event === 'new' ? 'ALERT' : 'ended'}  ${alert.kind} (${alert.priority})${after}${wire}`;
  const colour = alert.event === 'end' ? 'green' : alert.priority === 'high' ? 'red' : 'yellow';
  screen.line(screen.paint(text, colour));
}

function clockText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')}`;
}
