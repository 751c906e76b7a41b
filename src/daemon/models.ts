import type { Logger } from 'pino';
import type { InferenceSettings } from '../config/inference.js';
import { type InferencePort, MODEL_SLOTS, type ModelSlot } from '../domain/inference.js';
import type { StageRecorder } from '../domain/stage.js';
import type { Manifest } from '../inference/bundle/manifest.js';
import { RUNTIMES, type VariantTrial } from '../inference/host/messages.js';
import type { SpawnHost } from '../inference/host/spawn.js';
import { InferenceRunner } from '../inference/runner.js';
import type { InferenceStats } from '../inference/stats.js';
import { parseAnomalyPreprocessing } from '../inference/windows/anomaly-rr.js';
import { parsePreprocessing } from '../inference/windows/beat-ecg.js';
import { parseRhythmPreprocessing } from '../inference/windows/rhythm-rr.js';
import { parseShockablePreprocessing } from '../inference/windows/shockable-ecg.js';
import { bundleFolders, type ChosenBundle, chooseBundle, shortName } from './bundle-choice.js';

export { bundleFolder, SHIPPED_MODELS } from './bundle-choice.js';

/** What a model's windows and scores need of its manifest. All but the name changes when the model is swapped. */
export interface SlotModel<Slot extends string> {
  /** Its place in the host. */
  readonly name: Slot;
  readonly preprocessing: Readonly<Record<string, unknown>>;
  readonly logitOffsets: readonly number[];
}

export type BeatModel = SlotModel<'beat'>;
export type RhythmModel = SlotModel<'rhythm'>;
export type ShockableModel = SlotModel<'shockable'>;
export type AnomalyModel = SlotModel<'anomaly'>;

/**
 * What became of a look for other bundles. `unchanged`: the same ones are wanted. `swapped`: others run now, and no
 * question went unanswered over it. `refused`: the former ones stay. `restart`: a model came or went, so that sensors
 * must be set up anew.
 */
export interface ModelRefresh {
  readonly outcome: 'unchanged' | 'swapped' | 'refused' | 'restart';
  /** For a person. */
  readonly says: string;
}

/** The models a daemon runs, and the host they run in. */
export interface Models {
  /** null: no beat model is wanted, or its bundle was refused (then `reason` says why). */
  readonly beat: BeatModel | null;
  /** null: none is wanted, or its bundle was refused; a rule stands in for it. */
  readonly rhythm: RhythmModel | null;
  /** null: none is wanted, or its bundle was refused; then nothing sees fibrillation. */
  readonly shockable: ShockableModel | null;
  /** null: none is wanted, or its bundle was refused; then nobody's own usual is known. */
  readonly anomaly: AnomalyModel | null;
  readonly port: InferencePort;
  /** Why a model that is wanted does not answer, for a person; empty while all is well or nothing is wanted. */
  readonly reason: string;
  /** For the alarm rules. */
  condition(): 'starting' | 'ready' | 'down' | 'slow';
  stats(): InferenceStats;
  /** How the variants did when the beat model's was chosen; empty where it is not loaded. */
  trials(): readonly VariantTrial[];
  /** How the bundle of a slot is called: an installed one by name and id, any other by its folder's name. */
  bundleOf?(slot: string): string | null;
  /** Why another bundle, variant or runtime runs than was wanted first; empty where none does. */
  readonly note: string;
  start(): void;
  /** As `start`, and waits until it answers or is known not to. */
  startAndWait(): Promise<void>;
  /** Looks which bundles are wanted now (installed, activated, rolled back) and takes them in. */
  refresh?(): Promise<ModelRefresh>;
  stop(): Promise<void>;
}

/** A bundle whose constants do not fit our windows is refused at the start, not at the first beat. */
const PREPROCESSING = {
  beat: parsePreprocessing,
  rhythm: parseRhythmPreprocessing,
  shockable: parseShockablePreprocessing,
  anomaly: parseAnomalyPreprocessing,
} as const;

/** Counters that go on when a host of other models takes over. */
const COUNTERS = [
  ...(['runs', 'items', 'respawns', 'timeouts', 'memoryRestarts', 'lateAnswers'] as const),
  ...(['dropped', 'unavailable', 'lost', 'faults', 'overBudget'] as const),
];

/** Bundles by slot, the host that runs them, and why others were passed over. */
interface Serving {
  readonly bundles: ReadonlyMap<ModelSlot, ChosenBundle>;
  readonly runner: InferenceRunner;
  /** Slots that are wanted and have no bundle at all. */
  readonly missing: readonly string[];
  /** Bundles passed over for a former one. */
  readonly passedOver: readonly string[];
}

