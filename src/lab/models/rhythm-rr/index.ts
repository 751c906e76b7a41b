export { type AlarmFigures, type AlarmSetting, alarmFigures, alertsOf } from './alarm-level.js';
export { loadTraining, type RhythmRrTraining } from './bundle.js';
export { loadTestRecords, loadTrainingRecords } from './data.js';
export {
  type EvaluateRhythmRrOptions,
  evaluateRhythmRr,
  type RhythmRrTestFigures,
  type RhythmTestFigures,
  testFiguresOf,
} from './evaluate.js';
export { type ExportRhythmRrOptions, exportRhythmRr } from './export.js';
export { type PruneRhythmRrOptions, pruneRhythmRr } from './prune.js';
export { type RhythmRrTableOptions, rhythmRrPruningTable } from './pruning-table.js';
export { type QuantizeRhythmRrOptions, quantizeRhythmRr } from './quantize.js';
export { RHYTHM_RR_RECIPE, type RhythmRrRecipe } from './recipe.js';
export { replayedFigures } from './replayed.js';
export { rhythmRrTestSet } from './test-set.js';
export { type TrainRhythmRrOptions, trainRhythmRr } from './train.js';
