/**
 * A representative dataset: items of a model's inputs out of files that people have. A folder (or one file) of CSV, JSON,
 * NumPy, or WFDB records. What does not fit the model is an error that says what was found and what is needed.
 */
import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { ModelItem } from '../../quantize/runtime.js';
import { ConvertError } from '../error.js';
import { unzip } from '../unzip.js';
import { csvPieces } from './csv.js';
import { parseNpy } from './npy.js';
import { wfdbWindows } from './wfdb-windows.js';

/** A model's input: what one item of the dataset must fill. */
export interface InputShape {
  readonly name: string;
  /** Without the batch. */
  readonly shape: readonly number[];
}

export interface DatasetOptions {
  /** Rate that a model wants of a WFDB record's signals; the record's own unless told. */
  readonly rateHz?: number;
  /** Seconds from one window of a signal to the next; a window's length unless told. */
  readonly stepS?: number;
  /** Which signals of a record fill the channels, by name or number; the first ones unless told. */
  readonly signals?: readonly string[];
  /** Bring each window of a signal to mean 0 and standard deviation 1. */
  readonly standardize?: boolean;
  /** Most items to keep; more are thinned out evenly. */
  readonly maxItems?: number;
}

export interface Dataset {
  readonly items: readonly ModelItem[];
  /** For a person: "80 windows of 3 WFDB records in ./recordings". */
  readonly description: string;
  /** What a person should know: items left out, fewer than wished. */
  readonly warnings: readonly string[];
  /** For a person, a line for each input: the range of its values, which shows a wrong unit at a glance. */
  readonly ranges?: readonly string[];
}

/** Fewer say nothing about the ranges of a model's values. */
export const MIN_ITEMS = 10;
/** What the tools of the field ask for (TensorFlow Lite: 100 to 500 samples). */
const GOOD_ITEMS = 100;
const MAX_ITEMS = 2000;

/** One input's values for some items, as one file gives them. */
export interface Piece {
  readonly values: Float32Array;
  /** Where it comes from, for messages: "ecg.csv, row 12". */
  readonly from: string;
}

/**
 * @param inputs of the model; several need JSON or .npz with their names, or a subfolder for each
 * @throws ConvertError: nothing there, another shape, not finite, constant, fewer than MIN_ITEMS items
 */
export async function loadDataset(
  path: string,
  inputs: readonly InputShape[],
  options: DatasetOptions = {},
): Promise<Dataset> {
  const limit = options.maxItems ?? MAX_ITEMS;
  if (!Number.isInteger(limit) || limit < MIN_ITEMS) {
    throw new ConvertError(
      `at most ${limit} items were asked for; a representative dataset needs at least ${MIN_ITEMS}`,
    );
  }
  const warnings: string[] = [];
  const { columns, kind } = await readColumns(path, inputs, options, warnings);
  const counts = columns.map((pieces) => pieces.length);
  if (counts.some((count) => count !== counts[0])) {
    const told = inputs.map(({ name }, i) => `${name} ${counts[i]}`).join(', ');
    throw new ConvertError(`${path}: the inputs have different numbers of items (${told})`);
  }
  columns.forEach((pieces, i) => {
    checkValues(pieces, inputs[i]!);
  });
  const count = counts[0] ?? 0;
  if (count < MIN_ITEMS) {
    throw new ConvertError(
      `${path}: ${count === 0 ? 'holds no items' : `holds only ${count} items`}; a representative dataset needs at least ${MIN_ITEMS}, better ${GOOD_ITEMS} and more`,
    );
  }
  if (count < GOOD_ITEMS)
    warnings.push(`${count} items are few for a representative dataset: ${GOOD_ITEMS} and more are better`);
  const kept = Math.min(count, limit);
  if (kept < count) warnings.push(`${kept} of ${count} items are used, taken evenly`);
  const items = Array.from({ length: kept }, (_, i) => {
    const at = Math.floor((i * count) / kept);
    return columns.map((pieces) => pieces[at]!.values);
  });
  const ranges = inputs.map(({ name }, i) => `values of ${name}: ${rangeOf(items.map((item) => item[i]!))}`);
  return { items, description: `${kept} ${kind} ${path}`, warnings, ranges };
}

function rangeOf(parts: readonly Float32Array[]): string {
  let [low, high, sum, squares, count] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0, 0];
  for (const values of parts) {
    for (const value of values) {
      if (value < low) low = value;
      if (value > high) high = value;
      sum += value;
      squares += value * value;
    }
    count += values.length;
  }
  const mean = sum / count;
  const deviation = Math.sqrt(Math.max(0, squares / count - mean * mean));
  const short = (value: number) => String(Number(value.toPrecision(3)));
  return `${short(low)} to ${short(high)}, mean ${short(mean)}, deviation ${short(deviation)}`;
}

