import type { LoadedModel } from './host/messages.js';

/** One question to a model that waits for its answer. */
export interface Request {
  /** Place of the model in the host. */
  readonly model: number;
  /** The caller's inputs, copied: a window's buffer moves on. */
  readonly inputs: readonly Float32Array[];
  readonly askedAtMs: number;
  resolve(outputs: Float32Array | null): void;
}

/** Requests in order, bounded: beyond the bound the oldest is answered null, for news beats history. */
export class RequestQueue {
  readonly #waiting: Request[] = [];

  constructor(
    private readonly limit: number,
    private readonly onDropped: () => void,
  ) {}

  get length(): number {
    return this.#waiting.length;
  }

  push(request: Request): void {
    this.#waiting.push(request);
    if (this.#waiting.length <= this.limit) return;
    this.onDropped();
    this.#waiting.shift()?.resolve(null);
  }

  /** The next batch: the oldest request and those behind it for the same model, up to what that model takes. */
  takeBatch(mostOf: (model: number) => number): Request[] {
    const model = this.#waiting[0]?.model;
    if (model === undefined) return [];
    const most = mostOf(model);
    if (this.#waiting.every((request) => request.model === model)) return this.#waiting.splice(0, most);
    const batch: Request[] = [];
    for (let at = 0; at < this.#waiting.length && batch.length < most; ) {
      if (this.#waiting[at]?.model === model) batch.push(...this.#waiting.splice(at, 1));
      else at++;
    }
    return batch;
  }

  /** Answers everything with null. */
  clear(): void {
    for (const request of this.#waiting.splice(0)) request.resolve(null);
  }
}

/** What is wrong with these inputs for this model; null when they fit. */
export function inputFault(model: LoadedModel, inputs: readonly Float32Array[]): string | null {
  const wanted = model.manifest.inputs;
  if (inputs.length !== wanted.length) return `${model.slot} takes ${wanted.length} inputs, was given ${inputs.length}`;
  for (const [at, input] of wanted.entries()) {
    const size = input.shape.reduce((product, n) => product * n, 1);
    if (inputs[at]?.length !== size)
      return `${model.slot}: input ${input.name} takes ${size} values, was given ${inputs[at]?.length}`;
  }
  return null;
}
