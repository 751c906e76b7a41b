import type { TrainSettings } from '../../train/loop.js';

/** Everything that decides what a training of rhythm-rr yields, but for the data and the seed. */
export interface RhythmRrRecipe {
  /** The convolutions over the row of intervals. */
  readonly sequence: TrainSettings & { readonly batchSize: number };
  /** The small dense network over the features. */
  readonly features: TrainSettings & { readonly batchSize: number };
  /** Weight of the features' logits in the mean of both halves. */
  readonly featureShare: number;
  readonly augmentation: {
    /** Share of the windows without fibrillation into which ectopic beats, dropped beats or sinus arrhythmia are put. */
    readonly ectopy: number;
    /** Share of all windows in which beats are missed or seen where there are none. */
    readonly detection: number;
    /** Share of all windows whose beats are moved by up to half a tick of the recordings' 128 Hz clock. */
    readonly dither: number;
  };
}

/**
 * Values of a feasibility study by cross-validation over the training patients, where the ectopy paid most: without it
 * a third of the windows with frequent ectopy are called fibrillation. The features weigh twice as much as the row: of
 * the weights 0, 1/2, 2/3, 0.8 and 1 that was the best by cross-validation (accuracy on ltafdb .969, .978, .979, .979, .978).
 */
export const RHYTHM_RR_RECIPE: RhythmRrRecipe = {
  sequence: {
    epochs: 9,
    stepsPerEpoch: 240,
    batchSize: 256,
    peakLearningRate: 3e-3,
    weightDecay: 1e-3,
    labelSmoothing: 0.02,
    gradientLimit: 2,
  },
  features: {
    epochs: 10,
    stepsPerEpoch: 80,
    batchSize: 512,
    peakLearningRate: 4e-3,
    weightDecay: 1e-2,
    labelSmoothing: 0.02,
    gradientLimit: 2,
  },
  featureShare: 2 / 3,
  augmentation: { ectopy: 0.45, detection: 0.1, dither: 0.5 },
};

/** Pruning goes on from trained weights, both halves together, with a gentler rate. */
export const RHYTHM_RR_PRUNING = {
  epochs: 6,
  peakLearningRate: 1.5e-3,
  initialSparsity: 0.2,
  frequency: 16,
  /** Shares of the steps between which the sparsity rises; afterwards the net settles at the final one. */
  begin: 0.05,
  end: 0.7,
} as const;

/** After channels were taken out the net is trained on, a little more gently than at first. */
export const RHYTHM_RR_TUNING = { epochs: 8, peakLearningRate: 1e-3 } as const;
