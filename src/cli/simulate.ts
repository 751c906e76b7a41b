import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import type { Format, FormatOptions } from '../domain/reading.js';
import { checkOptions, findFormat, serialSettings } from '../sensor/formats/registry.js';
import { type Output, openFile, openSerial, openTcp, openVirtual } from '../simulator/outputs.js';
import {
  BUILT_IN_SCENARIOS,
  builtInScenario,
  parseScenario,
  RHYTHMS,
  type Scenario,
  scenarioSeconds,
  singleRhythm,
} from '../simulator/scenario.js';
import { SimulatedSensor } from '../simulator/sensor.js';
import type { Truth } from '../simulator/truth.js';
import { optionValue, positive } from './arguments.js';
import { UsageError } from './usage-error.js';

interface SimulateFlags {
  readonly format: string;
  readonly scenario?: string;
  readonly rhythm?: string;
  readonly bpm?: number;
  readonly for?: number;
  readonly speed: number;
  readonly seed: number;
  readonly rate?: number;
  readonly ptyLink?: string;
  readonly port?: string;
  readonly tcp?: string;
  readonly file?: string;
  readonly truth?: string;
  readonly board?: string;
  readonly option?: readonly string[];
}

/** What the verb needs of the world, so that a test can end it and read what it says. */
export interface SimulateWorld {
  say(line: string): void;
  /** Aborted when the person wants to stop. */
  readonly stop: AbortSignal;
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('It must be a whole number.');
  return value;
}

/** `slothd simulate`: a simulated sensor on a virtual serial port, a real one, TCP or in a file. */
export function simulateCommand(): Command {
  return new Command('simulate')
    .description('Offer a simulated heart sensor, speaking a real wire format.')
    .requiredOption('--format <format>', 'wire format it speaks (see `slothd formats`)')
    .option('--scenario <name|file>', `${BUILT_IN_SCENARIOS.join(', ')}, or a YAML or JSON file (default: calm)`)
    .option('--rhythm <rhythm>', `one rhythm instead of a scenario: ${RHYTHMS.join(', ')}`)
    .option('--bpm <bpm>', 'heart rate of --rhythm (or of a sinus rhythm)', positive)
    .option('--for <seconds>', 'end after so many simulated seconds', positive)
    .option('--speed <factor>', 'simulated seconds per second', positive, 1)
    .option('--seed <number>', 'same seed, same heart', wholeNumber, 1)
    .option('--rate <hz>', 'samples per second where the format has no fixed rate', positive)
    .option(
      '--pty-link <path>',
      'stable name of the virtual serial port (default: slothd-sim0 or the next free one in the temporary folder)',
    )
    .option('--port <path>', 'write to this serial port instead, for a cable to another machine')
    .option('--tcp <[host:]port>', 'offer it on TCP instead, to everyone who connects')
    .option('--file <path>', 'write the bytes into a file instead, as fast as possible')
    .option('--truth <path>', 'write what truly happens, as JSON lines')
    .option('--board <name>', 'short for --option board=NAME')
    .option(
      '--option <name=value>',
      'an option of the format; may be given again',
      (text, all: readonly string[] = []) => [...all, text],
    )
    .action(async (flags: SimulateFlags) => {
      const stop = new AbortController();
      const onSignal = (): void => stop.abort();
      process.once('SIGINT', onSignal);
      process.once('SIGTERM', onSignal);
      try {
        await simulate(flags, { say: (line) => process.stdout.write(`${line}\n`), stop: stop.signal });
      } finally {
        process.off('SIGINT', onSignal);
        process.off('SIGTERM', onSignal);
      }
    });
}

/** Runs until the scenario, `--for` or `world.stop` ends it. Throws `UsageError`. */
export async function simulate(flags: SimulateFlags, world: SimulateWorld): Promise<void> {
  const targets = [flags.ptyLink, flags.port, flags.tcp, flags.file].filter((target) => target !== undefined);
  if (targets.length > 1) throw new UsageError('give only one of --pty-link, --port, --tcp and --file');
  const { format, options } = chooseFormat(flags);
  const scenario = chooseScenario(flags);
  let lost: () => void = () => {};
  const output = await openOutput(flags, format, () => lost());
  let truthFd: number | null = null;
  let timer: NodeJS.Timeout | undefined;
  try {
    truthFd = flags.truth === undefined ? null : openForTruth(flags.truth);
    const sensor = new SimulatedSensor({
      scenario,
      format,
      options,
      seed: flags.seed,
      speed: flags.speed,
      ...(flags.rate === undefined ? {} : { rateHz: flags.rate }),
      write: (bytes) => output.write(bytes),
    });
    announce(flags, format, scenario, sensor.rateHz, output, world);
    sensor.onTruth((truth) => {
      world.say(truthLine(truth));
      if (truthFd !== null) fs.writeSync(truthFd, `${JSON.stringify({ ...truth, wallMs: Date.now() })}\n`);
    });
    if (flags.file !== undefined) {
      sensor.renderTo(1000 * (flags.for ?? scenarioSeconds(scenario)));
      return;
    }
    const wentAway = await new Promise<boolean>((resolve) => {
      const end = (): void => resolve(false);
      lost = () => resolve(true);
      if (flags.for !== undefined) timer = setTimeout(end, (1000 * flags.for) / flags.speed);
      sensor.onEnd(end);
      world.stop.addEventListener('abort', end, { once: true });
      if (world.stop.aborted) end();
      sensor.start();
    });
    sensor.stop();
    if (wentAway) throw new UsageError(`the port ${flags.port} went away`);
  } finally {
    clearTimeout(timer);
    if (truthFd !== null) fs.closeSync(truthFd);
    await output.close();
  }
}

