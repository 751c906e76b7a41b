import { readdir, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import type { SeenInTraining } from '../onnx/builder.js';
import type { OnnxModel } from '../onnx/ir.js';
import type { ModelItem } from '../quantize/runtime.js';
import { ConvertError } from './error.js';
import { type KerasModel, readKerasArchive, readKerasH5 } from './keras/read.js';
import { convertKeras } from './keras/to-onnx.js';
import { readOnnxSource } from './onnx-file.js';
import { readTfjsJson, readTfjsLayers } from './tfjs/read.js';

/** The source model's own program, to compare with. */
export interface Reference {
  /** For a person: which program. */
  readonly by: string;
  /** Outputs in the model's order, each flat over all items. */
  run(items: readonly ModelItem[]): Promise<Float32Array[]>;
  close(): void;
}

/** A model that somebody brought, as a float ONNX graph. */
export interface SourceModel {
  /** For a person: "Keras 3.15.1 model (.keras)". */
  readonly description: string;
  readonly name: string;
  readonly onnx: OnnxModel;
  /** What its normalizations know of the data it was trained on, where the file tells. */
  readonly seenInTraining?: readonly SeenInTraining[];
  /** @throws Error saying why there is none */
  reference(): Promise<Reference>;
}

export interface SourceOptions {
  /** Shapes of inputs that the model leaves open, by input name, '' for the only one. */
  readonly inputShapes?: ReadonlyMap<string, readonly number[]>;
}

const KINDS =
  'a .keras or .h5 file, a .onnx file, a model.json of TensorFlow.js (or its folder), or the folder of a TensorFlow SavedModel';

/**
 * Reads a model from its file or folder.
 * @throws ConvertError when it is none that can be read; UnsupportedLayerError naming what cannot be converted
 */
export async function openSource(path: string, options: SourceOptions = {}): Promise<SourceModel> {
  try {
    return await openAny(path, options);
  } catch (error) {
    // What a damaged file may hold has no end: whatever is stumbled over is the file's fault.
    if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    throw new ConvertError(`${path}: is damaged, or no model as its kind has them (${error.message})`);
  }
}

async function openAny(path: string, options: SourceOptions): Promise<SourceModel> {
  const info = await stat(path).catch(() => null);
  if (!info) throw new ConvertError(`${path}: there is no such file or folder; a model is ${KINDS}`);
  if (info.isDirectory()) {
    const files = await readdir(path);
    if (files.includes('model.json')) return openTfjs(join(path, 'model.json'), options);
    if (files.includes('saved_model.pb')) return openSavedModel(path, options);
    throw new ConvertError(
      `${path}: holds neither model.json (TensorFlow.js) nor saved_model.pb (TensorFlow SavedModel)`,
    );
  }
  switch (extname(path).toLowerCase()) {
    case '.keras':
      return fromKeras(path, await readKerasArchive(path), '.keras', options);
    case '.h5':
    case '.hdf5':
      return fromKeras(path, await readKerasH5(path), '.h5', options);
    case '.json':
      return openTfjs(path, options);
    case '.pb':
      return openSavedModel(join(path, '..'), options);
    case '.onnx':
      return readOnnxSource(path, nameOf(path), options);
    default:
      throw new ConvertError(`${path}: is not a model that can be read; a model is ${KINDS}`);
  }
}

function nameOf(path: string): string {
  const base = basename(path) === 'model.json' ? basename(join(path, '..')) : basename(path, extname(path));
  const word = base
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '');
  return word.slice(0, 60) || 'model';
}

function fromKeras(
  path: string,
  { graph, weights, madeBy }: KerasModel,
  kind: string,
  options: SourceOptions,
): SourceModel {
  const name = nameOf(path);
  const { onnx, seenInTraining } = convertKeras(graph, weights, { name, ...options });
  return {
    description: `${madeBy} model (${kind})`,
    name,
    onnx,
    seenInTraining,
    async reference() {
      const { tfjsReference } = await import('./tfjs/reference.js');
      return tfjsReference(graph, weights, shapesOf(onnx));
    },
  };
}

/** Shapes of a model's inputs without the batch. */
function shapesOf({ graph }: OnnxModel): number[][] {
  return graph.inputs.map(({ shape }) => (shape ?? []).slice(1).map(Number));
}

async function openTfjs(file: string, options: SourceOptions): Promise<SourceModel> {
  const json = await readTfjsJson(file);
  if (json.format === 'graph-model') {
    const { openTfjsGraph } = await import('./graph/open.js');
    return openTfjsGraph(file, json, nameOf(file), options);
  }
  const model = await readTfjsLayers(file, json);
  const source = fromKeras(file, model, 'TensorFlow.js layers model', options);
  return {
    ...source,
    async reference() {
      // TensorFlow.js reads its own file: nothing of our reader is in between.
      const { loadModel } = await import('../train/model-files.js');
      const { openBackend } = await import('../backend.js');
      const { wrapTfjsModel } = await import('./tfjs/reference.js');
      await openBackend();
      return wrapTfjsModel(await loadModel(join(file, '..'), basename(file)), shapesOf(source.onnx));
    },
  };
}

async function openSavedModel(folder: string, options: SourceOptions): Promise<SourceModel> {
  const { openSavedModelFolder } = await import('./graph/open.js');
  return openSavedModelFolder(folder, nameOf(folder), options);
}
