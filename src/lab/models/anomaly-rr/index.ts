export { type AnomalyTraining, loadTraining } from './bundle.js';
export { loadNormal, loadTest, loadValidation } from './data.js';
export { type AnomalyTestFigures, type EvaluateAnomalyOptions, evaluateAnomaly } from './evaluate.js';
export { type ExportAnomalyOptions, exportAnomaly } from './export.js';
export { type PruneAnomalyOptions, pruneAnomaly } from './prune.js';
export { type QuantizeAnomalyOptions, quantizeAnomaly } from './quantize.js';
export { ANOMALY_RECIPE, type AnomalyRecipe } from './recipe.js';
export { anomalyTestSet } from './test-set.js';
export { type TrainAnomalyOptions, trainAnomaly } from './train.js';
