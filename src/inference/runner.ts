import type { InferencePort, InferenceState, ModelInfo, ModelInputs } from '../domain/inference.js';
import type { StageRecorder } from '../domain/stage.js';
import { Fallback } from './fallback.js';
import { type LoadedModel, type LoadReport, RUNTIMES, type RuntimeChoice } from './host/messages.js';
import { type SpawnHost, spawnHost } from './host/spawn.js';
import { HostProcess } from './host-process.js';
import { Questions } from './questions.js';
import { residentMiB } from './resident-memory.js';
import type { InferenceStats } from './stats.js';

export interface InferenceRunnerOptions {
  /** Slot -> bundle folder. */
  readonly models: Readonly<Record<string, string>>;
  readonly variant?: string;
  readonly deadlineMs?: number;
  readonly budgetMs?: number;
  readonly startTimeoutMs?: number;
  readonly timingMs?: number;
  readonly maxBatch?: number;
  readonly maxQueue?: number;
  readonly hostMemoryMiB?: number;
  /** What computes, in the order it is tried; left out: the native runtime, then WASM. */
  readonly runtimes?: readonly RuntimeChoice[];
  /** Waits between a death and the next start: the first, doubling up to the longest. */
  readonly backOff?: { readonly firstMs: number; readonly longestMs: number };
  readonly memoryCheckMs?: number;
  readonly spawn?: SpawnHost;
  readonly stages?: StageRecorder;
  /** Monotonic milliseconds. */
  readonly nowMs?: () => number;
  /** Resident memory of a process in MiB; null where it cannot be read. */
  readonly residentMiB?: (pid: number) => Promise<number | null>;
  onState?(state: InferenceState, reason: string): void;
  /** Variants were tried after the start, and the faster ones run now. */
  onRevised?(): void;
}

const DRAIN_LOOK_MS = 5;

/**
 * Keeps a model host alive and asks it. Every question gets its answer or null within the deadline, whatever happens to
 * the host; a host that hangs is killed, one that dies is started again with a new generation number.
 */
export class InferenceRunner implements InferencePort {
  readonly #options: Required<Omit<InferenceRunnerOptions, 'stages' | 'onState' | 'onRevised'>> &
    InferenceRunnerOptions;
  readonly #slots: readonly string[];
  readonly #questions: Questions;
  readonly #count = { respawns: 0, memoryRestarts: 0, unavailable: 0 };

  #host: HostProcess | null = null;
  #loaded: (LoadedModel | null)[] = [];
  /** Why slots could not be loaded, by the newest host's report. */
  #refusals: ReadonlyMap<string, string> = new Map();
  readonly #fallback: Fallback;
  #generation = 0;
  #state: InferenceState = 'starting';
  #reason = 'the model host is starting';
  /** How the start ends is known: `down` may be a moment between two hosts. */
  #settled = false;
  #readyAtMs: number | null = null;
  #respawnTimer: NodeJS.Timeout | null = null;
  #startTimer: NodeJS.Timeout | null = null;
  #memoryTimer: NodeJS.Timeout | null = null;
  #memoryExceeded = false;
  #residentMiB: number | null = null;
  #killReason: string | null = null;
  /** The runtime did not load in this host: the next one is tried as soon as it is gone. */
  #switching = false;
  /** The host came up but can run nothing: it is not started again by itself. */
  #refused = false;
  #stopping = false;
  #tryLater = false;
  #settledWaiters: (() => void)[] = [];
  #deadWaiters: (() => void)[] = [];

