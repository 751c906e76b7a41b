import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import { parseConfig } from '../config/load.js';
import { checkSensors } from '../daemon/check-sensors.js';
import { FORMATS } from '../sensor/formats/registry.js';
import { listPorts } from '../sensor/links/list-ports.js';
import { type PlannedSensor, writeYaml } from './init/yaml.js';
import { probe } from './probe.js';
import { UsageError } from './usage-error.js';

/** What `init` needs of the world; a test brings its own. */
export interface InitWorld {
  ports(): Promise<readonly { readonly stablePath: string; readonly about: string }[]>;
  /** The format heard on a port; null where it cannot be told. */
  guess(port: string): Promise<{ readonly format: string; readonly baudRate?: number } | null>;
  /** Whether something listens on the MQTT port of this machine. */
  localBroker(): Promise<boolean>;
  /** A question to the person; the default with --yes. */
  ask(question: string, fallback: string): Promise<string>;
  say(line: string): void;
}

export function initCommand(): Command {
  return new Command('init')
    .description('Write a first config: looks at plugged sensors and for a broker, and asks what it cannot see.')
    .option('-c, --config <file>', 'where to write it', '/etc/slothd/slothd.yaml')
    .option('-y, --yes', 'ask nothing')
    .option('--force', 'write over an existing file')
    .action(async (options: { config: string; yes?: boolean; force?: boolean }) => {
      const terminal = options.yes ? null : createInterface({ input: process.stdin, output: process.stdout });
      try {
        const text = await planConfig(
          realWorld(async (question, fallback) =>
            terminal ? (await terminal.question(`${question} [${fallback}] `)).trim() || fallback : fallback,
          ),
        );
        // What we write must be what `check` accepts, or we would send people round in circles.
        checkSensors(parseConfig(text, options.config), options.config);
        await save(options.config, text, options.force === true);
      } finally {
        terminal?.close();
      }
      process.stdout.write(`wrote ${options.config}\nnext: slothd doctor --config ${options.config}\n`);
    });
}

/** The YAML of a first config. */
export async function planConfig(world: InitWorld): Promise<string> {
  const sensors: PlannedSensor[] = [];
  for (const { stablePath, about } of await world.ports()) {
    world.say(`listening at ${stablePath} ${about}`.trimEnd());
    const heard = await world.guess(stablePath);
    const format = await askFormat(world, stablePath, heard?.format ?? 'none');
    if (format === 'none') continue;
    const name = await world.ask('name of this sensor', sensors.length === 0 ? 'heart' : `heart${sensors.length + 1}`);
    sensors.push({ name, format, path: stablePath, ...(heard?.format === format ? { baudRate: heard.baudRate } : {}) });
  }
  if (sensors.length === 0) world.say('no sensor was recognised: the config holds an example to change');
  const local = await world.localBroker();
  world.say(local ? 'a broker listens on this machine' : 'no broker listens on this machine');
  return writeYaml(sensors, await world.ask('MQTT broker', 'mqtt://localhost:1883'));
}

async function askFormat(world: InitWorld, port: string, fallback: string): Promise<string> {
  const format = await world.ask(`format of ${port} (\`slothd formats\` lists them; none leaves it out)`, fallback);
  if (format !== 'none' && !FORMATS.has(format)) throw new UsageError(`there is no format '${format}': slothd formats`);
  return format;
}

async function save(file: string, text: string, force: boolean): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    // Holds no secrets (those are in files of their own); who may look into /etc/slothd is the folder's business.
    await writeFile(file, text, { flag: force ? 'w' : 'wx', mode: 0o644 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw new UsageError(`${file} is there already; --force writes over it`);
    if (code === 'EACCES') throw new UsageError(`${file} may not be written: sudo slothd init, or --config FILE`);
    throw error;
  }
}

const BROKER_PORT = 1883;
const PROBE_SECONDS = 3;

function realWorld(ask: InitWorld['ask']): InitWorld {
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  return {
    ports: listPorts,
    async guess(port) {
      const before = process.exitCode;
      try {
        const heard = await probe(port, { seconds: PROBE_SECONDS }, say);
        return heard?.guess.format ? { format: heard.guess.format, baudRate: heard.settings.baudRate } : null;
      } catch (error) {
        say((error as Error).message);
        return null;
      } finally {
        // A port that cannot be told is not a failure of init.
        process.exitCode = before;
      }
    },
    localBroker: () =>
      new Promise((resolve) => {
        const socket = connect(BROKER_PORT, '127.0.0.1');
        const end = (there: boolean) => {
          socket.destroy();
          resolve(there);
        };
        socket.setTimeout(1000, () => end(false));
        socket.once('connect', () => end(true));
        socket.once('error', () => end(false));
      }),
    ask,
    say,
  };
}