function checkValues(pieces: readonly Piece[], { name }: InputShape): void {
  const first = pieces[0]?.values[0];
  let constant = true;
  for (const { values, from } of pieces) {
    for (let i = 0; i < values.length; i++) {
      if (!Number.isFinite(values[i])) {
        throw new ConvertError(
          `${from}: value ${i + 1} for input '${name}' is ${values[i]}; every value must be a finite number`,
        );
      }
      if (values[i] !== first) constant = false;
    }
  }
  const one = pieces[0]?.values;
  if (!constant && pieces.length > 1 && pieces.every(({ values }) => values.every((value, i) => value === one![i]))) {
    throw new ConvertError(
      `all ${pieces.length} items for input '${name}' are the same: they show no range to quantize to`,
    );
  }
  if (constant && pieces.length > 0) {
    throw new ConvertError(
      `every value for input '${name}' is ${first}: a constant dataset shows no range to quantize to`,
    );
  }
}

type Columns = { columns: Piece[][]; kind: string };

async function readColumns(
  path: string,
  inputs: readonly InputShape[],
  options: DatasetOptions,
  warnings: string[],
): Promise<Columns> {
  const info = await stat(path).catch(() => null);
  // A WFDB record is named without an extension.
  if (!info || (info.isFile() && extname(path) === '.hea')) {
    const record = path.replace(/\.hea$/, '');
    if (await isFile(`${record}.hea`)) return recordColumns([record], inputs, options, warnings, path);
    throw new ConvertError(`${path}: there is no such file, folder or WFDB record`);
  }
  if (!info.isDirectory()) return { columns: await readFileColumns(path, inputs, warnings), kind: 'items of' };

  const entries = (await readdir(path, { withFileTypes: true })).filter(({ name }) => !name.startsWith('.'));
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  if (inputs.length > 1 && inputs.every(({ name }) => folders.includes(name))) {
    const columns: Piece[][] = [];
    for (const input of inputs) {
      const own = await readColumns(join(path, input.name), [input], options, warnings);
      columns.push(own.columns[0]!);
    }
    return { columns, kind: 'items of the folders in' };
  }
  const files = entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  // Numbers in names count as numbers: item10 comes after item9.
  files.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const headers = files.filter((name) => name.endsWith('.hea'));
  if (headers.length > 0) {
    const records = headers.map((name) => join(path, name.slice(0, -4)));
    return recordColumns(records, inputs, options, warnings, path);
  }
  const readable = files.filter((name) => extname(name).toLowerCase() in READERS);
  if (readable.length === 0) {
    throw new ConvertError(
      `${path}: holds no files that can be read (${Object.keys(READERS).join(', ')}, or WFDB records with their .hea)`,
    );
  }
  const columns: Piece[][] = inputs.map(() => []);
  for (const name of readable) {
    const own = await readFileColumns(join(path, name), inputs, warnings);
    own.forEach((pieces, i) => {
      columns[i]!.push(...pieces);
    });
  }
  return { columns, kind: `items of ${readable.length} files in` };
}

async function recordColumns(
  records: readonly string[],
  inputs: readonly InputShape[],
  options: DatasetOptions,
  warnings: string[],
  path: string,
): Promise<Columns> {
  const [input] = inputs;
  if (!input || inputs.length > 1) {
    throw new ConvertError(
      `${path}: WFDB records fill one input; this model has ${inputs.length} (${inputs.map(({ name }) => name).join(', ')}). Give JSON or .npz with a list for each`,
    );
  }
  const pieces = await wfdbWindows(records, input, options, warnings);
  return {
    columns: [pieces],
    kind: `windows of ${records.length === 1 ? 'the WFDB record' : `${records.length} WFDB records in`}`,
  };
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isFile() ?? false;
}

type Reader = (file: string, inputs: readonly InputShape[], warnings: string[]) => Promise<Piece[][]>;

async function readFileColumns(file: string, inputs: readonly InputShape[], warnings: string[]): Promise<Piece[][]> {
  const read = READERS[extname(file).toLowerCase()];
  if (!read) {
    throw new ConvertError(
      `${file}: cannot be read as a dataset; use ${Object.keys(READERS).join(', ')}, or a WFDB record`,
    );
  }
  return read(file, inputs, warnings);
}

/** How much one item of an input takes. */
const sizeOf = ({ shape }: InputShape) => shape.reduce((a, b) => a * b, 1);
const named = ({ name, shape }: InputShape) => `input '${name}' takes ${shape.join(' x ') || '1 value'}`;

