import type { TrainSettings } from '../../train/loop.js';

/** Everything that decides what a training of anomaly-rr yields, but for the data and the seed. */
export interface AnomalyRecipe extends TrainSettings {
  readonly batchSize: number;
  /** Units between the departures and the logits. */
  readonly hidden: number;
  /** Share of the training windows that are made up and depart, and of those that are made up and usual; the rest is real. */
  readonly departing: number;
  readonly madeUpUsual: number;
}

export const ANOMALY_RECIPE: AnomalyRecipe = {
  epochs: 6,
  stepsPerEpoch: 150,
  batchSize: 256,
  peakLearningRate: 5e-3,
  weightDecay: 1e-4,
  labelSmoothing: 0,
  gradientLimit: 2,
  hidden: 16,
  departing: 0.33,
  madeUpUsual: 0.07,
};

export const ANOMALY_PRUNING = {
  epochs: 5,
  peakLearningRate: 2e-3,
  initialSparsity: 0.2,
  frequency: 16,
  begin: 0.05,
  end: 0.7,
} as const;

/** After units were taken out the network is trained on as long as it was trained at first, a little more gently. */
export const ANOMALY_TUNING = { epochs: 6, peakLearningRate: 3e-3 } as const;
