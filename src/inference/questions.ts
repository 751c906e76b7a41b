import type { ModelInputs } from '../domain/inference.js';
import type { StageRecorder } from '../domain/stage.js';
import type { LoadedModel } from './host/messages.js';
import type { HostProcess } from './host-process.js';
import { Latencies } from './latencies.js';
import { inputFault, type Request, RequestQueue } from './queue.js';
import type { QuestionStats } from './stats.js';

export interface QuestionsOptions {
  readonly deadlineMs: number;
  readonly budgetMs: number;
  readonly maxBatch: number;
  readonly maxQueue: number;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly stages?: StageRecorder | undefined;
  /** Who answers now; null: nobody. */
  readonly host: () => HostProcess | null;
  /** What the host runs at this place. */
  readonly loaded: (model: number) => LoadedModel | null;
  /** The host has not answered within the deadline. */
  onHung(): void;
  /** Between two batches: nobody waits for the host just now. */
  onIdle(): void;
}

interface Flight {
  readonly id: number;
  readonly batch: readonly Request[];
  readonly timer: NodeJS.Timeout;
}

/**
 * Questions to the models, from the asking to the answer: queued, sent in batches one after the other, and answered, if
 * need be with null, within the deadline whatever becomes of the host.
 */
export class Questions {
  readonly #queue: RequestQueue;
  readonly #answers = new Latencies();
  readonly #inModel = new Latencies();
  readonly #count = { runs: 0, items: 0, timeouts: 0, lateAnswers: 0, dropped: 0, lost: 0, faults: 0, overBudget: 0 };
  #flight: Flight | null = null;
  #nextId = 1;
  #lastFault: string | null = null;

  constructor(private readonly options: QuestionsOptions) {
    this.#queue = new RequestQueue(options.maxQueue, () => this.#count.dropped++);
  }

  /** Whether nobody waits for an answer. */
  get none(): boolean {
    return this.#flight === null && this.#queue.length === 0;
  }

  /** A batch is with the host. */
  get inFlight(): boolean {
    return this.#flight !== null;
  }

  /** @returns null where there is no answer, or the inputs do not fit the model */
  ask(model: number, loaded: LoadedModel, inputs: ModelInputs): Promise<Float32Array | null> {
    const fault = inputFault(loaded, inputs);
    if (fault) {
      this.#fault(fault);
      return Promise.resolve(null);
    }
    return new Promise((resolve) => {
      const copies = inputs.map((values) => values.slice());
      this.#queue.push({ model, inputs: copies, askedAtMs: this.options.nowMs(), resolve });
      this.#sendNext();
    });
  }

  /** The host's answer to the run of that id; null: it could not do it. */
  answered(id: number, outputs: Float32Array | null, modelMs: number, fault: string | null): void {
    const flight = this.#flight;
    if (!flight || flight.id !== id) {
      this.late();
      return;
    }
    clearTimeout(flight.timer);
    this.#flight = null;
    const size = outputs ? outputs.length / flight.batch.length : 0;
    if (outputs) {
      this.#count.runs++;
      this.#inModel.record(modelMs);
    } else {
      this.#fault(fault ?? 'no outputs');
    }
    const now = this.options.nowMs();
    for (const [at, request] of flight.batch.entries()) {
      const item = outputs?.slice(at * size, (at + 1) * size) ?? null;
      this.#answer(request, item, now);
    }
    this.#sendNext();
    if (!this.#flight) this.options.onIdle();
  }

  /** An answer that nobody waits for any more. */
  late(): void {
    this.#count.lateAnswers++;
  }

  /** Nobody must wait for a host that is gone: all open questions are answered null. */
  answerNothing(): void {
    const flight = this.#flight;
    this.#flight = null;
    if (flight) {
      clearTimeout(flight.timer);
      this.#count.lost += flight.batch.length;
      for (const request of flight.batch) request.resolve(null);
    }
    this.#count.lost += this.#queue.length;
    this.#queue.clear();
  }

  stats(): QuestionStats {
    const recentP99Ms = this.#answers.recentP99Ms();
    const { budgetMs } = this.options;
    return {
      ...this.#count,
      queued: this.#queue.length,
      lastFault: this.#lastFault,
      p50Ms: this.#answers.percentileMs(50),
      p99Ms: this.#answers.percentileMs(99),
      maxMs: this.#answers.maxMs,
      modelP50Ms: this.#inModel.percentileMs(50),
      modelP99Ms: this.#inModel.percentileMs(99),
      recentP99Ms,
      budgetMs,
      slow: recentP99Ms !== null && recentP99Ms > budgetMs,
    };
  }

  /** Percentiles begin anew; for who measures and has warmed up. */
  forgetLatencies(): void {
    this.#answers.reset();
    this.#inModel.reset();
  }

  #sendNext(): void {
    const { host, loaded, maxBatch, nowMs, stages, deadlineMs } = this.options;
    const process = host();
    if (this.#flight || !process || this.#queue.length === 0) return;
    const batch = this.#queue.takeBatch((model) => (loaded(model)?.takesBatches ? maxBatch : 1));
    const first = batch[0] as Request;
    const sentAtMs = nowMs();
    for (const { askedAtMs } of batch) stages?.record('inference_queue', sentAtMs - askedAtMs);
    const id = this.#nextId++ >>> 0;
    // When this process itself was held up, the answer may lie unread in the socket: timers run before it is read. One
    // more turn of the loop tells a host that hangs from a daemon that was late.
    const timer = setTimeout(() => setImmediate(() => this.#onDeadline(id)), deadlineMs);
    this.#flight = { id, batch, timer };
    process.run(
      first.model,
      id,
      batch.length,
      first.inputs.flatMap((_, input) => batch.map((request) => request.inputs[input] as Float32Array)),
    );
  }

  #onDeadline(id: number): void {
    if (this.#flight?.id !== id) return;
    this.#count.timeouts++;
    this.options.onHung();
  }

  #answer(request: Request, outputs: Float32Array | null, nowMs: number): void {
    const tookMs = nowMs - request.askedAtMs;
    this.#answers.record(tookMs);
    this.options.stages?.record('inference', tookMs);
    this.#count.items++;
    if (tookMs > this.options.budgetMs) this.#count.overBudget++;
    if (outputs && !outputs.every(Number.isFinite)) {
      this.#fault('the model answered with a number that is not finite');
      request.resolve(null);
    } else {
      request.resolve(outputs);
    }
  }

  #fault(text: string): void {
    this.#count.faults++;
    this.#lastFault = text;
  }
}
