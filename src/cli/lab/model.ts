import { join } from 'node:path';
import type { Manifest } from '../../inference/bundle/manifest.js';
import type { TestSet } from '../../lab/export/index.js';
import type { LabProgress } from '../../lab/progress.js';
import type { PruningRow } from '../../lab/prune/table.js';
import { ProgressBar } from '../progress.js';
import { UsageError } from '../usage-error.js';

/** What every lab verb may be told of where recordings are. */
export interface DataOptions {
  readonly data?: string;
}

export interface TrainArguments extends DataOptions {
  /** File of a split of one's own. */
  readonly split?: string;
  readonly out?: string;
  readonly folds?: number;
  readonly seed: number;
  readonly seeds?: number;
  readonly epochs?: number;
  readonly backend: 'auto';
  readonly resume?: boolean;
  readonly patience?: number;
  readonly classWeights?: readonly number[];
  /** Amplitude of mains hum in the training, in QRS heights. */
  readonly mains?: number;
  /** Largest deviation of recorded muscle noise and baseline wander in the training, in QRS heights. */
  readonly muscle?: number;
  readonly baseline?: number;
}

export interface PruneArguments extends DataOptions {
  readonly from?: string;
  readonly out?: string;
  readonly sparsity?: number;
  readonly schedule?: 'PolynomialDecay' | 'ConstantSparsity';
  /** Sparsity of single layers. */
  readonly layer?: Readonly<Record<string, number>>;
  /** Steps to either side of zero that the weights are put on. */
  readonly levels?: number;
  readonly channels?: number;
  readonly channelsOf?: Readonly<Record<string, number>>;
  readonly folds?: number;
  readonly backend: 'auto';
  readonly resume?: boolean;
}

export interface PruneTableArguments extends DataOptions {
  readonly from?: string;
  readonly backend: 'auto';
  /** Shares of single weights, and of whole channels, to prune. */
  readonly shares: readonly number[];
  readonly channelShares: readonly number[];
  readonly json?: boolean;
}

export interface QuantizeArguments extends DataOptions {
  readonly from?: string;
  readonly out?: string;
  readonly method: 'MinMax' | 'Entropy' | 'Percentile';
  readonly percentile: number;
  /** In points of the metric. */
  readonly maxLoss?: number;
  readonly aware?: number;
}

export interface ExportArguments extends DataOptions {
  readonly work?: string;
  readonly out?: string;
  readonly version: string;
  readonly default?: string;
  /** Markdown for the card: figures measured elsewhere. */
  readonly notes?: string;
  /** A finished bundle to tell anew. */
  readonly again?: string;
}

export interface EvaluateArguments extends DataOptions {
  /** What a replay wrote: figures of the deployed path. */
  readonly events?: string;
  readonly json?: boolean;
}

/** The lab's verbs for one kind of model. */
export interface LabModel {
  train(options: TrainArguments): Promise<void>;
  prune(options: PruneArguments): Promise<void>;
  /** Sparsity against accuracy, size and speed. */
  pruningTable(options: PruneTableArguments): Promise<readonly PruningRow[]>;
  quantize(options: QuantizeArguments): Promise<void>;
  export(options: ExportArguments): Promise<void>;
  evaluate(folder: string | undefined, options: EvaluateArguments): Promise<void>;
  /** The test set that the figures of its bundle's card are about. */
  testSet(manifest: Manifest, options: DataOptions): Promise<TestSet>;
}

/** Ends with a clear word where a model is asked for disturbances that its training does not take. */
export function refuseAugmentation(
  model: string,
  { mains, muscle, baseline }: Pick<TrainArguments, 'mains' | 'muscle' | 'baseline'>,
  why: string,
): void {
  if (mains === undefined && muscle === undefined && baseline === undefined) return;
  throw new UsageError(`${model} takes no --mains, --muscle or --baseline: ${why}`);
}

/** Where the steps leave what the next one takes, unless told otherwise. */
export function workFolder(model: string, ...parts: string[]): string {
  return join('.slothd', 'lab', model, ...parts);
}

/** Where an export finds what the steps before it left. */
export function stepFolders(work: string) {
  return {
    floatFolder: join(work, 'float'),
    prunedFolder: join(work, 'pruned'),
    floatOnnxFolder: join(work, 'float', 'onnx'),
    prunedOnnxFolder: join(work, 'pruned', 'onnx'),
  };
}

/** Says what an export wrote, and why its default is not the one that was wanted. */
export function sayExported(
  out: string,
  manifest: Manifest,
  wanted: string,
  fellBack: string | null | undefined,
): void {
  say(`${out}: ${manifest.variants.map((v) => `${v.id} ${v.bytes} bytes`).join(', ')}`);
  if (fellBack) say(`the default is fp32: ${wanted} ${fellBack}`);
}

/** The lab's own packages are optional: a device has none of them. */
export async function labImport<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new UsageError('the lab needs TensorFlow.js: `npm install --include=optional` in the slothd folder');
  }
}

export function reporter() {
  const bar = new ProgressBar();
  const onProgress = ({ stage, done, of, epoch }: LabProgress) =>
    bar.show(stage, done, of, epoch ? epochNote(epoch) : '');
  const onReading = (done: number, of: number, what: string) => onProgress({ stage: `reading ${what}`, done, of });
  return { bar, onProgress, onReading };
}

function epochNote({ epoch, loss, validation }: NonNullable<LabProgress['epoch']>): string {
  const unseen = validation
    ? ` validation ${validation.loss.toFixed(4)} (${(100 * validation.accuracy).toFixed(1)} %)`
    : '';
  return `epoch ${epoch} loss ${loss.toFixed(4)}${unseen}`;
}

/** One line on what the lab computes with, before it does. */
export async function announceBackend(backend: 'auto'): Promise<void> {
  const { openBackend } = await labImport(() => import('../../lab/backend.js'));
  process.stderr.write(`computing with ${(await openBackend(backend)).description}\n`);
}

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
