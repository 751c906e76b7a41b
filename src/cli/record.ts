import { Command } from 'commander';
import { loadConfig } from '../config/load.js';
import { type SensorSettings, sensorSchema } from '../config/sensors.js';
import { openLink } from '../daemon/outside.js';
import { systemClock, systemTimers } from '../daemon/system-clock.js';
import type { Clock, Timers } from '../domain/clock.js';
import type { DropReason, Format } from '../domain/reading.js';
import { CaptureWriter } from '../sensor/capture/writer.js';
import { IgnoringSink } from '../sensor/formats/ignoring-sink.js';
import { checkOptions, findFormat } from '../sensor/formats/registry.js';
import type { Link } from '../sensor/links/link.js';
import { LinkSupervisor } from '../sensor/supervisor.js';
import { collectOption, positive } from './arguments.js';
import { UsageError } from './usage-error.js';
import { VERSION } from './version.js';

const MB = 1_000_000;

interface RecordFlags {
  readonly format?: string;
  readonly option: Readonly<Record<string, string | number | boolean>>;
  readonly baud?: number;
  readonly config?: string;
  readonly sensor?: string;
  readonly out?: string;
  readonly for?: number;
  readonly partMb: number;
  readonly maxMb: number;
}

/** `slothd record`: raw bytes with times, for `replay` and for people who help with a device they do not have. */
export function recordCommand(): Command {
  return new Command('record')
    .description(
      'Keep the raw bytes of a sensor with their times; `slothd replay FILE` plays them. Not beside a running daemon on the same port.',
    )
    .argument('[port]', 'serial port; or take a sensor from a config by --config and --sensor')
    .option('--format <id>', 'wire format on that port (see `slothd formats`)')
    .option('--option <key=value>', "the format's own option, repeatable", collectOption, {})
    .option('--baud <rate>', "instead of the format's own rate", positive)
    .option('-c, --config <file>', 'config that names the sensor')
    .option('--sensor <name>', 'sensor of that config; the only one where left out')
    .option('-o, --out <file>', 'capture file; never overwritten (default: SENSOR-TIME.slothrec)')
    .option('--for <seconds>', 'end after so long', positive)
    .option('--part-mb <mb>', 'begin another file at this size', positive, 16)
    .option('--max-mb <mb>', 'keep the newest files up to this size together', positive, 256)
    .action(async (port: string | undefined, flags: RecordFlags) => {
      const stop = new AbortController();
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
      const settings = await sensorOf(port, flags);
      const format = findFormat(settings.format);
      await record(settings, format, flags, {
        link: openLink(settings, format),
        clock: systemClock,
        timers: systemTimers,
        say: (line) => process.stderr.write(`${line}\n`),
        stop: stop.signal,
      });
    });
}

export interface RecordWorld {
  readonly link: Link;
  readonly clock: Clock;
  readonly timers: Timers;
  say(line: string): void;
  readonly stop: AbortSignal;
}

/** Records until stopped or `for` is over. @throws UsageError where the file is there already or cannot be made */
export async function record(
  settings: SensorSettings,
  format: Format,
  flags: Pick<RecordFlags, 'out' | 'for' | 'partMb' | 'maxMb'>,
  world: RecordWorld,
): Promise<void> {
  const { clock, timers, link, say } = world;
  const startedAt = new Date(clock.wallMs()).toISOString();
  const file = flags.out ?? `${settings.name}-${startedAt.replace(/[:.]/g, '-')}.slothrec`;
  const writer = create(file, settings, link, startedAt, flags);
  const startMs = clock.monotonicMs();
  const now = () => clock.monotonicMs() - startMs;
  let failed: Error | null = null;
  let end = () => {};
  const over = new Promise<void>((resolve) => {
    end = resolve;
  });
  const keep = (write: () => void) => {
    if (failed) return;
    try {
      write();
    } catch (error) {
      // A full disk: what is written stays readable.
      failed = error as Error;
      end();
    }
  };
  const counts = { frames: 0, dropped: 0 };
  const supervisor = new LinkSupervisor({
    link,
    silenceMs: settings.silenceMs ?? format.silenceMs,
    commands: format.commands?.(settings.options) ?? {},
    clock,
    timers,
    random: Math.random,
    events: {
      onOpen() {
        decoder.reset();
        keep(() => writer.opened(now()));
        say(`${link.name} is open, writing to ${writer.file}`);
      },
      onBytes(bytes) {
        keep(() => writer.chunk(now(), bytes));
        decoder.push(bytes);
      },
      onDown(reason, message) {
        keep(() => writer.down(now(), reason));
        say(message);
      },
      onSilent() {},
    },
  });
  const decoder = format.createDecoder(new CountingSink(supervisor, counts), settings.options);
  supervisor.start();
  world.stop.addEventListener('abort', end, { once: true });
  if (world.stop.aborted) end();
  const cancel = flags.for ? timers.after(flags.for * 1000, end) : () => {};
  await over;
  cancel();
  await supervisor.stop();
  writer.close();
  const seconds = Math.round(now() / 100) / 10;
  say(
    `${writer.bytes} bytes in ${seconds} s: ${counts.frames} valid ${format.id} frames, ${counts.dropped} bytes not understood`,
  );
  if (failed) throw new UsageError(`${writer.file} could not be written any further: ${(failed as Error).message}`);
}

function create(
  file: string,
  settings: SensorSettings,
  link: Link,
  startedAt: string,
  flags: Pick<RecordFlags, 'partMb' | 'maxMb'>,
): CaptureWriter {
  try {
    return new CaptureWriter({
      file,
      partBytes: flags.partMb * MB,
      totalBytes: flags.maxMb * MB,
      header: {
        format: settings.format,
        options: settings.options,
        link: link.name,
        startedAt,
        recordedBy: `slothd ${VERSION}`,
      },
    });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UsageError(code === 'EEXIST' ? `${file} is there already; it is not overwritten` : message);
  }
}

async function sensorOf(port: string | undefined, flags: RecordFlags): Promise<SensorSettings> {
  if (flags.config) {
    const { sensors } = await loadConfig(flags.config);
    const found = flags.sensor ? sensors.find(({ name }) => name === flags.sensor) : sensors.length === 1 && sensors[0];
    if (!found) throw new UsageError(`name one with --sensor: ${sensors.map(({ name }) => name).join(', ')}`);
    return found;
  }
  if (!port || !flags.format) throw new UsageError('name a port and its --format, or a --config and its --sensor');
  try {
    checkOptions(findFormat(flags.format), flags.option);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  const link = { type: 'serial', path: port, ...(flags.baud ? { baudRate: flags.baud } : {}) };
  const parsed = sensorSchema.safeParse({ name: flags.format, format: flags.format, options: flags.option, link });
  if (!parsed.success) throw new UsageError(parsed.error.issues.map(({ message }) => message).join('; '));
  return parsed.data;
}

/** Only counts: what the bytes say is for the replay. */
class CountingSink extends IgnoringSink {
  constructor(
    private readonly supervisor: LinkSupervisor,
    private readonly counts: { frames: number; dropped: number },
  ) {
    super();
  }

  override frame(): void {
    this.counts.frames++;
    this.supervisor.frame();
  }

  override dropped(_reason: DropReason, bytes: number): void {
    this.counts.dropped += bytes;
  }
}
