import * as ort from 'onnxruntime-node';
import { encodeModel } from '../onnx/encode.js';
import type { OnnxModel } from '../onnx/ir.js';

/** One item for a model: a flat row-major array per input, in the graph's order. */
export type ModelItem = readonly Float32Array[];

/** Items one by one, in memory or streamed. */
export type Items = Iterable<ModelItem> | AsyncIterable<ModelItem>;

/**
 * One thread: the models are small, a second thread costs more than it brings, and the daemon leaves the other cores
 * to the rest of the machine.
 */
export const SESSION_OPTIONS: ort.InferenceSession.SessionOptions = {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  logSeverityLevel: 3,
};

/** A loaded model that runs batches of items. */
export class Runner {
  private constructor(
    private readonly session: ort.InferenceSession,
    private readonly model: OnnxModel,
    /** Sizes of one item's inputs. */
    private readonly shapes: readonly (readonly number[])[],
    /** Largest batch the graph takes. */
    readonly maxBatch: number,
  ) {}

  /** @throws Error when the runtime refuses the model, or an input's shape is unknown beyond the batch */
  static async load(model: OnnxModel, options: ort.InferenceSession.SessionOptions = {}): Promise<Runner> {
    const shapes = model.graph.inputs.map(({ name, shape, type }) => {
      if (type !== 'float32') throw new Error(`input '${name}' is ${type}; only float32 inputs are supported`);
      const rest = shape?.slice(1);
      if (!rest || rest.some((dim) => typeof dim === 'string')) {
        throw new Error(`input '${name}' has no fixed shape ([${shape?.join(', ') ?? ''}]) beyond its batch dimension`);
      }
      return rest.map(Number);
    });
    const fixed = model.graph.inputs.map(({ shape }) => shape![0]).filter((dim) => typeof dim === 'number');
    const session = await ort.InferenceSession.create(encodeModel(model), { ...SESSION_OPTIONS, ...options });
    return new Runner(session, model, shapes, fixed.length > 0 ? Math.min(...fixed) : 64);
  }

  /**
   * Runs up to `maxBatch` items at once.
   * @returns the graph's outputs, each flat for all items
   */
  async run(items: readonly ModelItem[]): Promise<Float32Array[]> {
    const feeds: Record<string, ort.Tensor> = {};
    this.model.graph.inputs.forEach(({ name }, i) => {
      const shape = this.shapes[i]!;
      const size = shape.reduce((a, b) => a * b, 1);
      const data = new Float32Array(size * items.length);
      items.forEach((item, at) => {
        const values = item[i];
        if (values?.length !== size) {
          throw new Error(
            `input '${name}' takes ${size} values [${shape.join(', ')}] for each item, got ${values?.length ?? 'none'}`,
          );
        }
        data.set(values, at * size);
      });
      feeds[name] = new ort.Tensor('float32', data, [items.length, ...shape]);
    });
    const results = await this.session.run(feeds);
    return this.model.graph.outputs.map(({ name }) => results[name]!.data as Float32Array);
  }

  /** Runs any number of items, in batches, and calls `take` with each batch's outputs. */
  async runAll(items: Items, take: (outputs: Float32Array[], batch: number) => void): Promise<number> {
    let pending: ModelItem[] = [];
    let count = 0;
    const flush = async () => {
      if (pending.length === 0) return;
      take(await this.run(pending), pending.length);
      count += pending.length;
      pending = [];
    };
    for await (const item of items) {
      pending.push(item);
      if (pending.length === this.maxBatch) await flush();
    }
    await flush();
    return count;
  }

  async release(): Promise<void> {
    await this.session.release();
  }
}

/** All answers of a model's first output: one flat array per item. */
export async function answers(model: OnnxModel, items: Items): Promise<Float32Array[]> {
  const runner = await Runner.load(model);
  try {
    const all: Float32Array[] = [];
    await runner.runAll(items, ([first], batch) => {
      const size = first!.length / batch;
      for (let i = 0; i < batch; i++) all.push(first!.slice(i * size, (i + 1) * size));
    });
    return all;
  } finally {
    await runner.release();
  }
}
