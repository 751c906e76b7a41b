import { Command, InvalidArgumentError } from 'commander';
import { stringify } from 'yaml';
import { systemTimers } from '../daemon/system-clock.js';
import type { Format, HostCommands, SerialSettings } from '../domain/reading.js';
import { findFormat, serialSettings } from '../sensor/formats/registry.js';
import type { Link } from '../sensor/links/link.js';
import { SerialLink } from '../sensor/links/serial.js';
import { type Heard, probePort, readSettings, restoreSettings, settingsToTry } from '../sensor/probe/probe-port.js';
import { UsageError } from './usage-error.js';

/** 128 and the number of the signal, as a shell counts. */
const INTERRUPTED = 130;

interface ProbeFlags {
  readonly seconds: number;
  readonly baud?: number;
  readonly active?: boolean;
  readonly format?: string;
}

/** `slothd probe`: which sensor is on this port. */
export function probeCommand(): Command {
  return new Command('probe')
    .description('Find out what is on a serial port by listening. Never writes to it, and puts its settings back.')
    .argument('<port>', 'port, as `slothd ports` lists it')
    .option(
      '--seconds <s>',
      'how long to listen at each baud rate; give 20 for devices that speak once a second',
      seconds,
      4,
    )
    .option('--baud <rate>', 'listen at this rate alone', baud)
    .option('--active', 'send the start command of the format named by --format (only when you know it is that device)')
    .option('--format <id>', 'the device you believe it to be')
    .action(async (port: string, flags: ProbeFlags) => {
      await probe(port, flags, (line) => process.stdout.write(`${line}\n`));
    });
}

/** Listens and says what it found. Sets exit code 1 where it cannot tell. @throws UsageError, LinkError */
export async function probe(port: string, flags: ProbeFlags, say: (line: string) => void): Promise<Heard | null> {
  if (flags.active && !flags.format)
    throw new UsageError('--active needs --format: only you can know which device it is');
  const format = flags.format ? findNamed(flags.format) : null;
  const commands: HostCommands = (flags.active && format?.commands?.({})) || {};
  const tries = format ? [serialSettings(format, {})] : settingsToTry();
  const chosen = flags.baud ? [{ ...tries[0]!, baudRate: flags.baud } satisfies SerialSettings] : tries;
  const saved = await readSettings(port);
  // Ctrl-C in the middle must not leave the port at a rate that was only tried.
  const interrupted = async () => {
    if (saved !== null) await restoreSettings(port, saved);
    process.exit(INTERRUPTED);
  };
  process.once('SIGINT', interrupted);
  let result: Awaited<ReturnType<typeof probePort>>;
  try {
    result = await probePort(chosen, flags.seconds * 1000, {
      openLink: (settings) => withStart(new SerialLink({ ...settings, path: port }), commands),
      timers: systemTimers,
      onTry: (settings) => say(`# listening at ${words(settings)} for ${flags.seconds} s`),
    });
  } finally {
    process.off('SIGINT', interrupted);
    if (saved !== null && !(await restoreSettings(port, saved)))
      say("# the port's former settings could not be put back");
  }
  for (const { settings, bytes, guess } of result.heard) say(`# ${words(settings)}: ${bytes} bytes; ${guess.reason}`);
  if (!result.found) {
    say('# cannot tell what this is: see the reasons above');
    process.exitCode = 1;
    return null;
  }
  const { settings, guess } = result.found;
  for (const other of guess.alsoPossible) say(`# the bytes would also fit ${other}: look at the device to decide`);
  say(snippet(port, guess.format!, settings));
  return result.found;
}

/** What to paste into the config's `sensors`. */
export function snippet(port: string, id: string, settings: SerialSettings): string {
  const format = findFormat(id);
  const usual = serialSettings(format, {});
  const link: Record<string, unknown> = { type: 'serial', path: port };
  if (settings.baudRate !== usual.baudRate) link.baudRate = settings.baudRate;
  if (settings.parity !== usual.parity) link.parity = settings.parity;
  const sensor = {
    name: 'heart',
    format: id,
    ...(speaksOnlyWhenAsked(format) ? { options: { mode: 'listen' } } : {}),
    link,
  };
  return stringify({ sensors: [sensor] }).trimEnd();
}

/** It was heard without a word of ours, so something else has started it; our own start would need more options. */
function speaksOnlyWhenAsked(format: Format): boolean {
  try {
    format.commands?.({});
    return false;
  } catch {
    return Object.hasOwn(format.options, 'mode');
  }
}

/** The start command goes out once the port is open; without one the link stays as it is. */
function withStart(link: Link, commands: HostCommands): Link {
  const { start, stop } = commands;
  if (!start) return link;
  return {
    name: link.name,
    async open(handlers) {
      const open = await link.open(handlers);
      open.write(start);
      return {
        write: (bytes) => open.write(bytes),
        close() {
          if (stop) open.write(stop);
          return open.close();
        },
      };
    },
  };
}

function findNamed(id: string) {
  try {
    return findFormat(id);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function words({ baudRate, dataBits, parity, stopBits }: SerialSettings): string {
  return `${baudRate} ${dataBits}${parity[0]!.toUpperCase()}${stopBits}`;
}

function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value <= 3600)) throw new InvalidArgumentError('It must be a number of seconds above 0.');
  return value;
}

function baud(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 300 || value === 1200)
    throw new InvalidArgumentError(
      'It must be a baud rate from 300; never 1200, which puts boards into their bootloader.',
    );
  return value;
}
