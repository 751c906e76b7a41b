import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { ExportResult } from '../../lab/export/index.js';
import type { LabProgress } from '../../lab/progress.js';
import type { PruningRow } from '../../lab/prune/table.js';
import type { CalibrationMethod, Quantization } from '../../lab/quantize/index.js';
import { UsageError } from '../usage-error.js';
import {
  announceBackend,
  type DataOptions,
  type LabModel,
  type PruneArguments,
  reporter,
  say,
  sayExported,
  stepFolders,
  type TrainArguments,
  workFolder,
} from './model.js';

/** The steps that are the same for every model of windows: what is asked of them, where their files go, what they say. */

/** Where a step finds recordings, and keeps prepared ones. */
export interface StepData {
  readonly dataFolder: string;
  readonly cacheFolder: string;
}

type FindData = (options: DataOptions) => Promise<StepData>;

/** @param database one that must be there, with the others beside it */
export function findData(model: string, database: string): FindData {
  return async ({ data }) => {
    const { needDatabase } = await import('../../lab/data/find.js');
    return { dataFolder: data ?? dirname(needDatabase(database)), cacheFolder: workFolder(model, 'cache') };
  };
}

/** Ends with a clear word where a model whose recipe decides everything is asked for more. */
export function refuseTrainingOptions(
  model: string,
  { resume, patience, classWeights }: Pick<TrainArguments, 'resume' | 'patience' | 'classWeights'>,
): void {
  if (!resume && patience === undefined && !classWeights) return;
  throw new UsageError(`${model} takes no --resume, --patience or --class-weights: its recipe says it all`);
}

interface PruneStep extends StepData {
  readonly modelFolder: string;
  readonly outFolder: string;
  readonly sparsity: number | undefined;
  readonly schedule: PruneArguments['schedule'];
  readonly layers: PruneArguments['layer'];
  readonly channels?: number | Readonly<Record<string, number>>;
  readonly backend: 'auto';
  onProgress(progress: LabProgress): void;
}

/** `lab prune` of a small model: in one go. */
export function pruneStep(
  model: string,
  data: FindData,
  prune: (options: PruneStep) => Promise<{ readonly sparsity: number }>,
): LabModel['prune'] {
  return async ({ from, out = workFolder(model, 'pruned'), backend, layer, sparsity, schedule, ...options }) => {
    if (options.resume) throw new UsageError(`${model} is pruned in one go, it takes a minute or two: no --resume`);
    const channels = options.channels ?? options.channelsOf;
    await announceBackend(backend);
    const { bar, onProgress } = reporter();
    const training = await prune({
      ...(await data(options)),
      ...{ modelFolder: from ?? workFolder(model, 'float'), outFolder: out, backend, onProgress },
      ...{ sparsity, schedule, layers: layer, ...(channels !== undefined && { channels }) },
    });
    bar.end();
    say(`${out}: ${(training.sparsity * 100).toFixed(1)} % of the kernels' weights are zero`);
  };
}

interface TableStep extends StepData {
  readonly modelFolder: string;
  readonly magnitude: readonly number[];
  readonly channels: readonly number[];
  readonly backend: 'auto';
  onProgress(progress: LabProgress): void;
}

/** `lab prune --table`. */
export function tableStep(
  model: string,
  data: FindData,
  table: (options: TableStep) => Promise<readonly PruningRow[]>,
): LabModel['pruningTable'] {
  return async ({ from, backend, shares, channelShares, ...options }) => {
    await announceBackend(backend);
    const { bar, onProgress } = reporter();
    const rows = await table({
      ...(await data(options)),
      ...{ modelFolder: from ?? workFolder(model, 'float'), backend, onProgress },
      ...{ magnitude: shares, channels: channelShares },
    });
    bar.end();
    return rows;
  };
}

interface QuantizeStep extends StepData {
  readonly modelFolder: string;
  readonly outFolder: string;
  readonly method: CalibrationMethod;
  readonly percentile: number;
  onProgress(progress: LabProgress): void;
}

/** `lab quantize`. */
export function quantizeStep(
  model: string,
  data: FindData,
  quantize: (options: QuantizeStep) => Promise<Pick<Quantization, 'calibration'>>,
): LabModel['quantize'] {
  return async ({ from = workFolder(model, 'float'), out, method, percentile, ...options }) => {
    const { bar, onProgress } = reporter();
    const outFolder = out ?? join(from, 'onnx');
    const { calibration } = await quantize({
      ...(await data(options)),
      ...{ modelFolder: from, outFolder, method, percentile, onProgress },
    });
    bar.end();
    say(`${outFolder}: fp32, fp16, int8, int8-weights; calibrated on ${calibration.items} windows (${method})`);
  };
}

interface ExportStep extends StepData, ReturnType<typeof stepFolders> {
  readonly outDir: string;
  readonly version: string;
  readonly defaultVariant: string;
  readonly notes: string;
  readonly again?: string;
  onProgress(done: number, of: number, what: string): void;
}

/** `lab export`. */
export function exportStep(
  model: string,
  data: FindData,
  write: (options: ExportStep) => Promise<Pick<ExportResult, 'manifest' | 'fellBack'>>,
): LabModel['export'] {
  return async ({ work = workFolder(model), out = join('models', model), version, again, ...options }) => {
    const { bar, onReading } = reporter();
    mkdirSync(dirname(out), { recursive: true });
    const { default: wanted = 'int8' } = options;
    const { manifest, fellBack } = await write({
      ...(await data(options)),
      ...stepFolders(work),
      ...{ outDir: out, version, defaultVariant: wanted, onProgress: onReading },
      ...(again && { again }),
      notes: options.notes === undefined ? '' : await readFile(options.notes, 'utf8'),
    });
    bar.end();
    sayExported(out, manifest, wanted, fellBack);
  };
}
