export {
  type Annotation,
  type AnnotationFile,
  readAnnotationFile,
  readAnnotations,
  writeAnnotations,
} from './annotations.js';
export { type CsvOptions, writeAnnotationsCsv, writeSignalsCsv } from './csv.js';
export { WfdbError } from './error.js';
export { readHeader, type SegmentSpec, type SignalSpec, type WfdbHeader } from './header.js';
export { readRecord, readSoundRecord, type WfdbRecord, type WfdbSignal } from './record.js';
export { type ChunkOptions, type OpenRecord, openRecord, type RecordChunk, type SignalInfo } from './stream.js';
export { aamiClass, codeOf, isBeatSymbol, symbolOf } from './symbols.js';
export { type WritableRecord, writeRecord } from './write.js';
