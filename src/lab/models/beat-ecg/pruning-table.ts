import * as tf from '@tensorflow/tfjs';
import { type BackendName, openBackend } from '../../backend.js';
import { addMatrices, reportOf } from '../../evaluation/beat-classes.js';
import type { LabProgress } from '../../progress.js';
import { type PruningRow, pruningTable } from '../../prune/table.js';
import { pruningProgress } from '../pruning-progress.js';
import { loadTraining } from './bundle.js';
import {
  type BeatEcgDataOptions,
  loadIntervalRecords,
  loadOtherLeads,
  loadTrainingRecords,
  noiseOf,
  standardised,
} from './data.js';
import { matrixOf, NO_OFFSETS } from './decide.js';
import { fitNetwork, fitPruned, fitTuned } from './fit.js';
import { INPUT_NAMES, LABELS, OUTPUT_NAME } from './network.js';
import { itemsOf } from './quantize.js';
import { BEAT_ECG_PRUNING, BEAT_ECG_RECIPE, BEAT_ECG_TUNING, type BeatEcgRecipe } from './recipe.js';
import { beatSplit, foldsOf } from './split.js';

export interface BeatEcgTableOptions extends Omit<BeatEcgDataOptions, 'onProgress' | 'split'> {
  /** Folder of the training whose recipe and seed are taken. */
  readonly modelFolder: string;
  readonly magnitude: readonly number[];
  readonly channels: readonly number[];
  readonly backend?: BackendName | 'auto';
  onProgress?(progress: LabProgress): void;
}

/**
 * Sparsity against accuracy, size and speed, on patients not trained on: a fold (a fifth, where the split does not say otherwise)
 * of the training's people is left out, a network trained on the rest as `modelFolder`'s was, and pruned to each share. The people
 * who are tested on are never read.
 */
export async function beatEcgPruningTable(options: BeatEcgTableOptions): Promise<PruningRow[]> {
  const { magnitude, channels, onProgress } = options;
  await openBackend(options.backend ?? 'auto');
  const { training, fitted: old } = await loadTraining(options.modelFolder);
  old.model.dispose();
  const recipe: BeatEcgRecipe = { ...BEAT_ECG_RECIPE, ...(training.recipe as Partial<BeatEcgRecipe>) };
  const { seed } = training;
  const split = beatSplit(training.split);
  const quietly = { ...options, split, onProgress: undefined };
  const reading = {
    ...quietly,
    onProgress: (done: number, of: number, what: string) => onProgress?.({ stage: `reading ${what}`, done, of }),
  };
  const records = await loadTrainingRecords(reading);
  const intervals = await loadIntervalRecords(reading);
  const noise = await noiseOf(recipe, options.dataFolder);
  const control = noise ? { noise } : {};
  const foldOf = foldsOf(split, records);
  const people = records.filter((_, i) => foldOf[i] !== 0);
  const leadsOf = recipe.otherLeads ? people : [];
  const train = [...people, ...(await loadOtherLeads(leadsOf, quietly))];
  const judges = records.filter((_, i) => foldOf[i] === 0);

  const { onEpoch, onRow } = pruningProgress(
    recipe.epochs + magnitude.length * BEAT_ECG_PRUNING.epochs + channels.length * BEAT_ECG_TUNING.epochs,
    onProgress,
  );
  const fitted = await fitNetwork(train, recipe, seed, onEpoch, { intervals, ...control });
  const { model, preprocessing } = fitted;
  const ready = standardised(judges, preprocessing);
  const rows = await pruningTable(tf, model, {
    ...{ magnitude, channels, names: { inputNames: INPUT_NAMES, outputNames: [OUTPUT_NAME] } },
    items: [...itemsOf(ready)],
    evaluate: (answers) => figures(ready, answers),
    prune: (copy, sparsity) =>
      fitPruned({ ...fitted, model: copy }, train, recipe, seed, { sparsity }, onEpoch, { intervals, ...control }),
    tune: (copy) => fitTuned({ ...fitted, model: copy }, train, recipe, seed, onEpoch, control),
    onRow,
  });
  model.dispose();
  return rows;
}

function figures(records: readonly Parameters<typeof matrixOf>[0]['record'][], answers: readonly Float32Array[]) {
  let at = 0;
  const scored = records.map((record) => {
    const logits = new Float32Array(record.count * LABELS.length);
    for (let beat = 0; beat < record.count; beat++) logits.set(answers[at++]!, beat * LABELS.length);
    return { record, logits };
  });
  const { accuracy, N, S, V } = reportOf(addMatrices(scored.map((one) => matrixOf(one, NO_OFFSETS))));
  return { accuracy, 'N F1': N.f1, 'S F1': S.f1, 'V F1': V.f1 };
}
