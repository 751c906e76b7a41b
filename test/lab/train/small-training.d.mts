import type * as tf from '@tensorflow/tfjs';
import type { plannedPruner } from '../../../src/lab/prune/plan.js';
import type { Batch, TrainHooks, TrainResult, TrainSettings, trainModel } from '../../../src/lab/train/loop.js';
import type { Random } from '../../../src/lab/train/random.js';
import type { seededDropout } from '../../../src/lab/train/seeded-dropout.js';

/** The parts of the lab under test: from src here, from dist in the child that is killed. */
export interface Lab {
  readonly plannedPruner: typeof plannedPruner;
  readonly trainModel: typeof trainModel;
  readonly Random: typeof Random;
  readonly seededDropout: typeof seededDropout;
}

export const SETTINGS: TrainSettings;
export function smallNet(lab: Pick<Lab, 'seededDropout'>): tf.LayersModel;
export class Points {
  constructor(lab: Pick<Lab, 'Random'>, seed?: number);
  save(): unknown;
  restore(saved: unknown): void;
  next(size?: number): Batch;
}
export function smallTraining(
  lab: Lab,
  hooks?: TrainHooks,
  settings?: TrainSettings,
  model?: tf.LayersModel,
): Promise<TrainResult & { readonly weights: number[][] }>;
