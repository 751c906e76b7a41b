import type { TrainSettings } from '../../train/loop.js';

/** Everything that decides what a training of beat-ecg yields, but for the data and the seed. */
export interface BeatEcgRecipe extends TrainSettings {
  readonly batchSize: number;
  /** Share of each class in what is sampled. */
  readonly classShares: readonly [n: number, s: number, v: number];
  /** Inside a class, the share of beats that come from svdb, the rest come from mitdb; null: the same from every database. */
  readonly svdbShare: number | null;
  /** Whether the training people's other lead is trained on too. */
  readonly otherLeads: boolean;
  /** What the net is to say of a fusion beat, as shares of N, S, V; F beats are sampled among the V. */
  readonly fusionTarget: readonly [n: number, s: number, v: number];
  /** Training of the branch that sees intervals alone, before the rest; `longShare` of its beats are of ltafdb and nsr2db. */
  readonly intervals: TrainSettings & { readonly longShare: number };
  readonly augmentation: {
    /** The R mark is moved by up to this many samples: a detector's marks are not the annotators'. */
    readonly shift: number;
    /** How often the lead is turned upside down. */
    readonly flip: number;
    /** Standard deviation of the logarithm of the gain. */
    readonly gain: number;
    /** Largest standard deviation of white noise, and amplitude of baseline wander, in QRS heights. */
    readonly noise: number;
    readonly wander: number;
    /** Largest amplitude of mains hum (50 or 60 Hz), in QRS heights; none unless told. The shipped model is trained without. */
    readonly mains?: number;
    /** Largest deviation of recorded muscle noise and baseline wander (nstdb), in QRS heights; none unless told, as mains. */
    readonly muscle?: number;
    readonly baseline?: number;
    /** Noise on the features, in their standard deviations. */
    readonly features: number;
  };
}

/**
 * Values of a feasibility study by cross-validation over the training patients: what mattered there was svdb, equal
 * weight for every record, and the features; the rest was within the noise of the seed.
 */
export const BEAT_ECG_RECIPE: BeatEcgRecipe = {
  epochs: 12,
  stepsPerEpoch: 32,
  batchSize: 512,
  peakLearningRate: 3e-3,
  weightDecay: 0.01,
  labelSmoothing: 0.05,
  gradientLimit: 2,
  classShares: [0.7, 0.15, 0.15],
  svdbShare: 0.5,
  otherLeads: true,
  fusionTarget: [0.7, 0, 0.3],
  intervals: {
    epochs: 12,
    stepsPerEpoch: 80,
    peakLearningRate: 4e-3,
    weightDecay: 0.01,
    labelSmoothing: 0.05,
    gradientLimit: 2,
    longShare: 0.7,
  },
  augmentation: { shift: 2, flip: 0.5, gain: 0.15, noise: 0.05, wander: 0.05, features: 0.1 },
};

/** Pruning goes on from trained weights, with a gentler rate, for these epochs. */
export const BEAT_ECG_PRUNING = {
  epochs: 8,
  peakLearningRate: 5e-4,
  initialSparsity: 0.3,
  frequency: 16,
  /** Shares of the steps between which the sparsity rises; afterwards the net settles at the final one. */
  begin: 0.05,
  end: 0.7,
  /** Epochs of the interval branch, which is pruned before the rest. */
  intervalEpochs: 4,
} as const;

/** Share of the unpruned network's own answers in what a network learns while it is pruned. */
export const BEAT_ECG_TEACHER = 0.7;

/** After channels were taken out the net is trained on as long as it was trained at first, a little more gently. */
export const BEAT_ECG_TUNING = { epochs: 12, peakLearningRate: 2e-3 } as const;

/** Peak learning rate of the fine-tuning for 8 bits: a tenth of the training's, so that it mends and does not relearn. */
export const BEAT_ECG_AWARE_RATE = 3e-4;
