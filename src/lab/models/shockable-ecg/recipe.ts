import type { TrainSettings } from '../../train/loop.js';

type HalfSettings = TrainSettings & { readonly batchSize: number };

/** Everything that decides what a training of shockable-ecg yields, but for the data and the seed. */
export interface ShockableRecipe {
  /** The convolutions over the signal. */
  readonly signal: HalfSettings;
  /**
   * The small dense network over the features, trained on `pool` windows drawn beforehand, of which the share `disturbed`
   * is augmented: to the signal's half noise and stretching are a help, to the features they are another heart.
   */
  readonly features: HalfSettings & { readonly pool: number; readonly disturbed: number };
  /** Networks of each half that differ in their seed alone: the logits of all are averaged in one graph. */
  readonly members: { readonly signal: number; readonly features: number };
  /** Weight of the features' logits in the mean of both halves. */
  readonly featureShare: number;
  /**
   * What a window's own kind, tachycardia or fibrillation, has of its target; the other kind has the rest. 1: three
   * classes. 0.5: two, since the halves of one class get the same logits.
   */
  readonly ownKind: number;
  /** What a record of svdb weighs against one of vfdb where a window of another rhythm is drawn. */
  readonly ectopyWeight: number;
  /** Windows so near to a change of rhythm are left out of the training, s: annotators place it by eye. */
  readonly borderS: number;
  /** Share of the windows drawn that are shockable. */
  readonly shockable: number;
  readonly augmentation: {
    /** Share of the windows drawn slower or faster, by up to 15 %. */
    readonly stretch: number;
    /** Share to which recorded noise is added; up to so many deviations of the window. */
    readonly noise: number;
    readonly noiseOnShockable: number;
    readonly noiseOnOthers: number;
    /** Share of the windows of other rhythms that are nothing but noise. */
    readonly pureNoise: number;
    /** Deviation of the logarithm of the usual height: other leads, other moments. */
    readonly usual: number;
    /** Share whose usual height is their own: the stream has only begun. */
    readonly fresh: number;
  };
}

/** Values of a feasibility study, but for the usual height's, which our windows brought. */
export const SHOCKABLE_RECIPE: ShockableRecipe = {
  signal: {
    epochs: 12,
    stepsPerEpoch: 80,
    batchSize: 128,
    peakLearningRate: 4e-3,
    weightDecay: 0.01,
    labelSmoothing: 0.04,
    gradientLimit: 2,
  },
  features: {
    epochs: 12,
    stepsPerEpoch: 150,
    batchSize: 256,
    peakLearningRate: 4e-3,
    weightDecay: 0.03,
    labelSmoothing: 0.04,
    gradientLimit: 2,
    pool: 40_000,
    disturbed: 0.5,
  },
  members: { signal: 1, features: 3 },
  featureShare: 1 / 3,
  ownKind: 0.5,
  ectopyWeight: 0.5,
  borderS: 1,
  shockable: 0.4,
  augmentation: {
    stretch: 0.3,
    noise: 0.4,
    noiseOnShockable: 0.5,
    noiseOnOthers: 1.2,
    pureNoise: 0.04,
    usual: 0.35,
    fresh: 0.2,
  },
};

/** Pruning goes on from trained weights, both halves together, with a gentler rate. */
export const SHOCKABLE_PRUNING = {
  epochs: 6,
  peakLearningRate: 1.5e-3,
  initialSparsity: 0.2,
  frequency: 16,
  /** Shares of the steps between which the sparsity rises; afterwards the net settles at the final one. */
  begin: 0.05,
  end: 0.7,
} as const;

/** After channels were taken out the network is trained on, both halves together: longer than a pruning, a little less gently. */
export const SHOCKABLE_TUNING = { epochs: 8, peakLearningRate: 2e-3 } as const;
