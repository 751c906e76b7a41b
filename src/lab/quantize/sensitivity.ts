import type { OnnxModel } from '../onnx/ir.js';
import type { Range } from './histogram.js';
import { quantizableNodes, quantizeStatic, type StaticOptions } from './static.js';

/** A model's quality on validation data; larger is better (accuracy, F1 ...). */
export type Evaluate = (model: OnnxModel) => Promise<number>;

export interface NodeLoss {
  readonly node: string;
  /** What the metric loses when this node alone is quantized; negative where it gains. */
  readonly loss: number;
}

/** Quantizes the nodes with weights one at a time and ranks them by what that costs, the worst first. */
export async function rankSensitiveNodes(
  model: OnnxModel,
  ranges: ReadonlyMap<string, Range>,
  evaluate: Evaluate,
  options: StaticOptions = {},
): Promise<NodeLoss[]> {
  const already = new Set(options.nodesToExclude);
  const candidates = quantizableNodes(model).filter((name) => !already.has(name));
  const whole = await evaluate(model);
  const losses: NodeLoss[] = [];
  for (const name of candidates) {
    const nodesToExclude = [...already, ...candidates.filter((other) => other !== name)];
    const alone = quantizeStatic(model, ranges, { ...options, nodesToExclude });
    losses.push({ node: name, loss: whole - (await evaluate(alone)) });
  }
  return losses.sort((a, b) => b.loss - a.loss);
}

export interface AccuracyAware {
  readonly model: OnnxModel;
  /** Nodes that stay float, in the order they were given up. */
  readonly excluded: readonly string[];
  readonly floatMetric: number;
  readonly metric: number;
}

/**
 * Static int8 that keeps as many nodes in integers as the metric allows: while the loss against float is more than
 * `maxLoss`, the most sensitive node left goes back to float. With every node float the loss is 0, so it always ends.
 * Choose on validation patients, never on test patients.
 */
export async function quantizeWithinLoss(
  model: OnnxModel,
  ranges: ReadonlyMap<string, Range>,
  evaluate: Evaluate,
  maxLoss: number,
  options: StaticOptions = {},
): Promise<AccuracyAware> {
  const floatMetric = await evaluate(model);
  const excluded = [...(options.nodesToExclude ?? [])];
  let quantized = quantizeStatic(model, ranges, options);
  let metric = await evaluate(quantized);
  if (floatMetric - metric <= maxLoss) return { model: quantized, excluded, floatMetric, metric };
  for (const { node } of await rankSensitiveNodes(model, ranges, evaluate, options)) {
    excluded.push(node);
    quantized = quantizeStatic(model, ranges, { ...options, nodesToExclude: excluded });
    metric = await evaluate(quantized);
    if (floatMetric - metric <= maxLoss) break;
  }
  return { model: quantized, excluded, floatMetric, metric };
}
