export { OnnxFormatError } from './codes.js';
export { decodeModel, readModelFile } from './decode.js';
export { encodeModel } from './encode.js';
export { foldBatchNorms } from './fold.js';
export { layersModelToOnnx, OPSET, type ToOnnxOptions } from './from-layers.js';
export type { Attribute, Dim, OnnxGraph, OnnxModel, OnnxNode, OnnxTensor, TensorType, ValueInfo } from './ir.js';
export { UnsupportedLayerError } from './layer.js';
