import { type ExportVariant, readVariants } from '../export/index.js';
import { loadQuantization, type Quantization } from '../quantize/index.js';
import type { Training } from './training-folder.js';

/** Where an export finds what the steps before it left, and what it makes of that. */
export interface ExportOptions {
  readonly floatFolder: string;
  readonly prunedFolder: string;
  /** Folders that quantizing filled from the float and from the pruned training. */
  readonly floatOnnxFolder: string;
  readonly prunedOnnxFolder: string;
  /** The bundle. */
  readonly outDir: string;
  readonly version: string;
  readonly defaultVariant?: string;
  /** Text that follows the model's own description in CARD.md: figures measured elsewhere. */
  readonly notes?: string;
}

/** What the steps before an export left. */
export interface Work<T> {
  readonly training: T;
  readonly pruned: T;
  readonly quantization: Quantization;
  readonly variants: ExportVariant[];
}

/**
 * @param readTraining of this model
 * @param floatIds variants made from the float model, beside `fp32`
 * @throws LabError that names a file which a step before should have left
 */
export async function readWork<T>(
  { floatFolder, prunedFolder, floatOnnxFolder, prunedOnnxFolder }: ExportOptions,
  readTraining: (folder: string) => Promise<T>,
  floatIds: Parameters<typeof readVariants>[2] = ['fp16', 'int8'],
): Promise<Work<T>> {
  return {
    training: await readTraining(floatFolder),
    pruned: await readTraining(prunedFolder),
    quantization: await loadQuantization(floatOnnxFolder),
    variants: await readVariants(floatOnnxFolder, prunedOnnxFolder, floatIds),
  };
}

/** What a manifest tells of every training. */
export function toldOf<P>(training: Training<P>, pruned: Training<P>) {
  const { trainedOn, backend, seed, recipe } = training;
  return { trainedOn, backend, seed, recipe, pruned: { sparsity: pruned.sparsity, recipe: pruned.recipe } };
}