function chooseFormat(flags: SimulateFlags): { format: Format; options: FormatOptions } {
  try {
    const format = findFormat(flags.format);
    const options = parseOptions(flags);
    checkOptions(format, options);
    return { format, options };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function parseOptions({ option, board, rate }: SimulateFlags): FormatOptions {
  const options: Record<string, string | number | boolean> = {};
  if (board !== undefined) options.board = board;
  for (const text of option ?? []) {
    const at = text.indexOf('=');
    if (at < 1) throw new UsageError(`--option ${text}: write it as NAME=VALUE`);
    options[text.slice(0, at)] = optionValue(text.slice(at + 1));
  }
  if (rate !== undefined && rate > 10_000) throw new UsageError('--rate: at most 10000 Hz');
  return options;
}

function chooseScenario(flags: SimulateFlags): Scenario {
  if (flags.scenario !== undefined && flags.rhythm !== undefined) {
    throw new UsageError('give either --scenario or --rhythm');
  }
  if (flags.scenario !== undefined) {
    if (flags.bpm !== undefined) throw new UsageError('--bpm goes with --rhythm; a scenario says its own rates');
    const builtIn = builtInScenario(flags.scenario);
    if (builtIn) return builtIn;
    let text: string;
    try {
      text = fs.readFileSync(flags.scenario, 'utf8');
    } catch (error) {
      const why =
        (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : (error as Error).message;
      throw new UsageError(
        `--scenario ${flags.scenario}: ${why}, and no built-in scenario of that name (${BUILT_IN_SCENARIOS.join(', ')})`,
      );
    }
    return parseScenario(text, flags.scenario);
  }
  if (flags.rhythm === undefined && flags.bpm === undefined) return builtInScenario('calm')!;
  return singleRhythm(flags.rhythm ?? 'sinus', flags.bpm === undefined ? {} : { bpm: flags.bpm });
}

async function openOutput(flags: SimulateFlags, format: Format, onLost: () => void): Promise<Output> {
  try {
    if (flags.file !== undefined) return openFile(flags.file);
    if (flags.port !== undefined)
      return await openSerial(flags.port, serialSettings(format, parseOptions(flags)), onLost);
    if (flags.tcp !== undefined) {
      const match = /^(?:(.+):)?(\d{1,5})$/.exec(flags.tcp);
      if (!match || Number(match[2]) > 65_535) throw new Error(`--tcp ${flags.tcp}: write it as PORT or HOST:PORT`);
      return await openTcp(match[1] ?? '127.0.0.1', Number(match[2]));
    }
    return await openVirtual(flags.ptyLink === undefined ? freeLink() : path.resolve(flags.ptyLink));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** The first name that no other simulated sensor has; a link that leads nowhere is left over and may be replaced. */
function freeLink(): string {
  for (let i = 0; ; i++) {
    const link = path.join(os.tmpdir(), `slothd-sim${i}`);
    if (!fs.existsSync(link)) return link;
  }
}

function openForTruth(file: string): number {
  try {
    return fs.openSync(file, 'w');
  } catch (error) {
    throw new UsageError(`--truth: ${(error as Error).message}`);
  }
}

function announce(
  flags: SimulateFlags,
  format: Format,
  scenario: Scenario,
  rateHz: number,
  output: Output,
  world: SimulateWorld,
): void {
  const { baudRate, dataBits, parity, stopBits } = serialSettings(format, parseOptions(flags));
  world.say(`simulated sensor at ${output.place}`);
  world.say(
    `  ${format.id} (${baudRate} ${dataBits}${parity[0]!.toUpperCase()}${stopBits}), scenario ${scenario.name}, seed ${flags.seed}, speed ${flags.speed}`,
  );
  if (output.link === null) return;
  const given = parseOptions(flags);
  const rate = format.carries(given).waveform?.rateHz === null ? `, rateHz: ${rateHz}` : '';
  const options = Object.entries(given).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  const more = options.length > 0 ? `, options: { ${options.join(', ')} }` : '';
  world.say('  to read it, in the configuration of `slothd run`:');
  world.say('    sensors:');
  world.say(`      - { name: sim0, format: ${format.id}, link: ${output.link}${rate}${more} }`);
}

function truthLine(truth: Truth): string {
  const time = `${(truth.tMs / 1000).toFixed(1).padStart(8)} s`;
  if (truth.event === 'episode') return `${time}  ${truth.label}`;
  return `${time}    ${truth.event === 'begin' ? 'begins:' : 'ends:  '} ${truth.kind}`;
}
