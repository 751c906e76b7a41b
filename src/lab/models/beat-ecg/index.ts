export { type BeatEcgTraining, loadTraining } from './bundle.js';
export { loadTestRecords, loadTrainingRecords, standardised } from './data.js';
export type { LogitOffsets, ScoredRecord } from './decide.js';
export {
  type BeatEcgFigures,
  type BeatEcgTestFigures,
  type EvaluateBeatEcgOptions,
  evaluateBeatEcg,
  figuresOf,
  testFiguresOf,
} from './evaluate.js';
export { type ExportBeatEcgOptions, exportBeatEcg } from './export.js';
export { score } from './fit.js';
export { INPUT_NAMES, LABELS, OUTPUT_NAME } from './network.js';
export { type PruneBeatEcgOptions, pruneBeatEcg } from './prune.js';
export { type BeatEcgTableOptions, beatEcgPruningTable } from './pruning-table.js';
export { type QuantizeBeatEcgOptions, quantizeBeatEcg } from './quantize.js';
export { BEAT_ECG_PRUNING, BEAT_ECG_RECIPE, type BeatEcgRecipe } from './recipe.js';
export { beatEcgTestSet } from './test-set.js';
export { type TrainBeatEcgOptions, trainBeatEcg } from './train.js';
