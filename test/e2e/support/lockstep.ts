import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { pino } from 'pino';
import { type Config, configSchema } from '../../../src/config/schema.js';
import { Daemon } from '../../../src/daemon/daemon.js';
import type { Models } from '../../../src/daemon/models.js';
import { openLink, systemOutside } from '../../../src/daemon/outside.js';
import { findFormat } from '../../../src/sensor/formats/registry.js';
import type { Scenario } from '../../../src/simulator/scenario.js';
import { SimulatedSensor, type TimedTruth } from '../../../src/simulator/sensor.js';
import { VirtualPort } from '../../../src/simulator/virtual-port.js';
import { ManualTime } from '../../sensor/fake-link.js';
import { afterwards, temporaryFolder, until } from './world.js';

const DIST = fileURLToPath(new URL('../../../dist', import.meta.url));
export const BEAT_ECG = fileURLToPath(new URL('../../../models/beat-ecg', import.meta.url));

export interface LockstepOptions {
  readonly scenario: Scenario;
  readonly brokerUrl: string;
  /** null: without a beat model. */
  readonly model?: string | null;
  /** null: a rule judges the rhythm. */
  readonly rhythm?: string | null;
  readonly config?: Record<string, unknown>;
  readonly stateDir?: string;
  readonly seed?: number;
}

const STEP_MS = 100;

/**
 * The real daemon on a real (pseudo) serial port with a real broker and a real model host, in a time that the test moves:
 * each tenth of a second of heart goes over the wire, is heard, is judged by the model, and only then does the next one
 * come. So hours of heart are minutes of test, and a busy machine changes nothing.
 */
export async function startLockstep(options: LockstepOptions) {
  const time = new ManualTime();
  const port = await VirtualPort.open({ link: join(temporaryFolder(), 'sensor') });
  afterwards(() => port.close());
  const format = findFormat('ad8232');
  const formatOptions = { rateHz: 200 };
  const config: Config = configSchema.parse({
    node: 'bench',
    stateDir: options.stateDir ?? join(temporaryFolder(), 'state'),
    sensors: [{ name: 'chest', format: format.id, options: formatOptions, link: { type: 'serial', path: port.path } }],
    inference: {
      models: { beat: options.model ?? null, rhythm: options.rhythm ?? null },
      deadlineMs: 5000,
      budgetMs: 5000,
      timingMs: 20,
    },
    mqtt: { url: options.brokerUrl },
    http: { port: 0 },
    ...options.config,
  });
  let heardBytes = 0;
  let pending = 0;
  let opened = false;
  const system = systemOutside(config, pino({ level: 'silent' }), '0.0.0-test');
  const daemon = new Daemon(config, {
    ...system,
    clock: time,
    timers: time,
    openLink: (settings, ofFormat) => {
      const link = openLink(settings, ofFormat);
      return {
        name: link.name,
        async open(handlers) {
          const open = await link.open({
            onBytes: (bytes) => {
              heardBytes += bytes.length;
              handlers.onBytes(bytes);
            },
            onClose: (reason) => handlers.onClose(reason),
          });
          opened = true;
          return open;
        },
      };
    },
    createModels: async (wanted, stages, onState) => {
      const models = await compiledModels(wanted, stages, onState);
      const { port: inference } = models;
      // Getters stay getters: a spread would freeze `reason`.
      return Object.create(models, {
        port: {
          value: {
            state: () => inference.state(),
            info: (name: string) => inference.info(name),
            infer: (...ask: Parameters<typeof inference.infer>) => {
              pending++;
              return inference.infer(...ask).finally(() => pending--);
            },
          },
        },
      }) as Models;
    },
  });
  const truths: TimedTruth[] = [];
  let sentBytes = 0;
  const heart = new SimulatedSensor({
    scenario: options.scenario,
    format,
    options: formatOptions,
    seed: options.seed ?? 1,
    write: (bytes) => {
      sentBytes += bytes.length;
      port.write(bytes);
    },
  });
  heart.onTruth((truth) => truths.push(truth));
  let stopped = false;
  const stop = async () => {
    if (stopped) return;
    stopped = true;
    await moving(time, () => daemon.stop());
  };
  await moving(time, () => daemon.start());
  afterwards(stop);
  // What is sent before is lost, as on a real wire.
  await until('the port to be open', () => opened);
  if (options.model) {
    await until(
      () => `the model: ${daemon.ready().reasons}`,
      () => !daemon.ready().reasons.some((reason) => reason.startsWith('inference')),
    );
  }
  const startMs = time.monotonicMs();
  return {
    daemon,
    time,
    port,
    heart,
    truths,
    stop,
    /** Milliseconds of heart so far. */
    elapsedMs: () => time.monotonicMs() - startMs,
    /** Lets the heart beat until `tMs` of its own time. */
    async runTo(tMs: number, each: () => void = () => undefined): Promise<void> {
      while (heart.tMs < tMs) {
        heart.renderTo(Math.min(tMs, heart.tMs + STEP_MS));
        await soon('the bytes', () => heardBytes >= sentBytes);
        await time.advance(STEP_MS);
        await soon('the model', () => pending === 0);
        each();
      }
    },
  };
}

/** The models as `dist` has them: their host is a process of its own, which cannot run TypeScript. */
async function compiledModels(config: Config, stages: Parameters<typeof load>[1], onState: () => void) {
  return load(config.inference, stages, onState, pino({ level: 'silent' }));
}

async function load(...args: Parameters<typeof import('../../../src/daemon/models.js').createModels>): Promise<Models> {
  const file = join(DIST, 'daemon/models.js');
  if (!existsSync(file)) throw new Error(`${file} is missing: run npm run build first`);
  const { createModels } = (await import(pathToFileURL(file).href)) as typeof import('../../../src/daemon/models.js');
  return createModels(...args);
}

/** As `until`, but looks at every turn of the event loop: it is asked ten times per second of heart. */
async function soon(what: string, condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Runs what waits for timers of a manual time, moving it along. */
async function moving(time: ManualTime, run: () => Promise<void>): Promise<void> {
  let done = false;
  const running = run().finally(() => {
    done = true;
  });
  while (!done) {
    await time.advance(10);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await running;
}
