import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeModel, encodeModel, OnnxFormatError } from '../../../src/lab/onnx/index.js';
import * as ir from '../../../src/lab/onnx/ir.js';
import { ProtobufWriter } from '../../../src/lab/onnx/protobuf.js';

const attribute: fc.Arbitrary<ir.Attribute> = fc.oneof(
  fc.maxSafeInteger().map(ir.int),
  fc.float({ noNaN: true }).map(ir.float),
  fc.string({ unit: 'grapheme' }).map(ir.str),
  fc.array(fc.maxSafeInteger()).map(ir.ints),
  fc.array(fc.float({ noNaN: true })).map(ir.floats),
  fc.array(fc.string()).map(ir.strings),
);

const tensor: fc.Arbitrary<ir.OnnxTensor> = fc.oneof(
  fc.float32Array({ noNaN: true }).map((data) => ir.floatTensor([data.length], data)),
  fc.int8Array().map((data) => ({ type: 'int8' as const, dims: [data.length, 1], data })),
  fc.uint8Array().map((data) => ({ type: 'uint8' as const, dims: [1, data.length], data })),
  fc.int32Array().map((data) => ({ type: 'int32' as const, dims: [data.length], data })),
  fc.uint16Array().map((data) => ({ type: 'float16' as const, dims: [data.length], data })),
  fc.bigInt64Array().map((data) => ({ type: 'int64' as const, dims: [data.length], data })),
  fc.float64Array({ noNaN: true }).map((data) => ({ type: 'float64' as const, dims: [data.length], data })),
  fc.float({ noNaN: true }).map((value) => ir.scalar('float32', value)),
);

const valueInfo: fc.Arbitrary<ir.ValueInfo> = fc.record({
  name: fc.string({ minLength: 1 }).map((s) => `v${s}`),
  type: fc.constantFrom<ir.TensorType>('float32', 'uint8', 'int64'),
  shape: fc.option(fc.array(fc.oneof(fc.nat(), fc.string({ minLength: 1 })))),
});

const model: fc.Arbitrary<ir.OnnxModel> = fc.record({
  irVersion: fc.nat(20),
  opsets: fc.constant(
    new Map([
      ['', 17],
      ['com.microsoft', 1],
    ]),
  ),
  producerName: fc.string(),
  producerVersion: fc.string(),
  docString: fc.string(),
  metadata: fc.array(fc.tuple(fc.string(), fc.string())).map((pairs) => new Map(pairs)),
  graph: fc.record({
    name: fc.string(),
    nodes: fc.array(
      fc.record({
        name: fc.string(),
        op: fc.string(),
        domain: fc.constantFrom('', 'com.microsoft'),
        inputs: fc.array(fc.string()),
        outputs: fc.array(fc.string()),
        attributes: fc.dictionary(fc.string({ minLength: 1 }), attribute, { noNullPrototype: true }),
      }),
    ),
    initializers: fc
      .array(
        fc.tuple(
          fc.string({ minLength: 1 }).map((s) => `i${s}`),
          tensor,
        ),
      )
      .map((pairs) => new Map(pairs)),
    inputs: fc.array(valueInfo),
    outputs: fc.array(valueInfo),
    valueInfo: fc.array(valueInfo).map((list) => new Map(list.map((info) => [info.name, info]))),
  }),
});

const tiny = (): ir.OnnxModel => ({
  irVersion: 8,
  opsets: new Map([['', 17]]),
  producerName: 'test',
  producerVersion: '',
  docString: '',
  metadata: new Map(),
  graph: {
    name: 'g',
    nodes: [
      {
        name: 'n',
        op: 'Gemm',
        domain: '',
        inputs: ['x', 'w', ''],
        outputs: ['y'],
        attributes: { alpha: ir.float(0.5), k: ir.ints([-1, 2]) },
      },
    ],
    initializers: new Map([['w', ir.floatTensor([2, 2], Float32Array.of(1, 2, 3, 4))]]),
    inputs: [{ name: 'x', type: 'float32', shape: ['N', 2] }],
    outputs: [{ name: 'y', type: 'float32', shape: null }],
    valueInfo: new Map(),
  },
});

describe('an ONNX file', () => {
  it('reads back as it was written, whatever is in it', () => {
    fc.assert(
      fc.property(model, (original) => {
        const bytes = encodeModel(original);
        expect(decodeModel(bytes)).toEqual(original);
        // As it comes from a file: a Buffer, at any offset of a larger one.
        expect(decodeModel(Buffer.concat([Buffer.alloc(3), bytes]).subarray(3))).toEqual(original);
      }),
      { numRuns: 200 },
    );
  });

  it('cut short or with a changed byte is read or refused with a format error, never another one', () => {
    const bytes = encodeModel(tiny());
    const tryRead = (damaged: Uint8Array) => {
      try {
        decodeModel(damaged);
      } catch (error) {
        expect(error).toBeInstanceOf(OnnxFormatError);
      }
    };
    for (let length = 0; length < bytes.length; length++) tryRead(bytes.slice(0, length));
    for (let at = 0; at < bytes.length; at++) {
      for (const flip of [1, 4, 16, 64, 128, 255]) {
        const damaged = bytes.slice();
        damaged[at] = damaged[at]! ^ flip;
        tryRead(damaged);
      }
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), tryRead), { numRuns: 500 });
  });

  it('says what is wrong with it', () => {
    expect(() => decodeModel(new TextEncoder().encode('{"schema": 1}'))).toThrow(/not a readable ONNX file/);
    expect(() => decodeModel(new Uint8Array())).toThrow(/holds no graph/);
    const outside = new ProtobufWriter();
    outside.message(7, (graph) =>
      graph.message(5, (t) => {
        t.string(8, 'far');
        t.message(13, (entry) => entry.string(1, 'location'));
      }),
    );
    expect(() => decodeModel(outside.finish())).toThrow(/tensor 'far' keeps its values outside the file/);
  });

  it('is not written with a tensor whose values do not fill its shape', () => {
    const broken = tiny();
    broken.graph.initializers.set('w', ir.floatTensor([2, 3], new Float32Array(4)));
    expect(() => encodeModel(broken)).toThrow(/'w' has 4 values but its shape \[2, 3\] asks for 6/);
  });

  it('may hold values one by one, packed, or raw', () => {
    const writer = new ProtobufWriter();
    writer.message(7, (graph) => {
      graph.message(5, (t) => {
        t.packedInts(1, [2]);
        t.int(2, 1);
        t.packedFloats(4, [1.5, -2]);
        t.string(8, 'floats');
      });
      graph.message(5, (t) => {
        t.int(1, 3);
        t.int(2, 3);
        t.int(5, -7);
        t.packedInts(5, [8, -128]);
        t.string(8, 'bytes');
      });
    });
    const { initializers } = decodeModel(writer.finish()).graph;
    expect(initializers.get('floats')).toEqual(ir.floatTensor([2], Float32Array.of(1.5, -2)));
    expect(initializers.get('bytes')).toEqual({ type: 'int8', dims: [3], data: Int8Array.of(-7, 8, -128) });
  });
});
