import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import type { AdamW, Parameter } from './adamw.js';
import { CheckpointError, fingerprintOf, readCheckpoint, writeCheckpoint } from './checkpoint.js';
import type { EpochReport, TrainHooks, TrainSettings } from './loop.js';
import { dropoutRandoms } from './seeded-dropout.js';

export interface CheckpointOptions {
  readonly file: string;
  /** Go on from the file where it is there; else begin anew and replace it. */
  readonly resume: boolean;
  /** Time between two checkpoints within an epoch; 30 s unless told. One is always written at an epoch's end. */
  readonly everyMs?: number;
  /** What else decides the course, such as seed, recipe and records: another one is not resumed. */
  readonly key?: unknown;
}

/** Checkpoints of a making that trains several times (folds, halves), one file each in a folder of their own. */
export class Checkpoints {
  private readonly folder: string;

  /** @param outFolder where the model will go */
  constructor(
    outFolder: string,
    private readonly resume: boolean,
    private readonly key: unknown,
  ) {
    this.folder = join(outFolder, 'checkpoints');
  }

  /** Those of one training; `phase` names the file. */
  of(phase: string): CheckpointOptions {
    return { file: join(this.folder, `${phase}.ckpt`), resume: this.resume, key: this.key };
  }

  /** Before the first training of a making that does not resume, and after the last. */
  async clear(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  async begin(): Promise<void> {
    if (!this.resume) await this.clear();
  }
}

/** Where a training stands. */
export interface Course {
  step: number;
  lossSum: number;
  history: EpochReport[];
  best: { epoch: number; value: number } | null;
  bestWeights: Float32Array[] | null;
}

/** Keeps the state of one training on disk and brings it back; knows when a training is to be stopped early. */
export class Keeper {
  private readonly others: tf.Variable[];
  private readonly states;
  private readonly fingerprint: string;
  private lastMs = performance.now();

  constructor(
    model: tf.LayersModel,
    settings: TrainSettings,
    private readonly parameters: readonly Parameter[],
    private readonly optimizer: AdamW,
    private readonly hooks: TrainHooks,
  ) {
    const trained = new Set(model.trainableWeights);
    const rest = model.weights.filter((weight) => !trained.has(weight));
    this.others = rest.map((weight) => weight.read() as unknown as tf.Variable);
    this.states = [...dropoutRandoms(model), ...(hooks.states ?? [])];
    const { epochs, stepsPerEpoch, peakLearningRate, weightDecay, labelSmoothing, gradientLimit, classWeights } =
      settings;
    this.fingerprint = fingerprintOf([
      ...[epochs, stepsPerEpoch, peakLearningRate, weightDecay, labelSmoothing, gradientLimit, classWeights],
      ...[
        hooks.patience ?? null,
        parameters.map(({ name, values }) => [name, values.length]),
        this.states.length,
        hooks.checkpoint?.key ?? null,
      ],
    ]);
  }

  /** Brings back what the file holds. @returns whether that training is finished */
  async resume(course: Course): Promise<boolean> {
    const { checkpoint } = this.hooks;
    if (!checkpoint?.resume) return false;
    const kept = await readCheckpoint(checkpoint.file);
    if (!kept) return false;
    const refuse = (why: string) => {
      throw new CheckpointError(`${checkpoint.file}: ${why}; train without --resume to begin anew`);
    };
    if (kept.fingerprint !== this.fingerprint) refuse('belongs to a training with other settings');
    if (kept.backend !== tf.getBackend()) {
      const name = kept.backend === 'tensorflow' ? 'native' : kept.backend;
      refuse(`was written on another backend: resume with --backend ${name}`);
    }
    const { parameters, optimizer } = this;
    const count = parameters.length;
    const part = (from: number, length = count) => kept.arrays.slice(from, from + length);
    const fill = (into: readonly Float32Array[], from: readonly Float32Array[]) => {
      into.forEach((values, i) => {
        values.set(from[i]!);
      });
    };
    fill(
      parameters.map(({ values }) => values),
      part(0),
    );
    fill(optimizer.state.mean, part(count));
    fill(optimizer.state.square, part(2 * count));
    optimizer.state.step = kept.step;
    this.setOthers(part(3 * count, this.others.length));
    const best = kept.arrays.slice(3 * count + this.others.length);
    course.bestWeights = best.length > 0 ? best : null;
    course.best = kept.best;
    course.step = kept.step;
    course.lossSum = kept.lossSum;
    course.history = [...kept.history];
    this.states.forEach((state, i) => {
      state.restore(kept.states[i]);
    });
    return kept.finished;
  }

  isDue(): boolean {
    const { checkpoint } = this.hooks;
    return checkpoint !== undefined && performance.now() - this.lastMs >= (checkpoint.everyMs ?? 30_000);
  }

  async save(course: Course, finished: boolean): Promise<void> {
    const { checkpoint } = this.hooks;
    if (!checkpoint) return;
    const { step, lossSum, history, best, bestWeights } = course;
    const { mean, square } = this.optimizer.state;
    await writeCheckpoint(checkpoint.file, {
      ...{ fingerprint: this.fingerprint, backend: tf.getBackend(), step, lossSum, history, best, finished },
      states: this.states.map((state) => state.save()),
      arrays: [
        ...this.parameters.map(({ values }) => values),
        ...[...mean, ...square, ...this.readOthers(), ...(bestWeights ?? [])],
      ],
    });
    this.lastMs = performance.now();
  }

  /** Takes note of the best epoch. @returns whether `patience` says to stop after this one */
  isOver(course: Course, { epoch, validation }: EpochReport): boolean {
    const { patience } = this.hooks;
    if (patience === undefined || !validation) return false;
    if (!course.best || validation.loss < course.best.value) {
      course.best = { epoch, value: validation.loss };
      course.bestWeights = [...this.parameters.map(({ values }) => values.slice()), ...this.readOthers()];
    }
    return epoch - course.best.epoch >= patience;
  }

  /** Weights that are not trained, such as the running means of normalizations. */
  setOthers(arrays: readonly Float32Array[]): void {
    this.others.forEach((variable, i) => {
      tf.tidy(() => variable.assign(tf.tensor(arrays[i]!.slice(), variable.shape)));
    });
  }

  private readOthers(): Float32Array[] {
    return this.others.map((variable) => Float32Array.from(variable.dataSync()));
  }
}
