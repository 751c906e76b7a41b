export { quantizationAware } from './aware.js';
export { type Calibration, CalibrationError, calibrate } from './calibrate.js';
export { type DynamicOptions, quantizeDynamic } from './dynamic.js';
export { quantizeFloat16 } from './float16.js';
export type { CalibrationMethod, CalibrationOptions, Range } from './histogram.js';
export { answers, type Items, type ModelItem } from './runtime.js';
export {
  type AccuracyAware,
  type Evaluate,
  type NodeLoss,
  quantizeWithinLoss,
  rankSensitiveNodes,
} from './sensitivity.js';
export { QuantizationError, quantizableNodes, quantizeStatic, type StaticOptions } from './static.js';
export {
  loadQuantization,
  type Quantization,
  type WithinLoss,
  type WriteVariantsOptions,
  writeVariants,
} from './variants.js';
