import * as tf from '@tensorflow/tfjs';
import { AdamW, clipByGlobalNorm, oneCycle, type Parameter } from './adamw.js';
import type { Resumable } from './checkpoint.js';
import { type CheckpointOptions, type Course, Keeper } from './keeper.js';
import { checkBatch, checkWeights, TrainingError } from './sanity.js';

/**
 * One batch: the inputs flat, row-major, one array per input of the model; targets as class shares that sum to 1, or with
 * `loss: 'squared'` the very values that the outputs should have.
 */
export interface Batch {
  readonly inputs: readonly Float32Array[];
  readonly targets: Float32Array;
  readonly size: number;
}

export interface TrainSettings {
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  readonly peakLearningRate: number;
  readonly weightDecay: number;
  readonly labelSmoothing: number;
  readonly gradientLimit: number;
  /** `cross-entropy` of classes unless told; `squared` for a model that gives values (no smoothing, no class weights). */
  readonly loss?: 'cross-entropy' | 'squared';
  /** What an error on each class weighs, in the order of the outputs (as `class_weight` of Keras); all 1 unless told. */
  readonly classWeights?: readonly number[];
}

/** Figures of the model after an epoch, on people it is not trained on. */
export interface Validation {
  readonly loss: number;
  readonly accuracy: number;
}

export interface EpochReport {
  readonly epoch: number;
  readonly epochs: number;
  readonly loss: number;
  readonly seconds: number;
  readonly validation?: Validation;
}

/** How a training is watched, stopped early, and taken up again after a kill. */
export interface TrainControl {
  readonly checkpoint?: CheckpointOptions;
  /** After each epoch; must draw from none of the training's random streams. */
  readonly validate?: (model: tf.LayersModel) => Validation;
  /** Stop when the validation loss has not got better for so many epochs, and keep the best epoch's weights. */
  readonly patience?: number;
}

export interface TrainHooks extends TrainControl {
  /** After each epoch; a promise is waited for. Throw to stop. */
  onEpoch?(report: EpochReport): void | Promise<void>;
  /** After each optimizer step, with the trainable weights: what pruning hooks into. May change them in place. */
  onStep?(step: number, weights: readonly Parameter[]): void;
  /** What the forward pass uses in place of the trained weights, such as their 8-bit form; the gradient goes straight through. */
  forwardWeights?(parameter: Parameter): Float32Array;
  /** What else the course depends on, beside the weights and the dropout: the sampler, the pruner. Kept in checkpoints. */
  readonly states?: readonly Resumable[];
}

export interface TrainResult {
  readonly history: readonly EpochReport[];
  /** The epoch whose weights the model has. */
  readonly bestEpoch: number;
  readonly stoppedEarly: boolean;
}

/**
 * Trains a model's weights by cross-entropy on its logits. The batches decide what an epoch sees; AdamW with a one-cycle
 * rate and clipped gradients moves the weights. With a checkpoint the training survives a kill: resumed, it ends with the
 * same weights as one that was never interrupted, on the same backend.
 *
 * @throws TrainingError for weights, inputs or a loss that are not finite, with the step and what to look at
 * @throws CheckpointError for a checkpoint that is damaged or belongs to another training
 */
