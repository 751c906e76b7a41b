export {
  type Agreement,
  type ConvertOptions,
  type ConvertResult,
  convertModel,
  DATA_TYPES,
  inputsOf,
  randomItems,
  STRATEGIES,
  type Strategy,
} from './convert.js';
export { type Dataset, type DatasetOptions, type InputShape, loadDataset, MIN_ITEMS } from './dataset/load.js';
export { ConvertError } from './error.js';
export { openSource, type Reference, type SourceModel, type SourceOptions } from './source.js';
