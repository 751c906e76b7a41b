import { pino } from 'pino';
import { configSchema } from '../../../src/config/schema.js';
import type { GzipMember } from '../../../src/daemon/flight/gzip-member.js';
import type { Models } from '../../../src/daemon/models.js';
import { Persons } from '../../../src/daemon/persons.js';
import { Station } from '../../../src/daemon/station.js';
import type { AlertChange } from '../../../src/domain/alert.js';
import type { Clock, Timers } from '../../../src/domain/clock.js';
import { findFormat } from '../../../src/sensor/formats/registry.js';
import type { Link } from '../../../src/sensor/links/link.js';
import type { ScenarioInput } from '../../../src/simulator/scenario.js';
import { makeScenario } from '../../../src/simulator/scenario.js';
import { SimulatedSensor } from '../../../src/simulator/sensor.js';
import { Metrics } from '../../../src/watch/metrics.js';
import { FakeLink, ManualTime } from '../../sensor/fake-link.js';

/** As a daemon without a beat model has them. */
export const NO_MODELS: Models = {
  beat: null,
  rhythm: null,
  shockable: null,
  anomaly: null,
  port: { infer: () => Promise.resolve(null), state: () => 'down', info: () => null },
  reason: '',
  condition: () => 'down',
  stats: () => {
    throw new Error('no model, no figures');
  },
  trials: () => [],
  note: '',
  start: () => undefined,
  startAndWait: () => Promise.resolve(),
  stop: () => Promise.resolve(),
};

export interface StationBenchOptions {
  readonly format?: string;
  readonly options?: Record<string, string | number | boolean>;
  readonly silenceMs?: number;
  readonly rateHz?: number;
  readonly alarms?: Record<string, unknown>;
  readonly link: Link;
  readonly time: Clock & Timers;
  readonly name?: string;
  readonly person?: string;
  /** Several sensors on one person share it. */
  readonly persons?: Persons;
  readonly models?: Models;
  readonly flightRecorder?: Record<string, unknown>;
  readonly saveFlight?: (alertId: string, members: readonly GzipMember[]) => void;
}

/** One sensor of the daemon, wired as the daemon wires it, with everything it says written down. */
export function benchStation({ format = 'protocentral', options = {}, link, time, ...rest }: StationBenchOptions) {
  const {
    alarms,
    persons = new Persons(),
    name = 'chest',
    models = NO_MODELS,
    flightRecorder,
    saveFlight,
    ...settings
  } = rest;
  const config = configSchema.parse({
    sensors: [{ name, format, options, link: { type: 'tcp', host: 'bench', port: 1 }, ...settings }],
    alarms: alarms ?? {},
    flightRecorder: flightRecorder ?? {},
  });
  const alerts: AlertChange[] = [];
  const online: boolean[] = [];
  const log: { reason?: string; msg: string }[] = [];
  const metrics = new Metrics();
  let ids = 0;
  const logger = pino({ level: 'debug' }, { write: (line: string) => log.push(JSON.parse(line)) });
  const station = new Station({
    settings: config.sensors[0]!,
    config,
    outside: {
      clock: time,
      timers: time,
      nextTurn: (run) => void time.after(0, run),
      random: () => 0.5,
      newId: () => `alert-${++ids}`,
      log: logger,
      env: {},
      version: '0',
      openLink: () => link,
      openStore: () => Promise.reject(new Error('no store on the bench')),
      createModels: () => Promise.resolve(NO_MODELS),
      httpToken: null,
    },
    models,
    saveFlight,
    stages: { record: () => undefined },
    persons,
    metrics,
    events: () => null,
    onAlert: (change) => alerts.push(change),
    onOnline: (_sensor, on) => online.push(on),
  });
  return {
    station,
    alerts,
    online,
    log,
    /** The alerts as `new no-data`, in order. */
    told: () => alerts.map(({ event, kind }) => `${event} ${kind}`),
    /** One counter or gauge: `count('link_reopens_total', { reason: 'silence' })`. */
    async count(name: string, labels: Record<string, string>): Promise<number> {
      const metric = await metrics.registry.getSingleMetric(`slothd_${name}`)?.get();
      const found = metric?.values.find(({ labels: own }) => Object.entries(labels).every(([k, v]) => own[k] === v));
      return found?.value ?? 0;
    },
  };
}

/** A station on a link and a time that the test plays. */
export function manualStation({
  time = new ManualTime(),
  ...options
}: Omit<StationBenchOptions, 'link' | 'time'> & { time?: ManualTime } = {}) {
  const link = new FakeLink();
  const bench = benchStation({ ...options, link, time });
  const tick = () => {
    bench.station.runtime.tick(time.monotonicMs());
    time.after(100, tick);
  };
  tick();
  bench.station.runtime.start();
  return {
    ...bench,
    time,
    link,
    /** A simulated sensor at the other end; `start()` it when it is to speak. */
    heart(episodes: ScenarioInput['episodes'], seed = 1): SimulatedSensor {
      return new SimulatedSensor({
        scenario: makeScenario({ episodes }),
        format: findFormat(options.format ?? 'protocentral'),
        options: options.options ?? {},
        seed,
        pacing: time,
        write: (bytes) => link.handlers?.onBytes(bytes),
      });
    },
  };
}