export async function trainModel(
  model: tf.LayersModel,
  nextBatch: () => Batch,
  settings: TrainSettings,
  hooks: TrainHooks = {},
): Promise<TrainResult> {
  const { epochs, stepsPerEpoch, peakLearningRate } = settings;
  if (hooks.patience !== undefined && !hooks.validate)
    throw new TrainingError('early stopping needs people to validate on');
  checkWeights(model);
  const variables = model.trainableWeights.map((weight) => weight.read() as unknown as tf.Variable);
  const parameters = model.trainableWeights.map((weight, i): Parameter => {
    const values = Float32Array.from(variables[i]!.dataSync());
    return { name: weight.originalName, values, decays: weight.originalName.includes('kernel') };
  });
  const assign = (weights: (parameter: Parameter) => Float32Array) =>
    parameters.forEach((parameter, i) => {
      tf.tidy(() => variables[i]!.assign(tf.tensor(weights(parameter).slice(), variables[i]!.shape)));
    });
  const optimizer = new AdamW(parameters, settings.weightDecay);
  const course: Course = { step: 0, lossSum: 0, history: [], best: null, bestWeights: null };
  const keeper = new Keeper(model, settings, parameters, optimizer, hooks);
  const steps = epochs * stepsPerEpoch;
  let finished = await keeper.resume(course);
  assign(({ values }) => values);
  let start = performance.now();
  while (course.step < steps && !finished) {
    const { step } = course;
    const batch = nextBatch();
    checkBatch(batch, step);
    if (hooks.forwardWeights) assign((parameter) => hooks.forwardWeights!(parameter));
    const { loss, gradients } = lossAndGradients(model, variables, batch, settings);
    // The gradient too: WebAssembly's ReLU takes a NaN for 0, and the loss then looks well.
    const norm = clipByGlobalNorm(gradients, settings.gradientLimit);
    if (!Number.isFinite(loss) || !Number.isFinite(norm)) {
      throw new TrainingError(
        `training diverged: the loss is ${loss} and the gradient ${norm} at step ${step + 1} of ${steps}; a smaller learning rate (now at most ${peakLearningRate}) or gradient limit may help`,
      );
    }
    course.lossSum += loss;
    optimizer.step(gradients, oneCycle(step, steps, peakLearningRate));
    hooks.onStep?.(step, parameters);
    assign(({ values }) => values);
    course.step++;
    if (course.step % stepsPerEpoch === 0) {
      const seconds = (performance.now() - start) / 1000;
      start = performance.now();
      const epoch = course.step / stepsPerEpoch;
      if (hooks.forwardWeights && hooks.validate) assign((parameter) => hooks.forwardWeights!(parameter));
      const validation = hooks.validate?.(model);
      assign(({ values }) => values);
      const report = {
        epoch,
        epochs,
        loss: course.lossSum / stepsPerEpoch,
        seconds,
        ...(validation && { validation }),
      };
      course.history.push(report);
      course.lossSum = 0;
      const over = keeper.isOver(course, report);
      finished = over || course.step === steps;
      if (finished && course.bestWeights) {
        course.bestWeights.forEach((values, i) => {
          parameters[i]?.values.set(values);
        });
        assign(({ values }) => values);
        keeper.setOthers(course.bestWeights.slice(parameters.length));
      }
      // The state first, then the word of it: whoever hears of an epoch may rely on its being kept.
      await keeper.save(course, finished);
      await hooks.onEpoch?.(report);
      // A long training must not starve timers and signals of the process it runs in.
      await new Promise((resolve) => setImmediate(resolve));
    } else if (keeper.isDue()) await keeper.save(course, false);
  }
  const { history, best } = course;
  const bestEpoch = best?.epoch ?? history.length;
  return { history, bestEpoch, stoppedEarly: history.length < epochs };
}

function lossAndGradients(model: tf.LayersModel, variables: tf.Variable[], batch: Batch, settings: TrainSettings) {
  const { labelSmoothing: smoothing, classWeights } = settings;
  const result = tf.tidy(() => {
    const inputs = batch.inputs.map((values, i) => tf.tensor(values, [batch.size, ...shapeOf(model, i)]));
    const classes = batch.targets.length / batch.size;
    const raw = tf.tensor2d(batch.targets, [batch.size, classes]);
    let targets = raw.mul(1 - smoothing).add(smoothing / classes) as tf.Tensor2D;
    if (classWeights) targets = targets.mul(raw.mul(tf.tensor1d([...classWeights])).sum(-1, true));
    const { value, grads } = tf.variableGrads(() => {
      const logits = model.apply(inputs, { training: true }) as tf.Tensor2D;
      if (settings.loss === 'squared') return tf.squaredDifference(logits, raw).mean() as tf.Scalar;
      return tf.logSoftmax(logits).mul(targets).sum(-1).mean().neg() as tf.Scalar;
    }, variables);
    return { value, grads: variables.map((variable) => grads[variable.name]!) };
  });
  const loss = result.value.dataSync()[0]!;
  const gradients = result.grads.map((gradient) => Float32Array.from(gradient.dataSync()));
  tf.dispose(result);
  return { loss, gradients };
}

/** Logits of many items, row-major, computed batch by batch. */
export function predict(
  model: tf.LayersModel,
  inputs: readonly Float32Array[],
  count: number,
  batchSize = 2048,
): Float32Array {
  const shapes = model.inputs.map((_, i) => shapeOf(model, i));
  const sizes = shapes.map((shape) => shape.reduce((product, n) => product * n, 1));
  const classes = model.outputs[0]!.shape[1]!;
  const out = new Float32Array(count * classes);
  for (let from = 0; from < count; from += batchSize) {
    const size = Math.min(batchSize, count - from);
    const logits = tf.tidy(() => {
      const tensors = inputs.map((values, i) =>
        tf.tensor(values.slice(from * sizes[i]!, (from + size) * sizes[i]!), [size, ...shapes[i]!]),
      );
      return (model.predict(tensors) as tf.Tensor).dataSync();
    });
    out.set(logits, from * classes);
  }
  return out;
}

/** Cross-entropy and accuracy of logits against the class of each item. */
export function validationOfLogits(logits: Float32Array, truth: ArrayLike<number>): Validation {
  const classes = logits.length / Math.max(1, truth.length);
  let loss = 0;
  let right = 0;
  for (let item = 0; item < truth.length; item++) {
    const row = logits.subarray(item * classes, (item + 1) * classes);
    const most = Math.max(...row);
    let sum = 0;
    for (const value of row) sum += Math.exp(value - most);
    loss += Math.log(sum) + most - row[truth[item]!]!;
    if (row[truth[item]!] === most) right++;
  }
  return { loss: loss / Math.max(1, truth.length), accuracy: right / Math.max(1, truth.length) };
}

function shapeOf(model: tf.LayersModel, input: number): number[] {
  return model.inputs[input]!.shape.slice(1) as number[];
}