/**
 * Reads the configured bundles and prepares their host. A refused bundle is a reason, never an error.
 * @param stateDir where installed bundles are; left out: shipped ones and folders alone
 * @param spawn how hosts are started; left out: as children of this process
 */
export async function createModels(
  settings: InferenceSettings,
  stages: StageRecorder,
  onState: () => void,
  log: Logger,
  stateDir?: string,
  spawn?: SpawnHost,
): Promise<Models> {
  const models = new RunningModels(settings, stages, onState, log, stateDir, spawn);
  await models.open();
  return models;
}

class RunningModels implements Models {
  beat: BeatModel | null = null;
  rhythm: RhythmModel | null = null;
  shockable: ShockableModel | null = null;
  anomaly: AnomalyModel | null = null;
  readonly port: InferencePort = {
    infer: (slot, inputs) => this.runner.infer(slot, inputs),
    state: () => this.runner.state(),
    info: (slot) => this.runner.info(slot),
  };
  private serving!: Serving;
  /** Counts of the hosts that were swapped out. */
  private readonly retired = new Map<string, number>();
  /** Bundles that loaded but computed wrongly here: not to be tried again. */
  private readonly unfit = new Map<string, string>();
  private refusal = '';
  private stopped = false;

  constructor(
    private readonly settings: InferenceSettings,
    private readonly stages: StageRecorder,
    private readonly onState: () => void,
    private readonly log: Logger,
    private readonly stateDir: string | undefined,
    private readonly spawn: SpawnHost | undefined,
  ) {}

  async open(): Promise<void> {
    this.serving = await this.plan();
    const { bundles, missing } = this.serving;
    for (const reason of missing) this.log.error(`a model is refused: ${reason}`);
    if (bundles.has('beat')) this.beat = this.slot('beat');
    if (bundles.has('rhythm')) this.rhythm = this.slot('rhythm');
    if (bundles.has('shockable')) this.shockable = this.slot('shockable');
    if (bundles.has('anomaly')) this.anomaly = this.slot('anomaly');
  }

  get reason(): string {
    const { missing } = this.serving;
    if (missing.length > 0 || !this.wanted) return missing.join('; ');
    return this.runner.state() === 'ready' ? slowness(this.runner.stats()) : this.runner.reason;
  }

  get note(): string {
    return [...this.serving.passedOver, this.refusal, this.runner.note].filter(Boolean).join('; ');
  }

  condition(): 'starting' | 'ready' | 'down' | 'slow' {
    if (this.serving.missing.length > 0) return 'down';
    const state = this.runner.state();
    return state === 'ready' && this.runner.stats().slow ? 'slow' : state;
  }

  stats(): InferenceStats {
    const stats = this.runner.stats();
    if (this.retired.size === 0) return stats;
    return {
      ...stats,
      ...Object.fromEntries(COUNTERS.map((name) => [name, stats[name] + (this.retired.get(name) ?? 0)])),
    };
  }

  trials(): readonly VariantTrial[] {
    return this.runner.model('beat')?.trials ?? [];
  }

  bundleOf(slot: string): string | null {
    const bundle = this.serving.bundles.get(slot as ModelSlot);
    return bundle ? shortName(bundle.folder) : null;
  }

  start(): void {
    void this.begin(true);
  }

  startAndWait(): Promise<void> {
    return this.begin(false);
  }

  /** @param tryLater be ready soon, on the default variants; else every answer comes from the variant chosen */
  private async begin(tryLater: boolean): Promise<void> {
    if (!this.wanted) return;
    this.runner.start(tryLater);
    await this.runner.settled();
    // A bundle whose files are right may still compute wrongly on this machine: then the former one serves.
    while (!this.stopped && this.setAside(this.serving)) {
      const next = await this.plan();
      if (next.bundles.size < this.serving.bundles.size) return;
      next.runner.start();
      await next.runner.settled();
      await this.takeOver(next);
    }
  }

