/** The lab as a library: `import { prune, quantize, toOnnx } from 'slothd/lab'`. See docs/lab-as-a-library.md. */
export { loadRecordedNoise, type RecordedNoise } from './augment/recorded-noise.js';
export { type WindowAugmentation, WindowAugmenter } from './augment/windows.js';
export { openBackend } from './backend.js';
export { ConvertError, convertModel, loadDataset, openSource } from './convert/index.js';
export { findDatabase, needDatabase } from './data/find.js';
export { foldsByPatient, readSplit } from './data/split-file.js';
export { LabError } from './error.js';
export { beatMetrics, matchBeats, poolScores, referenceBeats, scoreBeats } from './evaluation/beat-match.js';
export { type ExportOptions, ExportRefusedError, type ExportVariant, exportBundle, GATE } from './export/index.js';
export { type PruneOptions, prune, type QuantizeOptions, quantize } from './library.js';
export {
  encodeModel,
  layersModelToOnnx as toOnnx,
  type OnnxModel,
  readModelFile,
  UnsupportedLayerError,
} from './onnx/index.js';
export { PersonalizeError, personalize } from './personalize/index.js';
export { pruneChannels } from './prune/channel.js';
export { MagnitudePruner } from './prune/pruner.js';
export { ConstantSparsity, PolynomialDecay } from './prune/schedules.js';
export {
  type PruningRow,
  type PruningTableOptions,
  pruningTable,
  renderPruningTable,
} from './prune/table.js';
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
export { PolyphaseResampler, rationalFactor, resample } from './signal/resample.js';
export { loadModel, saveModel } from './train/model-files.js';
export {
  openRecord,
  readAnnotations,
  readRecord,
  writeAnnotations,
  writeAnnotationsCsv,
  writeRecord,
  writeSignalsCsv,
} from './wfdb/index.js';
