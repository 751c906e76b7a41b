import type { Attribute, TensorType } from './ir.js';

/** TensorProto.DataType */
export const TYPE_CODES: Record<TensorType, number> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
};
export const TYPE_NAMES = new Map<number, TensorType>(
  Object.entries(TYPE_CODES).map(([name, code]) => [code, name as TensorType]),
);

/** AttributeProto.AttributeType */
export const ATTRIBUTE_CODES: Record<Attribute['kind'], number> = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
};

/** A file that cannot be read as an ONNX model, or holds something slothd does not support; the message says what. */
export class OnnxFormatError extends Error {
  override name = 'OnnxFormatError';
}
