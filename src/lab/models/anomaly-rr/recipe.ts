import type { TrainSettings } from '../../train/loop.js';

/** Everything that decides what a training of anomaly-rr yields, but for the data and the seed. */
export interface AnomalyRecipe extends TrainSettings {
  readonly batchSize: number;
}

export const ANOMALY_RECIPE: AnomalyRecipe = {
  epochs: 10,
  stepsPerEpoch: 150,
  batchSize: 256,
  peakLearningRate: 5e-3,
  weightDecay: 1e-4,
  labelSmoothing: 0,
  gradientLimit: 2,
  loss: 'squared',
};

export const ANOMALY_PRUNING = {
  epochs: 5,
  peakLearningRate: 2e-3,
  initialSparsity: 0.2,
  frequency: 16,
  begin: 0.05,
  end: 0.7,
} as const;
