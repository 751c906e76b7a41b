/** The lab as a library: `import { toOnnx, quantizeStatic, exportBundle } from 'slothd/lab'`. See docs/lab.md. */
export { openBackend } from './backend.js';
export { findDatabase, needDatabase } from './data/find.js';
export { beatMetrics, matchBeats, poolScores, referenceBeats, scoreBeats } from './evaluation/beat-match.js';
export { type ExportOptions, ExportRefusedError, type ExportVariant, exportBundle, GATE } from './export/index.js';
export {
  encodeModel,
  layersModelToOnnx as toOnnx,
  type OnnxModel,
  readModelFile,
  UnsupportedLayerError,
} from './onnx/index.js';
export { pruneChannels } from './prune/channel.js';
export { MagnitudePruner } from './prune/pruner.js';
export { ConstantSparsity, PolynomialDecay } from './prune/schedules.js';
export {
  answers,
  type CalibrationMethod,
  calibrate,
  type Items,
  type ModelItem,
  quantizeDynamic,
  quantizeFloat16,
  quantizeStatic,
  quantizeWithinLoss,
} from './quantize/index.js';
export { loadModel, saveModel } from './train/model-files.js';
export { readAnnotations, readRecord, writeAnnotations, writeRecord } from './wfdb/index.js';
