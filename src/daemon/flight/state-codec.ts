/**
 * The state of running objects as bytes, and back into objects of the same build. It walks what the objects hold: numbers
 * to the last bit, typed arrays, arrays, maps, sets, and class instances by their fields. A field called `options`
 * or `settings`, functions and promises belong to whoever built the object and are left as they are. So a pipeline built anew from the
 * same settings becomes the pipeline of that moment, whatever new parts it has got, as long as they keep their state in
 * fields and not in closures.
 */

const TAG = {
  undefined: 0,
  null: 1,
  true: 2,
  false: 3,
  number: 4,
  string: 5,
  array: 6,
  map: 7,
  set: 8,
  typed: 9,
  object: 10,
  seen: 11,
  /** Left as it is. */
  outside: 12,
} as const;

/** Fields that hold how an object was built, not what it has become. */
const BUILT_WITH = new Set(['options', 'settings']);

const TYPED = [
  Float64Array,
  Float32Array,
  Int32Array,
  Uint32Array,
  Int16Array,
  Uint16Array,
  Int8Array,
  Uint8Array,
] as const;
type Typed = InstanceType<(typeof TYPED)[number]>;

const NAMES = new Map<string, Uint8Array>();
/** Some hundreds are met; plain objects may have keys that come from outside. */
const MOST_NAMES = 4096;

/** State that does not fit the object it is to go into. */
export class StateError extends Error {
  override readonly name = 'StateError';
}

export interface StateCodecOptions {
  /** Classes whose instances belong to the outside, as `options` do. */
  readonly outside?: readonly (abstract new (
    ...args: never[]
  ) => object)[];
  /** Classes of which instances come and go while running. */
  readonly classes?: readonly (abstract new (
    ...args: never[]
  ) => object)[];
}

/** @returns the state of everything reachable from `root`; the same state gives the same bytes */
export function encodeState(root: object, options: StateCodecOptions = {}): Uint8Array {
  return new Encoder(options).run(root);
}

/**
 * Puts state into `root`, which was built as the object it came from.
 * @throws StateError where the two are not alike or the bytes are damaged; `root` must not be used then
 */
export function restoreState(root: object, bytes: Uint8Array, options: StateCodecOptions = {}): void {
  new Decoder(bytes, options).run(root);
}

class Encoder {
  private out = Buffer.alloc(64 * 1024);
  private length = 0;
  private readonly seen = new Map<object, number>();

  constructor(private readonly options: StateCodecOptions) {}

  run(root: object): Uint8Array {
    this.value(root);
    return new Uint8Array(this.out.subarray(0, this.length));
  }

  private value(value: unknown): void {
    if (value === undefined) this.byte(TAG.undefined);
    else if (value === null) this.byte(TAG.null);
    else if (typeof value === 'boolean') this.byte(value ? TAG.true : TAG.false);
    else if (typeof value === 'number') {
      this.byte(TAG.number);
      this.room(8);
      this.length = this.out.writeDoubleLE(value, this.length);
    } else if (typeof value === 'string') {
      this.byte(TAG.string);
      this.text(value);
    } else if (typeof value === 'object') this.object(value);
    else this.byte(TAG.outside);
  }

  private object(value: object): void {
    if (value instanceof Promise || this.options.outside?.some((type) => value instanceof type)) {
      this.byte(TAG.outside);
      return;
    }
    const known = this.seen.get(value);
    if (known !== undefined) {
      this.byte(TAG.seen);
      this.count(known);
      return;
    }
    this.seen.set(value, this.seen.size);
    if (ArrayBuffer.isView(value)) this.typed(value as Typed);
    else if (Array.isArray(value)) {
      this.byte(TAG.array);
      this.count(value.length);
      for (const item of value) this.value(item);
    } else if (value instanceof Map) {
      this.byte(TAG.map);
      this.count(value.size);
      for (const [key, item] of value) {
        this.value(key);
        this.value(item);
      }
    } else if (value instanceof Set) {
      this.byte(TAG.set);
      this.count(value.size);
      for (const item of value) this.value(item);
    } else {
      this.byte(TAG.object);
      this.name(classNameOf(value));
      const countAt = this.length;
      this.count(0);
      let fields = 0;
      for (const name of Object.keys(value)) {
        if (BUILT_WITH.has(name)) continue;
        this.name(name);
        this.value((value as Record<string, unknown>)[name]);
        fields++;
      }
      this.out.writeUInt32LE(fields, countAt);
    }
  }

  private typed(value: Typed): void {
    const kind = TYPED.findIndex((type) => value instanceof type);
    if (kind < 0) throw new StateError(`a ${value.constructor.name} cannot be kept`);
    this.byte(TAG.typed);
    this.byte(kind);
    this.count(value.byteLength);
    this.room(value.byteLength);
    this.out.set(new Uint8Array(value.buffer, value.byteOffset, value.byteLength), this.length);
    this.length += value.byteLength;
  }

  /** Names of classes and fields are few and come again: each is encoded once. */
  private name(name: string): void {
    let bytes = NAMES.get(name);
    if (!bytes) {
      bytes = Buffer.from(name);
      if (NAMES.size < MOST_NAMES) NAMES.set(name, bytes);
    }
    this.count(bytes.length);
    this.room(bytes.length);
    this.out.set(bytes, this.length);
    this.length += bytes.length;
  }

