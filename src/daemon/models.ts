import { access } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import type { InferenceSettings } from '../config/inference.js';
import type { InferencePort } from '../domain/inference.js';
import type { StageRecorder } from '../domain/stage.js';
import { loadBundle } from '../inference/bundle/load.js';
import type { VariantTrial } from '../inference/host/messages.js';
import { InferenceRunner } from '../inference/runner.js';
import type { InferenceStats } from '../inference/stats.js';

/** Bundles that come with slothd: models/ of the package, two folders above src/daemon and dist/daemon alike. */
export const SHIPPED_MODELS = fileURLToPath(new URL('../../models/', import.meta.url));

/** What a beat model's windows and scores need of its manifest. */
export interface BeatModel {
  /** Its place in the host. */
  readonly name: 'beat';
  readonly preprocessing: Readonly<Record<string, unknown>>;
  readonly logitOffsets: readonly number[];
}

/** The models a daemon runs, and the host they run in. */
export interface Models {
  /** null: no beat model is wanted, or its bundle was refused (then `reason` says why). */
  readonly beat: BeatModel | null;
  readonly port: InferencePort;
  /** Why beats are not classified, for a person; empty while all is well or nothing is wanted. */
  readonly reason: string;
  /** For the alarm rules. */
  condition(): 'starting' | 'ready' | 'down' | 'slow';
  stats(): InferenceStats;
  /** How the variants did when the beat model's was chosen; empty where it is not loaded. */
  trials(): readonly VariantTrial[];
  /** Why another variant runs than was chosen; empty where none does. */
  readonly note: string;
  start(): void;
  /** As `start`, and waits until it answers or is known not to. */
  startAndWait(): Promise<void>;
  stop(): Promise<void>;
}

/** A configured bundle's folder: a path, or the name of a shipped one. */
export async function bundleFolder(name: string): Promise<string> {
  const asPath = resolve(name);
  if (isAbsolute(name) || name.includes('/') || (await exists(asPath))) return asPath;
  return resolve(SHIPPED_MODELS, name);
}

/** Reads the configured bundles and prepares their host. A refused bundle is a reason, never an error. */
export async function createModels(
  settings: InferenceSettings,
  stages: StageRecorder,
  onState: () => void,
  log: Logger,
): Promise<Models> {
  const { models, ...rest } = settings;
  let beat: BeatModel | null = null;
  let refused = '';
  const folder = models.beat === null ? null : await bundleFolder(models.beat);
  if (folder) {
    try {
      const { manifest } = await loadBundle(folder);
      beat = { name: 'beat', preprocessing: manifest.preprocessing, logitOffsets: manifest.output.logitOffsets ?? [] };
    } catch (error) {
      refused = (error as Error).message;
      log.error({ model: folder }, `the beat model is refused: ${refused}`);
    }
  }
  const runner = new InferenceRunner({
    ...rest,
    models: beat && folder ? { beat: folder } : {},
    stages,
    onState: (state, reason) => {
      log[state === 'down' ? 'warn' : 'info']({ state, reason }, `inference ${state}`);
      onState();
    },
  });
  return {
    beat,
    port: runner,
    get reason() {
      return refused || (runner.state() === 'ready' || !beat ? '' : runner.reason);
    },
    condition() {
      if (refused) return 'down';
      const state = runner.state();
      return state === 'ready' && runner.stats().slow ? 'slow' : state;
    },
    stats: () => runner.stats(),
    trials: () => runner.model('beat')?.trials ?? [],
    get note() {
      return runner.note;
    },
    start() {
      if (beat) runner.start();
    },
    async startAndWait() {
      if (!beat) return;
      runner.start();
      await runner.settled();
    },
    stop: () => runner.stop(),
  };
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
