import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from '../config/schema.js';
import type { SensorSettings } from '../config/sensors.js';
import type { DeliveryOptions } from '../delivery/options.js';
import { readNamedSync } from '../delivery/tls-files.js';
import type { Clock, Timers } from '../domain/clock.js';
import type { Format } from '../domain/reading.js';
import type { StageRecorder } from '../domain/stage.js';
import type { SpawnHost } from '../inference/host/spawn.js';
import { serialSettings } from '../sensor/formats/registry.js';
import type { Link } from '../sensor/links/link.js';
import { ProcessLink } from '../sensor/links/process.js';
import { RecordingLink } from '../sensor/links/recording.js';
import { SerialLink } from '../sensor/links/serial.js';
import { TcpLink } from '../sensor/links/tcp.js';
import { WebServerError } from '../watch/http.js';
import { FlightShelf } from './flight/shelf.js';
import type { DurableStore } from './level-store.js';
import { createModels, type Models } from './models.js';
import { openStateStore } from './state-folder.js';
import { systemClock, systemTimers } from './system-clock.js';

/** The outside world, passed in; `run`, the demo and tests bring their own. */
export interface Outside {
  readonly clock: Clock;
  readonly timers: Timers;
  /** A turn of the event loop of its own; left out: `setImmediate`. A test that makes its own time brings its own. */
  readonly nextTurn?: (run: () => void) => void;
  readonly random: () => number;
  readonly newId: () => string;
  readonly log: Logger;
  readonly env: NodeJS.ProcessEnv;
  readonly version: string;
  readonly openLink: (settings: SensorSettings, format: Format) => Link;
  readonly openStore: (dir: string) => Promise<DurableStore>;
  readonly createModels: (config: Config, stages: StageRecorder, onState: () => void) => Promise<Models>;
  /** Token of the web server, already read from its file. */
  readonly httpToken: string | null;
  readonly connect?: DeliveryOptions['connect'];
  /** Where the stretches that alerts freeze are kept; left out: nothing is recorded. */
  readonly openFlights?: (config: Config) => FlightShelf;
}

/** The link a sensor's settings name, with the format's port settings where they name none. */
export function openLink({ link, options }: SensorSettings, format: Format): Link {
  switch (link.type) {
    case 'serial': {
      const serial = serialSettings(format, options);
      return new SerialLink({
        ...serial,
        path: link.path,
        baudRate: link.baudRate ?? serial.baudRate,
        parity: link.parity ?? serial.parity,
        dtr: link.dtr,
        rts: link.rts,
      });
    }
    case 'tcp':
      return new TcpLink(link.host, link.port);
    case 'recording':
      return new RecordingLink(link.file, link.bytesPerSecond, systemTimers);
    case 'process':
      return new ProcessLink(link.command);
  }
}

/**
 * The real outside world of a daemon on this machine.
 * @param spawnHost how model hosts are started; left out: as children of this process
 * @throws WebServerError when the token cannot be read
 */
export function systemOutside(config: Config, log: Logger, version: string, spawnHost?: SpawnHost): Outside {
  return {
    clock: systemClock,
    timers: systemTimers,
    random: Math.random,
    newId: randomUUID,
    log,
    env: process.env,
    version,
    openLink,
    openStore: (dir) => openStateStore(dir, version, log.child({ part: 'store' })),
    openFlights: ({ stateDir, flightRecorder }) =>
      new FlightShelf(join(stateDir, 'flight'), flightRecorder.diskMb * 1e6, log.child({ part: 'flight' })),
    createModels: (c, stages, onState) => createModels(c.inference, stages, onState, log, c.stateDir, spawnHost),
    httpToken: config.http.enabled && config.http.tokenFile ? readToken(config.http.tokenFile) : null,
  };
}

function readToken(file: string): string {
  let token: string;
  try {
    token = readNamedSync('http.tokenFile', file).toString('utf8').trim();
  } catch (error) {
    throw new WebServerError((error as Error).message);
  }
  // An empty one would let everybody in.
  if (token === '') throw new WebServerError(`http.tokenFile: ${file}: it is empty`);
  return token;
}
