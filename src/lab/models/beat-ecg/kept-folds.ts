import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BeatEcgPreprocessing } from '../../../inference/windows/beat-ecg.js';
import { loadModel, saveModel } from '../../train/model-files.js';
import type { Fitted } from './fit.js';

/** Where a training keeps the models of one seed's folds. */
export function foldsFolder(modelFolder: string, seed: number): string {
  return join(modelFolder, 'folds', `seed-${seed}`);
}

/**
 * @param name of the fold's model: `1`, `1-pruned`
 * @param key all that decides what its training yields
 */
export async function keepFold(folder: string, name: string, key: unknown, fitted: Fitted): Promise<void> {
  const own = join(folder, name);
  await saveModel(fitted.model, own);
  await writeFile(join(own, 'fold.json'), JSON.stringify({ key, preprocessing: fitted.preprocessing }));
}

/** The fold's model, where one of the same key was kept; else null. */
export async function keptFold(folder: string, name: string, key: unknown): Promise<Fitted | null> {
  const own = join(folder, name);
  const text = await readFile(join(own, 'fold.json'), 'utf8').catch(() => null);
  if (text === null) return null;
  const kept = JSON.parse(text) as { key: unknown; preprocessing: BeatEcgPreprocessing };
  if (JSON.stringify(kept.key) !== JSON.stringify(key)) return null;
  return { model: await loadModel(own), preprocessing: kept.preprocessing };
}
