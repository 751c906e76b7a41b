export {
  type ExportGate,
  type ExportOptions,
  ExportRefusedError,
  type ExportResult,
  type ExportVariant,
  exportBundle,
  GATE,
} from './bundle.js';
export { compactModel } from './compact.js';
export { type Latency, measureLatency, type Size, sizeOf, sparsityOf } from './measure.js';
export {
  type Reevaluated,
  type ReevaluatedVariant,
  reevaluate,
  type TestSet,
} from './re-evaluate.js';
export { readVariants, spread } from './read-variants.js';