  private text(text: string): void {
    const bytes = Buffer.byteLength(text);
    this.count(bytes);
    this.room(bytes);
    this.length += this.out.write(text, this.length);
  }

  private byte(value: number): void {
    this.room(1);
    this.out[this.length++] = value;
  }

  private count(value: number): void {
    this.room(4);
    this.length = this.out.writeUInt32LE(value, this.length);
  }

  private room(bytes: number): void {
    if (this.length + bytes <= this.out.length) return;
    const grown = Buffer.alloc(Math.max(2 * this.out.length, this.length + bytes));
    this.out.copy(grown, 0, 0, this.length);
    this.out = grown;
  }
}

class Decoder {
  private at = 0;
  private readonly bytes: Buffer;
  private readonly seen: object[] = [];
  private readonly classes = new Map<string, object>();

  constructor(bytes: Uint8Array, options: StateCodecOptions) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (const type of options.classes ?? []) this.classes.set(type.name, type.prototype as object);
  }

  run(root: object): void {
    if (this.value(root, '') !== root) throw new StateError('the state is of another object');
    if (this.at !== this.bytes.length) throw new StateError('the state has something behind its end');
  }

  /** @param current what stands there now: kept where it can be, since others may hold it too */
  private value(current: unknown, path: string): unknown {
    switch (this.byte()) {
      case TAG.undefined:
        return undefined;
      case TAG.null:
        return null;
      case TAG.true:
        return true;
      case TAG.false:
        return false;
      case TAG.number:
        return this.bytes.readDoubleLE(this.take(8));
      case TAG.string:
        return this.text();
      case TAG.outside:
        return current;
      case TAG.seen: {
        const known = this.seen[this.count()];
        if (!known) throw new StateError(`${path}: refers to nothing`);
        return known;
      }
      case TAG.array: {
        const length = this.count();
        const old: unknown[] = Array.isArray(current) ? current : [];
        const out: unknown[] = [];
        this.seen.push(out);
        for (let i = 0; i < length; i++) out.push(this.value(old[i], `${path}[${i}]`));
        return out;
      }
      case TAG.map: {
        const size = this.count();
        const map = current instanceof Map ? current : new Map<unknown, unknown>();
        this.seen.push(map);
        const old = new Map(map);
        map.clear();
        for (let i = 0; i < size; i++) {
          const key = this.value(undefined, path);
          map.set(key, this.value(old.get(key), `${path}{}`));
        }
        return map;
      }
      case TAG.set: {
        const size = this.count();
        const set = current instanceof Set ? current : new Set<unknown>();
        this.seen.push(set);
        set.clear();
        for (let i = 0; i < size; i++) set.add(this.value(undefined, path));
        return set;
      }
      case TAG.typed:
        return this.typed(current, path);
      case TAG.object:
        return this.object(current, path);
      default:
        throw new StateError(`${path || 'state'}: damaged`);
    }
  }

  private typed(current: unknown, path: string): Typed {
    const type = TYPED[this.byte()];
    if (!type) throw new StateError(`${path}: damaged`);
    const byteLength = this.count();
    const from = this.take(byteLength);
    const fits = current instanceof type && current.byteLength === byteLength;
    const out = fits ? (current as Typed) : new type(byteLength / type.BYTES_PER_ELEMENT);
    new Uint8Array(out.buffer, out.byteOffset, byteLength).set(this.bytes.subarray(from, from + byteLength));
    this.seen.push(out);
    return out;
  }

  private object(current: unknown, path: string): object {
    const name = this.text();
    const out = this.target(name, current, path);
    const old = (typeof current === 'object' && current !== null ? current : {}) as Record<string, unknown>;
    this.seen.push(out);
    const fields = this.count();
    for (let i = 0; i < fields; i++) {
      const field = this.text();
      if (field === '__proto__' || BUILT_WITH.has(field)) throw new StateError(`${path}: damaged`);
      const value = this.value(Object.hasOwn(old, field) ? old[field] : undefined, `${path}.${field}`);
      if (!Object.is(out[field], value) || !Object.hasOwn(out, field)) out[field] = value;
    }
    return out;
  }

  /** An instance is filled where it stands, for closures hold it; a plain object is made anew, for constants are shared. */
  private target(name: string, current: unknown, path: string): Record<string, unknown> {
    if (name === '') return path === '' ? (current as Record<string, unknown>) : {};
    if (typeof current === 'object' && current !== null && classNameOf(current) === name) {
      return current as Record<string, unknown>;
    }
    const prototype = this.classes.get(name);
    if (!prototype) throw new StateError(`${path || 'state'}: is a ${name} there, and none here`);
    return Object.create(prototype) as Record<string, unknown>;
  }

  private text(): string {
    const length = this.count();
    const from = this.take(length);
    return this.bytes.toString('utf8', from, from + length);
  }

  private byte(): number {
    return this.bytes[this.take(1)]!;
  }

  private count(): number {
    return this.bytes.readUInt32LE(this.take(4));
  }

  private take(bytes: number): number {
    if (this.at + bytes > this.bytes.length) throw new StateError('the state is cut short');
    this.at += bytes;
    return this.at - bytes;
  }
}

/** '' for a plain object. */
function classNameOf(value: object): string {
  const prototype = Object.getPrototypeOf(value) as { constructor?: { name?: string } } | null;
  if (prototype === null || prototype === Object.prototype) return '';
  return prototype.constructor?.name ?? '';
}
