/** TensorFlow operations as ONNX nodes, a file for each family. Names and attributes are those of tensorflow/core/ops. */
import { CONSTANT_OPS } from './constants.js';
import { ARITHMETIC } from './ops/arithmetic.js';
import { fail, type Op } from './ops/common.js';
import { SHAPES } from './ops/shapes.js';
import { WINDOWS } from './ops/windows.js';

const VALUE_OPS: Readonly<Record<string, Op>> = { ...ARITHMETIC, ...WINDOWS, ...SHAPES };

/** Every operation: worked out at once where all its inputs are constants, else as ONNX nodes. */
export const OPS: Readonly<Record<string, Op>> = Object.fromEntries(
  [...new Set([...Object.keys(CONSTANT_OPS), ...Object.keys(VALUE_OPS)])].map((name) => {
    const onConstants = CONSTANT_OPS[name];
    const onValues = VALUE_OPS[name];
    const op: Op = (call) => {
      const tensors = call.inputs.map((edge) => (edge.kind === 'constant' ? edge.tensor : null));
      if (onConstants && tensors.every((tensor) => tensor !== null)) {
        return [{ kind: 'constant', tensor: onConstants(tensors, call.node.attrs) }];
      }
      return onValues ? onValues(call) : fail('only supported on constants');
    };
    return [name, op];
  }),
);