function one(file: string, inputs: readonly InputShape[]): InputShape {
  if (inputs.length === 1) return inputs[0]!;
  throw new ConvertError(
    `${file}: fills one input, but the model has ${inputs.length} (${inputs.map(({ name }) => name).join(', ')}): give JSON or .npz with a list for each, or a folder with a subfolder for each`,
  );
}

const readNpyFile: Reader = async (file, inputs) => {
  const input = one(file, inputs);
  return [cut(parseNpy(await readFile(file), file), input, file)];
};

const readNpzFile: Reader = async (file, inputs) => {
  const { names, files } = await unzip(await readFile(file), file, '.npz', (name) => name.endsWith('.npy'));
  return inputs.map((input, i) => {
    const key = [input.name, `arr_${i}`].find((name) => files.has(`${name}.npy`));
    if (!key) throw new ConvertError(`${file}: has no array '${input.name}' (it has ${names.join(', ') || 'none'})`);
    return cut(parseNpy(files.get(`${key}.npy`)!, `${file}, ${key}`), input, `${file}, ${key}`);
  });
};

/** Items out of a tensor: a stack of them, or a single one. */
function cut(
  { shape, data }: { shape: readonly number[]; data: Float32Array },
  input: InputShape,
  file: string,
): Piece[] {
  const size = sizeOf(input);
  const rest = shape.slice(1).reduce((a, b) => a * b, 1);
  const same = (a: readonly number[], b: readonly number[]) => a.length === b.length && a.every((n, i) => n === b[i]);
  // Axes of length one may be left out or added, as [N, 128] for items of [128, 1].
  const squeezed = (dims: readonly number[]) => dims.filter((n) => n !== 1);
  if (same(squeezed(shape), squeezed(input.shape)) && data.length === size) return [{ values: data, from: file }];
  if (rest === size && same(squeezed(shape.slice(1)), squeezed(input.shape))) {
    return Array.from({ length: shape[0]! }, (_, i) => ({
      values: data.slice(i * size, (i + 1) * size),
      from: `${file}, item ${i + 1}`,
    }));
  }
  throw new ConvertError(
    `${file}: has the shape [${shape.join(', ')}]; ${named(input)}, so [items, ${input.shape.join(', ')}] is needed`,
  );
}

const readJsonFile: Reader = async (file, inputs) => {
  let json: unknown;
  const text = await readFile(file, 'utf8');
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new ConvertError(`${file}: is not JSON (${(error as Error).message})`);
  }
  if (Array.isArray(json)) {
    const input = one(file, inputs);
    return [cut(tensorOf(json, file), input, file)];
  }
  const lists = (typeof json === 'object' && json !== null ? json : {}) as Record<string, unknown>;
  const columns = inputs.map((input) => {
    const list = Object.hasOwn(lists, input.name) ? lists[input.name] : inputs.length === 1 ? lists.inputs : undefined;
    if (!Array.isArray(list)) {
      throw new ConvertError(
        `${file}: has no list '${input.name}' (it has ${Object.keys(lists).slice(0, 8).join(', ') || 'nothing'})`,
      );
    }
    return cut(tensorOf(list, `${file}, ${input.name}`), input, `${file}, ${input.name}`);
  });
  return columns;
};

/** Nested lists of numbers as a tensor. */
function tensorOf(json: unknown[], file: string): { shape: number[]; data: Float32Array } {
  const shape: number[] = [];
  for (let level: unknown = json; Array.isArray(level); level = level[0]) shape.push(level.length);
  const data: number[] = [];
  const walk = (value: unknown, depth: number): void => {
    if (Array.isArray(value)) {
      if (depth >= shape.length || value.length !== shape[depth]) {
        throw new ConvertError(
          `${file}: its lists have different lengths; item ${data.length} breaks the shape [${shape.join(', ')}]`,
        );
      }
      for (const part of value) walk(part, depth + 1);
    } else if (depth !== shape.length) throw new ConvertError(`${file}: its lists have different depths`);
    else if (typeof value === 'number') data.push(value);
    else if (value === null) data.push(Number.NaN);
    else throw new ConvertError(`${file}: ${JSON.stringify(value)?.slice(0, 40)} is not a number`);
  };
  walk(json, 0);
  return { shape, data: Float32Array.from(data) };
}

const readCsvFile: Reader = async (file, inputs, warnings) => [await csvPieces(file, one(file, inputs), warnings)];

const READERS: Readonly<Record<string, Reader>> = {
  '.csv': readCsvFile,
  '.tsv': readCsvFile,
  '.json': readJsonFile,
  '.npy': readNpyFile,
  '.npz': readNpzFile,
};
