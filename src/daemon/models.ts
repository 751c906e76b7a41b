import { access } from 'node:fs/promises';
import { isAbsolute, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import type { InferenceSettings } from '../config/inference.js';
import type { InferencePort } from '../domain/inference.js';
import type { StageRecorder } from '../domain/stage.js';
import { loadBundle } from '../inference/bundle/load.js';
import { RUNTIMES, type VariantTrial } from '../inference/host/messages.js';
import { InferenceRunner } from '../inference/runner.js';
import type { InferenceStats } from '../inference/stats.js';
import { parsePreprocessing } from '../inference/windows/beat-ecg.js';
import { parseRhythmPreprocessing } from '../inference/windows/rhythm-rr.js';

/** Bundles that come with slothd: models/ of the package, two folders above src/daemon and dist/daemon alike. */
export const SHIPPED_MODELS = fileURLToPath(new URL('../../models/', import.meta.url));

/** What a model's windows and scores need of its manifest. */
export interface SlotModel<Slot extends string> {
  /** Its place in the host. */
  readonly name: Slot;
  readonly preprocessing: Readonly<Record<string, unknown>>;
  readonly logitOffsets: readonly number[];
}

export type BeatModel = SlotModel<'beat'>;
export type RhythmModel = SlotModel<'rhythm'>;

/** The models a daemon runs, and the host they run in. */
export interface Models {
  /** null: no beat model is wanted, or its bundle was refused (then `reason` says why). */
  readonly beat: BeatModel | null;
  /** null: none is wanted, or its bundle was refused; a rule stands in for it. */
  readonly rhythm: RhythmModel | null;
  readonly port: InferencePort;
  /** Why a model that is wanted does not answer, for a person; empty while all is well or nothing is wanted. */
  readonly reason: string;
  /** For the alarm rules. */
  condition(): 'starting' | 'ready' | 'down' | 'slow';
  stats(): InferenceStats;
  /** How the variants did when the beat model's was chosen; empty where it is not loaded. */
  trials(): readonly VariantTrial[];
  /** Why another variant or runtime runs than was wanted first; empty where none does. */
  readonly note: string;
  start(): void;
  /** As `start`, and waits until it answers or is known not to. */
  startAndWait(): Promise<void>;
  stop(): Promise<void>;
}

/** A bundle whose constants do not fit our windows is refused at the start, not at the first beat. */
const PREPROCESSING = { beat: parsePreprocessing, rhythm: parseRhythmPreprocessing } as const;

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
  const { models, runtime, ...rest } = settings;
  const folders: Record<string, string> = {};
  const refusals: string[] = [];
  const open = async <Slot extends 'beat' | 'rhythm'>(slot: Slot): Promise<SlotModel<Slot> | null> => {
    const wanted = models[slot];
    if (wanted === null) return null;
    const folder = await bundleFolder(wanted);
    try {
      const { manifest } = await loadBundle(folder);
      PREPROCESSING[slot](manifest.preprocessing);
      folders[slot] = folder;
      return { name: slot, preprocessing: manifest.preprocessing, logitOffsets: manifest.output.logitOffsets ?? [] };
    } catch (error) {
      refusals.push((error as Error).message);
      log.error({ model: folder }, `the ${slot} model is refused: ${(error as Error).message}`);
      return null;
    }
  };
  const beat = await open('beat');
  const rhythm = await open('rhythm');
  const wanted = beat !== null || rhythm !== null;
  const refused = refusals.join('; ');
  const runner = new InferenceRunner({
    ...rest,
    runtimes: RUNTIMES[runtime],
    models: folders,
    stages,
    onState: (state, reason) => {
      log[state === 'down' ? 'warn' : 'info']({ state, reason }, `inference ${state}`);
      onState();
    },
  });
  return {
    beat,
    rhythm,
    port: runner,
    get reason() {
      if (refused || !wanted) return refused;
      return runner.state() === 'ready' ? slowness(runner.stats()) : runner.reason;
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
      if (wanted) runner.start();
    },
    async startAndWait() {
      if (!wanted) return;
      runner.start();
      await runner.settled();
    },
    stop: () => runner.stop(),
  };
}

/** Why the model is slow, with the numbers; empty where it is not. */
function slowness({ slow, recentP99Ms, budgetMs }: InferenceStats): string {
  if (!slow || recentP99Ms === null) return '';
  return `the slowest 1 % of recent answers took ${recentP99Ms.toFixed(1)} ms, ${budgetMs} ms are allowed`;
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
