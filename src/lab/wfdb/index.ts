export {
  type Annotation,
  type AnnotationFile,
  readAnnotationFile,
  readAnnotations,
  writeAnnotations,
} from './annotations.js';
export { WfdbError } from './error.js';
export { readHeader, type SignalSpec, type WfdbHeader } from './header.js';
export { readRecord, type WfdbRecord, type WfdbSignal } from './record.js';
export { aamiClass, codeOf, isBeatSymbol, symbolOf } from './symbols.js';
export { type WritableRecord, writeRecord } from './write.js';
