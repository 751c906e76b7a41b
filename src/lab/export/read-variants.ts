import { join } from 'node:path';
import { readModelFile } from '../onnx/index.js';
import type { ExportVariant } from './bundle.js';

/** Files of `writeVariants` that are made from the float model, and what they compute or store in. */
const PRECISIONS = { fp16: 'float16', 'int8-weights': 'int8-weights', int8: 'int8' } as const;

/**
 * The variants of a bundle out of two folders that `writeVariants` filled: the float model's, and those of the pruned one.
 * @param floatIds which of the float model's, beside `fp32`, in the order of the bundle
 */
export async function readVariants(
  floatOnnxFolder: string,
  prunedOnnxFolder: string,
  floatIds: readonly (keyof typeof PRECISIONS)[],
): Promise<ExportVariant[]> {
  const read = (folder: string, id: string) => readModelFile(join(folder, `${id}.onnx`));
  const pruned = await read(prunedOnnxFolder, 'fp32');
  const variants: ExportVariant[] = [{ id: 'fp32', precision: 'float32', model: await read(floatOnnxFolder, 'fp32') }];
  for (const id of floatIds) {
    variants.push({ id, precision: PRECISIONS[id], model: await read(floatOnnxFolder, id) });
  }
  return [
    ...variants,
    { id: 'pruned', precision: 'float32', model: pruned, float: pruned },
    { id: 'pruned-int8', precision: 'int8', model: await read(prunedOnnxFolder, 'int8'), float: pruned },
  ];
}

/** `count` of the items, from all over them: golden vectors. */
export function spread<T>(items: readonly T[], count: number): T[] {
  return Array.from({ length: count }, (_, i) => items[Math.floor(((i + 0.5) * items.length) / count)]!);
}