  async refresh(): Promise<ModelRefresh> {
    this.unfit.clear();
    const next = await this.plan();
    const folders = ({ bundles }: Serving) => MODEL_SLOTS.map((slot) => bundles.get(slot)?.folder ?? null);
    this.refusal = next.passedOver.join('; ');
    if (JSON.stringify(folders(next)) === JSON.stringify(folders(this.serving))) {
      this.onState();
      return this.refusal ? { outcome: 'refused', says: this.refusal } : { outcome: 'unchanged', says: '' };
    }
    if (MODEL_SLOTS.some((slot) => next.bundles.has(slot) !== this.serving.bundles.has(slot)))
      return { outcome: 'restart', says: 'a model came or went' };
    next.runner.start();
    await next.runner.settled();
    if (next.runner.state() !== 'ready') {
      const { reason } = next.runner;
      await next.runner.stop();
      this.refusal = `refused, the former models stay: ${reason}`;
      this.onState();
      return { outcome: 'refused', says: reason };
    }
    await this.takeOver(next);
    const now = [...this.serving.bundles].map(([slot, { folder }]) => `${slot}: ${shortName(folder)}`);
    return { outcome: 'swapped', says: now.join(', ') };
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.runner.stop();
  }

  private get runner(): InferenceRunner {
    return this.serving.runner;
  }

  private get wanted(): boolean {
    return this.serving.bundles.size > 0;
  }

  /** A slot's model as it is at any moment. */
  private slot<Slot extends ModelSlot>(name: Slot): SlotModel<Slot> {
    const manifest = (): Manifest => (this.serving.bundles.get(name) as ChosenBundle).manifest;
    return {
      name,
      get preprocessing() {
        return manifest().preprocessing;
      },
      get logitOffsets() {
        return manifest().output.logitOffsets ?? [];
      },
    };
  }

  /** What is wanted now, with a host of its own that is not started yet. */
  private async plan(): Promise<Serving> {
    const { models, runtime, trustedKeys, ...rest } = this.settings;
    const bundles = new Map<ModelSlot, ChosenBundle>();
    const missing: string[] = [];
    const passedOver: string[] = [];
    for (const slot of MODEL_SLOTS) {
      const wanted = models[slot];
      if (wanted === null) continue;
      const folders = await bundleFolders(wanted, this.stateDir);
      const fit = folders.filter((folder) => !this.unfit.has(folder));
      const unfit = folders.flatMap((folder) => this.unfit.get(folder) ?? []);
      const { chosen, refusals } = await chooseBundle(fit, trustedKeys, ({ preprocessing }) =>
        PREPROCESSING[slot](preprocessing),
      );
      const why = [...unfit, ...refusals].join('; ');
      if (chosen) bundles.set(slot, chosen);
      else missing.push(why);
      if (chosen && why) passedOver.push(`${shortName(chosen.folder)} runs, for a newer one is refused: ${why}`);
    }
    const runner: InferenceRunner = new InferenceRunner({
      ...rest,
      runtimes: RUNTIMES[runtime],
      models: Object.fromEntries([...bundles].map(([slot, { folder }]) => [slot, folder])),
      stages: this.stages,
      // What waits there has the native runtime loaded.
      ...(this.spawn && runtime !== 'wasm' ? { spawn: this.spawn } : {}),
      onState: (state, reason) => {
        this.log[state === 'down' ? 'warn' : 'info']({ state, reason }, `inference ${state}`);
        if (this.serving.runner === runner) this.onState();
      },
      onRevised: () => {
        if (this.serving.runner === runner) this.onState();
      },
    });
    return { bundles, runner, missing, passedOver };
  }

  /** From one moment to the next the new host is asked; the former one ends once it has answered what it was asked. */
  private async takeOver(next: Serving): Promise<void> {
    const former = this.runner;
    this.serving = next;
    this.onState();
    await former.drained();
    const stats = former.stats();
    for (const name of COUNTERS) this.retired.set(name, (this.retired.get(name) ?? 0) + stats[name]);
    await former.stop();
  }

  /** Notes bundles that the host refused. @returns whether another one is left for each of them */
  private setAside({ bundles, runner }: Serving): boolean {
    const refused = [...runner.refusals].filter(([slot]) => {
      const bundle = bundles.get(slot as ModelSlot);
      return bundle && !this.unfit.has(bundle.folder);
    });
    for (const [slot, reason] of refused)
      this.unfit.set((bundles.get(slot as ModelSlot) as ChosenBundle).folder, reason);
    return this.stateDir !== undefined && refused.length > 0;
  }
}

/** Why the model is slow, with the numbers; empty where it is not. */
function slowness({ slow, recentP99Ms, budgetMs }: InferenceStats): string {
  if (!slow || recentP99Ms === null) return '';
  return `the slowest 1 % of recent answers took ${recentP99Ms.toFixed(1)} ms, ${budgetMs} ms are allowed`;
}