  constructor(options: InferenceRunnerOptions) {
    this.#options = {
      variant: 'auto',
      deadlineMs: 250,
      budgetMs: 50,
      startTimeoutMs: 30_000,
      timingMs: 40,
      maxBatch: 16,
      maxQueue: 256,
      hostMemoryMiB: 300,
      runtimes: RUNTIMES.auto,
      backOff: { firstMs: 50, longestMs: 30_000 },
      memoryCheckMs: 5000,
      spawn: () => spawnHost(),
      nowMs: () => performance.now(),
      residentMiB,
      ...given(options),
    };
    this.#fallback = new Fallback(this.#options.runtimes);
    this.#slots = Object.keys(options.models);
    this.#questions = new Questions({
      ...this.#options,
      host: () => this.#host,
      loaded: (model) => this.#loaded[model] ?? null,
      onHung: () => this.#onHung(),
      onIdle: () => {
        if (this.#memoryExceeded) this.#host?.kill();
      },
    });
  }

  /**
   * Starts the host; does not wait for it. Again after a refusal, once its reason was mended.
   * @param tryLater with `auto`: be ready on the default variants, try others between the answers (`onRevised`)
   */
  start(tryLater = false): void {
    this.#tryLater = tryLater;
    if (this.#refused) {
      this.#fallback.reset();
      this.#settled = false;
    }
    if (this.#host || this.#respawnTimer || this.#stopping) return;
    if (this.#slots.length === 0) {
      this.#setState('down', 'no model is configured');
      this.#settle();
      return;
    }
    this.#spawn();
    this.#memoryTimer ??= setInterval(() => void this.#checkMemory(), this.#options.memoryCheckMs);
    this.#memoryTimer.unref();
  }

  /**
   * Resolves once it is known how the start ends, with the state then: `ready`, or `down` where every runtime of the list has
   * had its turn in vain, a bundle was refused, or there is nothing to run. A library that kills its host makes the state
   * `down` for a moment, and the next runtime is tried: that is waited for.
   */
  async settled(): Promise<InferenceState> {
    if (!this.#settled) await new Promise<void>((resolve) => this.#settledWaiters.push(resolve));
    return this.#state;
  }

  infer(slot: string, inputs: ModelInputs): Promise<Float32Array | null> {
    const model = this.#slots.indexOf(slot);
    const loaded = this.#loaded[model];
    if (!loaded || this.#stopping) {
      this.#count.unavailable++;
      return Promise.resolve(null);
    }
    return this.#questions.ask(model, loaded, inputs);
  }

  state(): InferenceState {
    return this.#state;
  }

  /** Why the state is what it is, for a person. */
  get reason(): string {
    return this.#reason;
  }

  /** Why another variant or runtime runs than was wanted first; empty where none does. */
  get note(): string {
    return this.#fallback.note;
  }

  /** Slot -> why its bundle was refused by the host that came up last. */
  get refusals(): ReadonlyMap<string, string> {
    return this.#refusals;
  }

  /** Resolves once nobody waits for an answer. Ask no more before. */
  async drained(): Promise<void> {
    while (!this.#questions.none) await new Promise((resolve) => setTimeout(resolve, DRAIN_LOOK_MS));
  }

  info(slot: string): ModelInfo | null {
    const loaded = this.model(slot);
    if (!loaded) return null;
    const { manifest, sha256, precision, runtime } = loaded;
    return { name: manifest.name, sha256, precision, runtime };
  }

  /** All that is known of a running model: variant, the trials that chose it, the manifest. */
  model(slot: string): LoadedModel | null {
    return this.#loaded[this.#slots.indexOf(slot)] ?? null;
  }

  stats(): InferenceStats {
    return {
      ...this.#questions.stats(),
      ...this.#count,
      generation: this.#generation,
      hostPid: this.#host?.pid ?? null,
      hostResidentMiB: this.#residentMiB,
    };
  }

  /** Percentiles begin anew; for who measures and has warmed up. */
  forgetLatencies(): void {
    this.#questions.forgetLatencies();
  }

  /** Ends the host, answers what is open with null; resolves when the process is gone. Safe to call twice. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const timer of [this.#respawnTimer, this.#startTimer, this.#memoryTimer]) if (timer) clearTimeout(timer);
    this.#respawnTimer = null;
    this.#questions.answerNothing();
    const host = this.#host;
    if (host) {
      const gone = new Promise<void>((resolve) => this.#deadWaiters.push(resolve));
      host.close();
      const impatience = setTimeout(() => host.kill(), 500);
      await gone;
      clearTimeout(impatience);
    }
    this.#setState('down', 'stopped');
    this.#settle();
  }

  // --- the host's life ---

  #spawn(): void {
    this.#respawnTimer = null;
    const generation = ++this.#generation;
    this.#killReason = null;
    this.#refused = false;
    const host: HostProcess = new HostProcess(this.#options.spawn, generation, {
      onLoaded: (report) => this.#onLoaded(report),
      onResult: (id, outputs, modelMs, fault) => this.#questions.answered(id, outputs, modelMs, fault),
      onLate: () => this.#questions.late(),
      onDead: (reason, signal) => this.#onDead(reason, signal),
    });
    this.#host = host;
    const { startTimeoutMs, variant, models, timingMs } = this.#options;
    this.#startTimer = setTimeout(
      () => this.#kill(`did not load its models within ${startTimeoutMs} ms`),
      startTimeoutMs,
    );
    host.load({
      runtime: this.#fallback.runtime,
      timingMs,
      tryLater: this.#tryLater,
      models: this.#slots.map((slot) => ({
        slot,
        dir: models[slot] as string,
        // A host that comes back does not choose anew: every millisecond of it is one without a model.
        variant: this.#fallback.variantOf(slot) ?? variant,
      })),
    });
  }

  #onLoaded(report: LoadReport): void {
    if (report.revised) {
      this.#onRevised(report);
      return;
    }
    if (this.#startTimer) clearTimeout(this.#startTimer);
    if (report.runtimeFault && this.#fallback.runtimeFailed(report.runtimeFault)) {
      this.#switching = true;
      this.#setState('starting', `${report.runtimeFault}; trying the ${this.#fallback.runtime.runtime} runtime`);
      this.#host?.kill();
      return;
    }
    this.#refusals = new Map(report.models.flatMap(({ slot, refused }) => (refused ? [[slot, refused]] : [])));
    const refusals = [...this.#refusals].map(([slot, refused]) => `${slot}: ${refused}`);
    this.#loaded = report.models.map(({ slot, loaded }) => {
      if (!loaded) return null;
      this.#fallback.loaded(loaded);
      return { ...loaded, trials: this.#fallback.chosen(slot)?.trials ?? [] };
    });
    this.#readyAtMs = this.#options.nowMs();
    // A refused model makes the state `down` though others may answer: somebody has to look at it.
    if (report.runtimeFault) this.#setState('down', [...this.#fallback.passedOver, report.runtimeFault].join('; '));
    else if (refusals.length > 0) this.#setState('down', refusals.join('; '));
    else this.#setState('ready', 'ready');
    // A runtime or a file that is wrong now is wrong in a second, too: keep no process for it and try no more.
    this.#refused = this.#loaded.every((model) => model === null);
    if (this.#refused && this.#fallback.stopgapRefused()) {
      // The stopgap is no good at all: back to the variant that at least loaded.
      this.#refused = false;
      this.#host?.kill();
      return;
    }
    this.#settle();
    if (this.#refused) this.#host?.close();
  }

  #onRevised(report: LoadReport): void {
    // A host on its way out has nothing more to say.
    if (this.#loaded.length === 0) return;
    this.#loaded = report.models.map(({ loaded }) => loaded);
    for (const { loaded } of report.models) if (loaded) this.#fallback.revised(loaded);
    this.#options.onRevised?.();
  }

  #onDead(reason: string, signal: NodeJS.Signals | null): void {
    if (this.#startTimer) clearTimeout(this.#startTimer);
    this.#host = null;
    this.#residentMiB = null;
    this.#questions.answerNothing();
    const livedMs = this.#readyAtMs === null ? null : this.#options.nowMs() - this.#readyAtMs;
    this.#readyAtMs = null;
    this.#loaded = [];
    for (const resolve of this.#deadWaiters.splice(0)) resolve();
    if (this.#stopping || this.#refused) return;

    this.#memoryExceeded = false;
    if (this.#switching) {
      this.#switching = false;
      this.#spawn();
      return;
    }
    const why = this.#killReason ? `the model host ${this.#killReason}; it was killed` : reason;
    // Our own kill tells nothing of the runtime.
    const changes = this.#fallback.died({ livedMs, signal: this.#killReason ? null : signal, why });
    const { firstMs, longestMs } = this.#options.backOff;
    const { deaths, hopeless } = this.#fallback;
    const rulesAlone = `${deaths} deaths in a row: rules alone, next try in ${longestMs / 1000} s`;
    this.#setState('down', [why, changes, hopeless ? rulesAlone : ''].filter(Boolean).join('; '));
    if (!this.#fallback.isUndecided) this.#settle();
    this.#count.respawns++;
    const waitMs = hopeless ? longestMs : Math.min(longestMs, firstMs * 2 ** Math.max(0, deaths - 1));
    this.#respawnTimer = setTimeout(() => this.#spawn(), waitMs);
  }

  #kill(reason: string): void {
    this.#killReason = reason;
    // Said at once: a process stuck in the kernel may take its time to die.
    this.#setState('down', `the model host ${reason}; it was killed`);
    this.#host?.kill();
  }

  #onHung(): void {
    this.#kill(`did not answer within ${this.#options.deadlineMs} ms`);
    this.#questions.answerNothing();
    // Until the kill has been seen through, nothing more is sent to it.
    this.#loaded = [];
  }

  // --- watching ---

  async #checkMemory(): Promise<void> {
    const host = this.#host;
    if (!host?.pid) return;
    const residentNow = await this.#options.residentMiB(host.pid);
    if (this.#host !== host || this.#stopping) return;
    this.#residentMiB = residentNow;
    if (residentNow === null || residentNow <= this.#options.hostMemoryMiB) return;
    const overdue = this.#memoryExceeded;
    if (!overdue) this.#count.memoryRestarts++;
    this.#memoryExceeded = true;
    this.#killReason = `grew to ${Math.round(residentNow)} MiB, ${this.#options.hostMemoryMiB} are allowed`;
    // Between two batches, so that no answer is lost over it; unless that moment never came.
    if (overdue || !this.#questions.inFlight) host.kill();
  }

  #setState(state: InferenceState, reason: string): void {
    if (state === this.#state && reason === this.#reason) return;
    this.#state = state;
    this.#reason = reason;
    this.#options.onState?.(state, reason);
  }

  #settle(): void {
    this.#settled = true;
    for (const resolve of this.#settledWaiters.splice(0)) resolve();
  }
}

/** Options without those that are there but undefined: these must not hide a default. */
function given<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
