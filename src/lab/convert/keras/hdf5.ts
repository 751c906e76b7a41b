import type * as H5 from 'h5wasm/node';
import { ConvertError } from '../error.js';

/** A tensor as an HDF5 file holds it, as 32-bit floats. */
export interface StoredTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** More than any model for a Pi has in one weight: a small file may not fill the memory. */
const MAX_VALUES = 2 ** 28;

/** What is read of an HDF5 file: groups, attributes of text, tensors. */
export class Hdf5File {
  private constructor(
    private readonly library: typeof H5,
    private readonly file: H5.File,
  ) {}

  /** @throws ConvertError when it is no HDF5 file, or the library for them is not installed */
  static async open(path: string): Promise<Hdf5File> {
    let library: typeof H5;
    try {
      library = await import('h5wasm/node');
      // Errors are thrown, not printed.
      (await library.ready).activate_throwing_error_handler();
    } catch {
      throw new ConvertError('reading HDF5 files needs h5wasm: `npm install --include=optional` in the slothd folder');
    }
    try {
      return new Hdf5File(library, new library.File(path, 'r'));
    } catch {
      throw new ConvertError(`${path}: is not a readable HDF5 file`);
    }
  }

  close(): void {
    this.file.close();
  }

  /** Names in a group; empty where there is no such group. */
  keys(path: string): string[] {
    const found = this.get(path);
    return found && 'keys' in found ? found.keys() : [];
  }

  has(path: string): boolean {
    return this.get(path) !== null;
  }

  /** An attribute as text; null where there is none. */
  text(path: string, name: string): string | null {
    const value = this.attribute(path, name);
    return typeof value === 'string' ? value : value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : null;
  }

  /** An attribute that is a list of texts; Keras splits a long one into `name0`, `name1` ... */
  texts(path: string, name: string): string[] | null {
    const whole = this.attribute(path, name);
    if (whole !== null) return Array.isArray(whole) ? whole.map(String) : [String(whole)].filter((text) => text !== '');
    const parts: string[] = [];
    for (let i = 0; ; i++) {
      const part = this.attribute(path, `${name}${i}`);
      if (part === null) return i === 0 ? null : parts;
      parts.push(...(Array.isArray(part) ? part.map(String) : [String(part)]));
    }
  }

  /** @throws ConvertError when there is no such tensor, or one that is not of numbers */
  tensor(path: string): StoredTensor {
    const found = this.get(path);
    if (!found || !(found instanceof this.library.Dataset))
      throw new ConvertError(`the file holds no weight '${path}'`);
    const shape = found.shape ?? [];
    const size = shape.reduce((a, b) => a * b, 1);
    if (size > MAX_VALUES) throw new ConvertError(`weight '${path}' claims ${size} values [${shape.join(', ')}]`);
    const value = size === 0 ? [] : this.safely(path, () => found.value);
    const values = typeof value === 'number' || typeof value === 'bigint' ? [value] : value;
    if (values === null || typeof values !== 'object' || !('length' in values) || values.length !== size) {
      throw new ConvertError(`weight '${path}' is no tensor of numbers`);
    }
    return { shape, data: Float32Array.from(values as ArrayLike<number | bigint>, Number) };
  }

  private get(path: string): H5.Entity | null {
    return this.safely(path, () => this.file.get(path === '' ? '/' : path));
  }

  private attribute(path: string, name: string): H5.OutputData | null {
    const found = this.get(path);
    if (!found || !('attrs' in found)) return null;
    return this.safely(path, () => found.attrs[name]?.value ?? null);
  }

  private safely<T>(path: string, read: () => T): T {
    try {
      return read();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (/not supported|filter/i.test(why)) {
        throw new ConvertError(
          `'${path}' is stored in a way that is not read here (${why.split('\n')[0]}): save the model in float32, without compression other than gzip`,
        );
      }
      throw new ConvertError(`the HDF5 file is damaged at '${path}' (${why.split('\n')[0]})`);
    }
  }
}
