import { fromHalf } from '../../quantize/float16.js';
import { ConvertError } from '../error.js';

/** A tensor out of a NumPy file, as 32-bit floats in row-major order. */
export interface NpyTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

const READERS: Readonly<
  Record<string, [bytes: number, read: (view: DataView, at: number, little: boolean) => number]>
> = {
  f2: [2, (view, at, little) => fromHalf(view.getUint16(at, little))],
  f4: [4, (view, at, little) => view.getFloat32(at, little)],
  f8: [8, (view, at, little) => view.getFloat64(at, little)],
  i1: [1, (view, at) => view.getInt8(at)],
  i2: [2, (view, at, little) => view.getInt16(at, little)],
  i4: [4, (view, at, little) => view.getInt32(at, little)],
  i8: [8, (view, at, little) => Number(view.getBigInt64(at, little))],
  u1: [1, (view, at) => view.getUint8(at)],
  u2: [2, (view, at, little) => view.getUint16(at, little)],
  u4: [4, (view, at, little) => view.getUint32(at, little)],
  u8: [8, (view, at, little) => Number(view.getBigUint64(at, little))],
  b1: [1, (view, at) => view.getUint8(at)],
};

/**
 * Reads a `.npy` file (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
 * @param name for the messages
 * @throws ConvertError when it is none, is cut off, or holds no real numbers
 */
export function parseNpy(bytes: Uint8Array, name: string): NpyTensor {
  const bad = (what: string) => new ConvertError(`${name}: ${what}`);
  if (bytes.length < 12 || Buffer.from(bytes.subarray(0, 6)).toString('latin1') !== '\x93NUMPY') {
    throw bad('is not a NumPy .npy file');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = bytes[6]! >= 2;
  const headerLength = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  const start = (wide ? 12 : 10) + headerLength;
  const header = Buffer.from(bytes.subarray(wide ? 12 : 10, start)).toString('latin1');
  const kind = /'descr':\s*'([<>|=])(\w+)'/.exec(header);
  const reader = kind ? READERS[kind[2]!] : undefined;
  if (!kind || !reader) throw bad(`holds no real numbers (${/'descr':\s*([^,]+)/.exec(header)?.[1] ?? 'no type'})`);
  const dims = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1];
  if (dims === undefined) throw bad('has no shape');
  const shape = dims
    .split(',')
    .filter((part) => part.trim() !== '')
    .map(Number);
  const count = shape.reduce((a, b) => a * b, 1);
  const [width, read] = reader;
  if (!Number.isInteger(count) || bytes.length - start < count * width)
    throw bad(`is cut off: [${shape.join(', ')}] does not fit in it`);
  const little = kind[1] !== '>';
  const stored = Float32Array.from({ length: count }, (_, i) => read(view, start + i * width, little));
  return { shape, data: /'fortran_order':\s*True/.test(header) ? toRowMajor(stored, shape) : stored };
}

function toRowMajor(stored: Float32Array, shape: readonly number[]): Float32Array {
  const out = new Float32Array(stored.length);
  const place = new Array<number>(shape.length).fill(0);
  for (let i = 0; i < out.length; i++) {
    let at = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) at = at * shape[axis]! + place[axis]!;
    out[i] = stored[at]!;
    for (let axis = shape.length - 1; axis >= 0 && ++place[axis]! === shape[axis]; axis--) place[axis] = 0;
  }
  return out;
}
