import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Weight } from '../../onnx/layer.js';
import { ConvertError } from '../error.js';
import { unzip } from '../unzip.js';
import { Hdf5File, type StoredTensor } from './hdf5.js';
import type { WeightSource } from './to-onnx.js';
import { type GraphLayer, type LayerGraph, parseTopology } from './topology.js';
import { innerOf, nestedOrder, weightSlots } from './weights.js';

/** A Keras model out of its file. */
export interface KerasModel {
  readonly graph: LayerGraph;
  readonly weights: WeightSource;
  /** For a person: "Keras 3.15.1". */
  readonly madeBy: string;
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ConvertError(`${what} is not JSON (${(error as Error).message})`);
  }
}

const majorOf = (version: string | null | undefined): 2 | 3 => (version && Number.parseInt(version, 10) < 3 ? 2 : 3);

/** A legacy whole-model file (`model.save('m.h5')`). @throws ConvertError */
export async function readKerasH5(path: string): Promise<KerasModel> {
  const file = await Hdf5File.open(path);
  try {
    const config = file.text('', 'model_config');
    if (!config) {
      throw new ConvertError(
        `${path}: holds weights but no architecture; save the whole model (model.save), not its weights`,
      );
    }
    const version = file.text('', 'keras_version');
    const graph = parseTopology(parseJson(config, `${path}: its model_config`), majorOf(version ?? '2'));
    const root = file.has('model_weights') ? 'model_weights' : '';
    const table = new Map<string, Weight[]>();
    for (const layer of graph.layers) readLegacyLayer(file, root, layer, table);
    return { graph, weights: (at) => table.get(at) ?? [], madeBy: `Keras ${version ?? '2'}` };
  } finally {
    file.close();
  }
}

/** All weights of one layer, or of all layers of a nested model, which share one flat list. */
function readLegacyLayer(file: Hdf5File, root: string, layer: GraphLayer, table: Map<string, Weight[]>): void {
  const at = root === '' ? layer.name : `${root}/${layer.name}`;
  const names = file.texts(at, 'weight_names') ?? [];
  const places = nestedOrder(layer, `/${layer.name}`);
  // What the converter cannot convert (and so has no slots) is told of later, by name.
  if (places.length === 0) return;
  if (names.length !== places.length) {
    throw new ConvertError(
      `layer '${layer.name}': the file holds ${names.length} weights, its architecture asks for ${places.length}`,
    );
  }
  const slots = slotsByPath(layer, `/${layer.name}`);
  places.forEach(({ path, slot }, i) => {
    const list = table.get(path) ?? [];
    list[slot] = { name: slots.get(path)![slot]!, ...file.tensor(`${at}/${names[i]!}`) };
    table.set(path, list);
  });
}

function slotsByPath(layer: GraphLayer, path: string, found = new Map<string, string[]>()): Map<string, string[]> {
  const inner = innerOf(layer);
  if (inner) for (const child of inner.layers) slotsByPath(child, `${path}/${child.name}`, found);
  else
    found.set(
      path,
      weightSlots(layer).map(({ name }) => name),
    );
  return found;
}

const PARTS_OF_ARCHIVE = new Set(['config.json', 'metadata.json', 'model.weights.h5']);

/** A `.keras` archive (Keras 2.12 and later): `config.json`, `metadata.json`, `model.weights.h5`. @throws ConvertError */
export async function readKerasArchive(path: string): Promise<KerasModel> {
  const { names, files } = await unzip(await readFile(path), path, '.keras', (name) => PARTS_OF_ARCHIVE.has(name));
  const text = (name: string) => (files.has(name) ? Buffer.from(files.get(name)!).toString('utf8') : null);
  const config = text('config.json');
  const stored = files.get('model.weights.h5');
  if (!config || !stored) {
    const held = names.slice(0, 6).join(', ');
    throw new ConvertError(`${path}: is a zip archive but no .keras model (it holds ${held || 'nothing'})`);
  }
  const metadata = parseJson(text('metadata.json') ?? '{}', `${path}: metadata.json`) as { keras_version?: string };
  const version = metadata.keras_version ?? '3';
  const graph = parseTopology(parseJson(config, `${path}: config.json`), majorOf(version));
  // The HDF5 library reads files, not memory.
  const folder = await mkdtemp(join(tmpdir(), 'slothd-keras-'));
  try {
    const weightsFile = join(folder, 'model.weights.h5');
    await writeFile(weightsFile, stored);
    const file = await Hdf5File.open(weightsFile);
    try {
      const table = new Map<string, Weight[]>();
      readContainer(file, '', graph, '', table);
      return { graph, weights: (at) => table.get(at) ?? [], madeBy: `Keras ${version}` };
    } finally {
      file.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Where Keras keeps the layers of a model in `model.weights.h5`: the last two are those of Keras 2. */
const CONTAINERS = ['layers', '_layer_checkpoint_dependencies', '_layers'];

function readContainer(
  file: Hdf5File,
  at: string,
  graph: LayerGraph,
  path: string,
  table: Map<string, Weight[]>,
): void {
  const below = (base: string, name: string) => (base === '' ? name : `${base}/${name}`);
  const container = CONTAINERS.map((name) => below(at, name)).find((name) => file.has(name)) ?? below(at, 'layers');
  // A layer's group is named by its class and a counter, not by its own name: names may differ from run to run.
  const counts = new Map<string, number>();
  for (const layer of graph.layers) {
    const base = snake(layer.className);
    const count = counts.get(base) ?? 0;
    counts.set(base, count + 1);
    const group = below(container, count === 0 ? base : `${base}_${count}`);
    const inner = innerOf(layer);
    if (inner) readContainer(file, layer.inner ? group : `${group}/layer`, inner, `${path}/${layer.name}`, table);
    else {
      const slots = weightSlots(layer);
      if (slots.length === 0) continue;
      const stored = variablesBelow(file, group, layer);
      table.set(
        `${path}/${layer.name}`,
        stored.map((tensor, i) => ({ name: slots[i]?.name ?? `weight ${i}`, ...tensor })),
      );
    }
  }
}

/** keras/src/utils/naming.py: to_snake_case */
function snake(className: string): string {
  return className
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}

/** A layer's variables in order: its own, or those of the layers and cells inside it. */
function variablesBelow(file: Hdf5File, group: string, layer: GraphLayer): StoredTensor[] {
  const own = file.keys(`${group}/vars`).sort((a, b) => Number(a) - Number(b));
  if (own.length > 0) return own.map((name) => file.tensor(`${group}/vars/${name}`));
  return PARTS.filter((part) => file.has(`${group}/${part}`)).flatMap((part) =>
    variablesBelow(file, `${group}/${part}`, layer.wrapped ?? layer),
  );
}

/** Where a layer's own layers stand in its group, in the order of its weights; Keras 2 writes some with a `_`. */
const PARTS = [
  ...['cell', 'layer', 'forward_layer', 'backward_layer'],
  ...['query', 'key', 'value', 'output'].flatMap((part) => [`${part}_dense`, `_${part}_dense`]),
];
