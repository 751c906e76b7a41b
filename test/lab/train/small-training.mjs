import * as tf from '@tensorflow/tfjs';

export const SETTINGS = {
  ...{ epochs: 4, stepsPerEpoch: 6, peakLearningRate: 0.02, weightDecay: 0.01, labelSmoothing: 0, gradientLimit: 2 },
};

/** A net with everything that has a state of its own. */
export function smallNet({ seededDropout }) {
  const kernelInitializer = () => tf.initializers.heNormal({ seed: 5 });
  return tf.sequential({
    layers: [
      tf.layers.dense({ units: 8, inputShape: [4], kernelInitializer: kernelInitializer(), name: 'first' }),
      tf.layers.batchNormalization({ name: 'norm' }),
      tf.layers.activation({ activation: 'relu', name: 'relu' }),
      seededDropout(0.2, 3, 'drop'),
      tf.layers.dense({ units: 2, kernelInitializer: kernelInitializer(), name: 'last' }),
    ],
  });
}

/** Points of two classes, with a third of the labels wrong: never learned by heart. */
export class Points {
  constructor({ Random }, seed = 7) {
    this.random = new Random(seed);
  }

  save() {
    return this.random.save();
  }

  restore(saved) {
    this.random.restore(saved);
  }

  next(size = 16) {
    const inputs = Float32Array.from({ length: 4 * size }, () => this.random.normal());
    const targets = new Float32Array(2 * size);
    for (let i = 0; i < size; i++) {
      const truth = inputs[4 * i] + inputs[4 * i + 1] > 0;
      targets[2 * i + (truth === this.random.uniform() > 0.1 ? 1 : 0)] = 1;
    }
    return { inputs: [inputs], targets, size };
  }
}

/** Trains and prunes the small net. */
export async function smallTraining(lab, hooks = {}, settings = SETTINGS, model = smallNet(lab)) {
  const points = new Points(lab);
  const names = model.trainableWeights.map((weight) => weight.originalName);
  const times = { initialSparsity: 0.2, frequency: 5, begin: 0.1, end: 0.9 };
  const pruner = lab.plannedPruner({ sparsity: 0.5 }, times, settings.epochs * settings.stepsPerEpoch, names);
  const result = await lab.trainModel(model, () => points.next(), settings, {
    ...hooks,
    states: [points, pruner],
    onStep(step, weights) {
      pruner.step(step, weights);
      hooks.onStep?.(step, weights);
    },
  });
  const weights = model.weights.map((weight) => [...weight.read().dataSync()]);
  model.dispose();
  return { ...result, weights };
}
