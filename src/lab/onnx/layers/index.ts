import type { LayerConverter } from '../layer.js';
import * as activations from './activation.js';
import * as convs from './conv.js';
import { dense, flatten } from './dense.js';
import * as merges from './merge.js';
import { batchNormalization, layerNormalization } from './normalize.js';
import * as pools from './pool.js';
import { gru, lstm, simpleRnn } from './recurrent.js';
import * as shapes from './shape.js';

/** Every layer class that can be written as ONNX, by its Keras name. Adding one here is all it takes. */
export const CONVERTERS: Readonly<Record<string, LayerConverter>> = {
  Dense: dense,
  Flatten: flatten,
  Conv1D: convs.conv1d,
  Conv2D: convs.conv2d,
  Conv3D: convs.conv3d,
  DepthwiseConv2D: convs.depthwiseConv2d,
  SeparableConv2D: convs.separableConv2d,
  Conv2DTranspose: convs.conv2dTranspose,
  UpSampling2D: convs.upSampling2d,
  MaxPooling1D: pools.maxPool1d,
  MaxPooling2D: pools.maxPool2d,
  AveragePooling1D: pools.averagePool1d,
  AveragePooling2D: pools.averagePool2d,
  GlobalMaxPooling1D: pools.globalMaxPool,
  GlobalMaxPooling2D: pools.globalMaxPool,
  GlobalAveragePooling1D: pools.globalAveragePool,
  GlobalAveragePooling2D: pools.globalAveragePool,
  BatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  Activation: activations.activation,
  ReLU: activations.relu,
  LeakyReLU: activations.leakyRelu,
  ELU: activations.elu,
  PReLU: activations.prelu,
  ThresholdedReLU: activations.thresholdedRelu,
  Softmax: activations.softmax,
  Rescaling: activations.rescaling,
  Dropout: activations.passThrough,
  SpatialDropout1D: activations.passThrough,
  GaussianNoise: activations.passThrough,
  GaussianDropout: activations.passThrough,
  AlphaDropout: activations.passThrough,
  Masking: activations.masking,
  GRU: gru,
  LSTM: lstm,
  SimpleRNN: simpleRnn,
  Reshape: shapes.reshape,
  Permute: shapes.permute,
  RepeatVector: shapes.repeatVector,
  ZeroPadding2D: shapes.zeroPadding2d,
  Cropping2D: shapes.cropping2d,
  Add: merges.add,
  Multiply: merges.multiply,
  Average: merges.average,
  Maximum: merges.maximum,
  Minimum: merges.minimum,
  Concatenate: merges.concatenate,
};
