import type { SeenInTraining } from '../onnx/builder.js';
import { cloneModel, elementCount, type OnnxModel } from '../onnx/ir.js';
import { type ModelItem, Runner } from '../quantize/runtime.js';

/** Ten times more or less than in training is no other person: it is another unit. */
const MAX_RATIO = 10;
const ITEMS = 100;

/**
 * Whether a dataset is like the data that a model was trained on, told by its first normalization: there the training left
 * the mean and deviation of each channel.
 * @returns what a person should know; null where all is well, or the model has no such layer
 */
export async function unlikeTraining(
  model: OnnxModel,
  seen: readonly SeenInTraining[],
  items: readonly ModelItem[],
): Promise<string | null> {
  const first = model.graph.nodes
    .map(({ outputs }) => seen.find(({ value }) => value === outputs[0]))
    .find((found) => found !== undefined);
  const shape = first && model.graph.valueInfo.get(first.value)?.shape;
  if (!first || !shape) return null;
  const inner = elementCount(shape.slice(first.axis + 1).map(Number));
  if (!(inner > 0)) return null;
  const watched = cloneModel(model);
  watched.graph.outputs = [{ name: first.value, type: 'unknown', shape: null }];
  const channels = first.mean.length;
  const squares = new Float64Array(channels);
  let count = 0;
  const runner = await Runner.load(watched);
  try {
    await runner.runAll(items.slice(0, ITEMS), ([values]) => {
      values!.forEach((value, i) => {
        const c = Math.floor(i / inner) % channels;
        squares[c]! += (value - first.mean[c]!) ** 2;
      });
      count += values!.length / channels;
    });
  } finally {
    await runner.release();
  }
  const ratios = [...squares]
    .flatMap((sum, c) => (first.deviation[c]! > 1e-6 ? [Math.sqrt(sum / count) / first.deviation[c]!] : []))
    .sort((a, b) => a - b);
  const ratio = ratios[Math.floor(ratios.length / 2)];
  if (ratio === undefined || (ratio <= MAX_RATIO && ratio >= 1 / MAX_RATIO)) return null;
  return (
    `at layer '${first.layer}' the dataset deviates ${ratio.toPrecision(2)} times as much as the model's training data did: ` +
    'is it in the unit, and at the rate, that the model was trained on?'
  );
}
