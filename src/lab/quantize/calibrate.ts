import { createHash } from 'node:crypto';
import { cloneModel, type OnnxModel } from '../onnx/ir.js';
import { type CalibrationOptions, Histogram, type Range } from './histogram.js';
import { type Items, type ModelItem, Runner } from './runtime.js';

/** What a representative dataset showed about every float tensor of a model. */
export interface Calibration {
  /** Range by tensor name. */
  ranges(options?: CalibrationOptions): Map<string, Range>;
  /** How many items were seen. */
  readonly items: number;
  /** sha256 over all values of all items, in order: names the set in a manifest. */
  readonly sha256: string;
}

/** A dataset that cannot calibrate a model; the message says what is wrong with it. */
export class CalibrationError extends Error {
  override name = 'CalibrationError';
}

/**
 * Runs the float model over a representative dataset in onnxruntime and counts the values of every tensor between its
 * nodes. Items are streamed: memory does not grow with the set. Take them from training data, never from test data.
 *
 * @throws CalibrationError for an empty set, items of another shape, or values that are not finite
 */
export async function calibrate(model: OnnxModel, items: Items): Promise<Calibration> {
  const watched = watchAll(model);
  const histograms = new Map(watched.graph.outputs.map(({ name }) => [name, new Histogram()]));
  for (const { name } of model.graph.inputs) histograms.set(name, new Histogram());
  const hash = createHash('sha256');
  const sizes = model.graph.inputs.map(({ shape }) =>
    (shape ?? []).slice(1).reduce<number>((a, b) => a * Number(b), 1),
  );

  const count = (name: string, values: Float32Array) => {
    try {
      histograms.get(name)!.add(values);
    } catch (error) {
      throw new CalibrationError(
        `tensor '${name}' ${(error as Error).message} for an item of the representative dataset`,
      );
    }
  };
  let at = 0;
  async function* checked(): AsyncGenerator<ModelItem> {
    for await (const item of items) {
      for (const [i, { name }] of model.graph.inputs.entries()) {
        const values = item[i];
        if (!values || item.length !== sizes.length || values.length !== sizes[i]) {
          const got = item.map((part) => part.length).join(' and ');
          throw new CalibrationError(
            `item ${at} of the representative dataset has ${got} values; the model's inputs take ${sizes.join(' and ')}`,
          );
        }
        count(name, values);
        hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
      }
      at++;
      yield item;
    }
  }
  // Fusions would take away the very tensors that are to be seen.
  const runner = await Runner.load(watched, { graphOptimizationLevel: 'disabled' });
  let total: number;
  try {
    total = await runner.runAll(checked(), (outputs) => {
      watched.graph.outputs.forEach(({ name }, i) => {
        if (!(outputs[i] instanceof Float32Array)) return;
        count(name, outputs[i]);
      });
    });
  } finally {
    await runner.release();
  }
  if (total === 0) throw new CalibrationError('the representative dataset is empty');
  for (const { name } of model.graph.inputs) {
    const { min, max } = histograms.get(name)!;
    if (min === max) {
      throw new CalibrationError(
        `input '${name}' is ${min} throughout the representative dataset: it represents nothing`,
      );
    }
  }
  return {
    items: total,
    sha256: hash.digest('hex'),
    ranges(options) {
      const ranges = new Map<string, Range>();
      for (const [name, histogram] of histograms) if (histogram.count > 0) ranges.set(name, histogram.range(options));
      return ranges;
    },
  };
}

/** The model with every float value between its nodes as an output. */
export function watchAll(model: OnnxModel): OnnxModel {
  const watched = cloneModel(model);
  const { graph } = watched;
  const names = new Set(graph.outputs.map((output) => output.name));
  for (const node of graph.nodes) {
    // The second outputs of recurrent and shape nodes are never quantized.
    const name = node.outputs[0];
    if (!name || names.has(name) || node.op === 'Shape') continue;
    // Not every value is a float (shapes, row numbers): the runtime knows which.
    graph.outputs.push(graph.valueInfo.get(name) ?? { name, type: 'unknown', shape: null });
    names.add(name);
  }
  return watched;
}
