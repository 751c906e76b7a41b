/**
 * The part of the protocol buffers wire format that ONNX files use, written by hand: it is four wire types, and a
 * schema compiler would be our largest dependency. Source: https://protobuf.dev/programming-guides/encoding/
 */

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

const text = new TextEncoder();
const untext = new TextDecoder('utf-8');

/** A file that is not what it says it is: cut off, or with lengths that point outside it. */
export class ProtobufError extends Error {
  override name = 'ProtobufError';
}

/** Builds one protobuf message in a growing buffer. */
export class ProtobufWriter {
  private buffer = new Uint8Array(256);
  private length = 0;

  private reserve(extra: number): void {
    const need = this.length + extra;
    if (need <= this.buffer.length) return;
    const grown = new Uint8Array(Math.max(need, this.buffer.length * 2));
    grown.set(this.buffer.subarray(0, this.length));
    this.buffer = grown;
  }

  private varint(value: bigint | number): void {
    this.reserve(10);
    if (typeof value === 'number' && value >= 0 && value <= 0x7fffffff) {
      let rest = value;
      while (rest > 0x7f) {
        this.buffer[this.length++] = (rest & 0x7f) | 0x80;
        rest >>>= 7;
      }
      this.buffer[this.length++] = rest;
      return;
    }
    // Negative int64 values are ten bytes of two's complement.
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 0x7fn) {
      this.buffer[this.length++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.buffer[this.length++] = Number(rest);
  }

  private tag(field: number, wireType: number): void {
    this.varint((field << 3) | wireType);
  }

  /** An int32, int64, enum or bool field. */
  int(field: number, value: bigint | number): void {
    this.tag(field, VARINT);
    this.varint(value);
  }

  /** A 32-bit float field. */
  float(field: number, value: number): void {
    this.tag(field, FIXED32);
    this.reserve(4);
    new DataView(this.buffer.buffer).setFloat32(this.length, value, true);
    this.length += 4;
  }

  bytes(field: number, value: Uint8Array): void {
    this.tag(field, BYTES);
    this.varint(value.length);
    this.reserve(value.length);
    this.buffer.set(value, this.length);
    this.length += value.length;
  }

  string(field: number, value: string): void {
    this.bytes(field, text.encode(value));
  }

  /** A nested message, filled by `write`. */
  message(field: number, write: (nested: ProtobufWriter) => void): void {
    const nested = new ProtobufWriter();
    write(nested);
    this.bytes(field, nested.finish());
  }

  /** Repeated integers in the packed form. */
  packedInts(field: number, values: Iterable<bigint | number>): void {
    const nested = new ProtobufWriter();
    for (const value of values) nested.varint(value);
    this.bytes(field, nested.finish());
  }

  /** Repeated floats in the packed form. */
  packedFloats(field: number, values: ArrayLike<number>): void {
    const packed = new DataView(new ArrayBuffer(values.length * 4));
    for (let i = 0; i < values.length; i++) packed.setFloat32(i * 4, values[i]!, true);
    this.bytes(field, new Uint8Array(packed.buffer));
  }

  finish(): Uint8Array {
    return this.buffer.slice(0, this.length);
  }
}

/** One field as read from the wire: `bigint` for varints and fixed64, `Uint8Array` for fixed32 and length-delimited. */
export interface ProtobufField {
  readonly field: number;
  readonly wireType: number;
  readonly value: bigint | Uint8Array;
}

/** Reads the fields of one message in file order. Unknown fields are for the caller to ignore. */
export function* readFields(message: Uint8Array): Generator<ProtobufField> {
  let at = 0;
  const varint = (): bigint => {
    let low = 0;
    let result = 0n;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = message[at++];
      if (byte === undefined) throw new ProtobufError('the file ends inside a number');
      if (shift < 28) low |= (byte & 0x7f) << shift;
      else result |= BigInt(byte & 0x7f) << BigInt(shift);
      if (byte < 0x80) return BigInt.asUintN(64, result | BigInt(low));
    }
    throw new ProtobufError('a number is longer than ten bytes');
  };
  const take = (count: number): Uint8Array => {
    if (count > message.length - at) throw new ProtobufError(`a field of ${count} bytes reaches past the end`);
    const part = message.subarray(at, at + count);
    at += count;
    return part;
  };
  while (at < message.length) {
    const tag = Number(varint());
    const field = Math.floor(tag / 8);
    const wireType = tag % 8;
    if (field === 0) throw new ProtobufError('field number 0 is not allowed: this is not a protobuf file');
    if (wireType === VARINT) yield { field, wireType, value: varint() };
    else if (wireType === BYTES) yield { field, wireType, value: take(Number(varint())) };
    else if (wireType === FIXED32) yield { field, wireType, value: take(4) };
    else if (wireType === FIXED64) {
      const part = take(8);
      yield { field, wireType, value: new DataView(part.buffer, part.byteOffset, 8).getBigUint64(0, true) };
    } else throw new ProtobufError(`wire type ${wireType} of field ${field} is not known: this is not an ONNX file`);
  }
}

export function asInt(field: ProtobufField): number {
  if (typeof field.value !== 'bigint') throw new ProtobufError(`field ${field.field} should be a number`);
  return Number(BigInt.asIntN(64, field.value));
}

export function asBytes(field: ProtobufField): Uint8Array {
  if (typeof field.value === 'bigint') throw new ProtobufError(`field ${field.field} should be bytes`);
  return field.value;
}

export function asString(field: ProtobufField): string {
  return untext.decode(asBytes(field));
}

export function asFloat(field: ProtobufField): number {
  const bytes = asBytes(field);
  if (bytes.length !== 4) throw new ProtobufError(`field ${field.field} should be a 32-bit float`);
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getFloat32(0, true);
}

/** Integers of a repeated field, whether they came packed or one by one. */
export function asInts(field: ProtobufField): bigint[] {
  if (typeof field.value === 'bigint') return [BigInt.asIntN(64, field.value)];
  const values: bigint[] = [];
  const bytes = field.value;
  let result = 0n;
  let shift = 0n;
  for (const byte of bytes) {
    result |= BigInt(byte & 0x7f) << shift;
    shift += 7n;
    if (byte < 0x80) {
      values.push(BigInt.asIntN(64, result));
      result = 0n;
      shift = 0n;
    } else if (shift > 63n) throw new ProtobufError(`field ${field.field} has a number longer than ten bytes`);
  }
  if (shift !== 0n) throw new ProtobufError(`field ${field.field} ends inside a number`);
  return values;
}

/** 32-bit floats of a repeated field, whether they came packed or one by one. */
export function asFloats(field: ProtobufField): number[] {
  const bytes = asBytes(field);
  if (bytes.length % 4 !== 0) throw new ProtobufError(`field ${field.field} should hold 32-bit floats`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(i * 4, true));
}
