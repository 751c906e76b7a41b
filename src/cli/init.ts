import { constants } from 'node:fs';
import { access, chmod, mkdir, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname, resolve } from 'node:path';
import { Command } from 'commander';
import type { ZodType } from 'zod';
import { parseConfig, SYSTEM_CONFIG } from '../config/load.js';
import { mqttSchema } from '../config/mqtt.js';
import { nameSchema } from '../config/sensors.js';
import { checkSensors } from '../daemon/check-sensors.js';
import { FORMATS } from '../sensor/formats/registry.js';
import { listPorts } from '../sensor/links/list-ports.js';
import { holdersOf, thisMachine } from './doctor/system.js';
import { Answers } from './init/answers.js';
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
    .option('-c, --config <file>', 'where to write it', SYSTEM_CONFIG)
    .option('-y, --yes', 'ask nothing')
    .option('--force', 'write over an existing file')
    .action(async (options: { config: string; yes?: boolean; force?: boolean }) => {
      // Before anybody has waited for the sensors or answered anything.
      await mayBeWritten(options.config, options.force === true);
      const answers = options.yes ? null : new Answers(process.stdin, process.stdout);
      try {
        const text = await planConfig(
          realWorld(async (question, fallback) =>
            answers ? (await answers.to(`${question} [${fallback}] `)) || fallback : fallback,
          ),
        );
        // What we write must be what `check` accepts, or we would send people round in circles.
        checkSensors(parseConfig(text, options.config), options.config);
        await save(options.config, text, options.force === true);
      } finally {
        answers?.close();
      }
      const { sudo, more } = howToCall(options.config);
      process.stdout.write(`wrote ${options.config}\nnext: ${sudo}slothd doctor${more}\n`);
    });
}

/** The YAML of a first config. */
export async function planConfig(world: InitWorld): Promise<string> {
  const sensors: PlannedSensor[] = [];
  for (const { stablePath, about } of await world.ports()) {
    world.say(`listening at ${stablePath} ${about}`.trimEnd());
    const heard = await world.guess(stablePath);
    const format = await askFor(
      world,
      `format of ${stablePath} (\`slothd formats\` lists them; none leaves it out)`,
      heard?.format ?? 'none',
      (answer) => (answer === 'none' || FORMATS.has(answer) ? null : `there is no format '${answer}': slothd formats`),
    );
    if (format === 'none') continue;
    const name = await askFor(
      world,
      'name of this sensor',
      sensors.length === 0 ? 'heart' : `heart${sensors.length + 1}`,
      (answer) => {
        if (sensors.some((sensor) => sensor.name === answer)) return `there is already a sensor '${answer}'`;
        return problemOf(nameSchema, answer);
      },
    );
    sensors.push({ name, format, path: stablePath, ...(heard?.format === format ? { baudRate: heard.baudRate } : {}) });
  }
  if (sensors.length === 0) world.say('no sensor was recognised: the config holds an example to change');
  const local = await world.localBroker();
  world.say(local ? 'a broker listens on this machine' : 'no broker listens on this machine');
  const broker = await askFor(world, 'MQTT broker', 'mqtt://localhost:1883', (answer) =>
    problemOf(mqttSchema, { url: withScheme(answer) }),
  );
  return writeYaml(sensors, withScheme(broker));
}

/** Wrong answers in a row after which it is no person who answers. */
const MOST_TRIES = 5;

/** Asks until the answer will do. @param problem what is wrong with an answer; null where nothing is */
async function askFor(
  world: InitWorld,
  question: string,
  fallback: string,
  problem: (answer: string) => string | null,
): Promise<string> {
  for (let tries = 1; ; tries++) {
    const answer = await world.ask(question, fallback);
    const wrong = problem(answer);
    if (wrong === null) return answer;
    if (tries === MOST_TRIES) throw new UsageError(wrong);
    world.say(wrong);
  }
}

/** The first thing a schema has to say of a value. */
function problemOf(schema: ZodType, value: unknown): string | null {
  const { error } = schema.safeParse(value);
  return error ? (error.issues[0]?.message ?? 'that cannot be used') : null;
}

/** A bare host is what most people type. */
function withScheme(broker: string): string {
  return broker.includes('://') ? broker : `mqtt://${broker}`;
}

/** How to call slothd so that it finds this config. */
function howToCall(config: string): { sudo: string; more: string } {
  return config === SYSTEM_CONFIG ? { sudo: 'sudo ', more: '' } : { sudo: '', more: ` --config ${config}` };
}

/** @throws UsageError where the file could not be written in the end */
async function mayBeWritten(file: string, force: boolean): Promise<void> {
  const there = await stat(file).catch(() => null);
  if (there?.isDirectory()) throw new UsageError(`${file} is a folder: --config FILE`);
  if (there && !force) throw new UsageError(`${file} is there already; --force writes over it`);
  let folder = resolve(there ? file : dirname(file));
  for (;;) {
    try {
      if (folder !== resolve(file) && !(await stat(folder)).isDirectory()) throw unwritable(file, 'ENOTDIR');
      await access(folder, constants.W_OK);
      return;
    } catch (error) {
      if (error instanceof UsageError) throw error;
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' || folder === '/') throw unwritable(file, code);
      folder = dirname(folder);
    }
  }
}

function unwritable(file: string, code: string | undefined): UsageError {
  if (code === 'EROFS') return new UsageError(`${file} is on a read-only file system: --config FILE`);
  if (code === 'ENOTDIR') return new UsageError(`${file}: a part of the path is no folder`);
  return new UsageError(`${file} may not be written: sudo slothd init, or --config FILE`);
}

async function save(file: string, text: string, force: boolean): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true });
    // Holds no secrets (those are in files of their own); who may look into /etc/slothd is the folder's business.
    await writeFile(file, text, { flag: force ? 'w' : 'wx', mode: 0o644 });
    // Whatever root's umask: the service's user has to read it.
    if (file === SYSTEM_CONFIG) await chmod(file, 0o644);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw new UsageError(`${file} is there already; --force writes over it`);
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS' || code === 'ENOTDIR') throw unwritable(file, code);
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
      // A login on the serial console, a daemon that runs: another rate or another reader would disturb it.
      const holders = await holdersOf((await thisMachine.real(port)) ?? port, thisMachine);
      if (holders.length > 0) {
        say(`held by ${holders.map(({ pid, name }) => `${name} (process ${pid})`).join(', ')}: not listened to`);
        return null;
      }
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
