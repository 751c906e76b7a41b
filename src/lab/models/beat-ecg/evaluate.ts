import { type BackendName, openBackend } from '../../backend.js';
import { loadTraining } from './bundle.js';
import { type BeatEcgDataOptions, loadTestRecords } from './data.js';
import { type BeatEcgTestFigures, testFiguresOf } from './figures.js';
import { score } from './fit.js';
import { beatSplit } from './split.js';

export interface EvaluateBeatEcgOptions extends Omit<BeatEcgDataOptions, 'split'> {
  /** Folder of a training, plain or pruned. */
  readonly modelFolder: string;
  readonly backend?: BackendName | 'auto';
}

/** Runs a trained model over the people its split keeps for the test (DS2, unless it is somebody's own): reference beats, its own offsets. */
export async function evaluateBeatEcg(options: EvaluateBeatEcgOptions): Promise<BeatEcgTestFigures> {
  await openBackend(options.backend ?? 'auto');
  const { fitted, training } = await loadTraining(options.modelFolder);
  const split = beatSplit(training.split);
  const scored = score(fitted, await loadTestRecords({ ...options, split }));
  fitted.model.dispose();
  return testFiguresOf(scored, training.logitOffsets, split);
}
