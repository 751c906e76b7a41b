import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { LabError } from '../error.js';

/**
 * Writes a model as TensorFlow.js does: `model.json` and `weights.bin` in a folder, readable by any tfjs.
 * The plain packages of TensorFlow.js have no file access of their own; only the native one has.
 */
export async function saveModel(model: tf.LayersModel, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await model.save(
    tf.io.withSaveHandler(async ({ modelTopology, weightSpecs, weightData, format, generatedBy, convertedBy }) => {
      const bytes = new Uint8Array(tf.io.CompositeArrayBuffer.join(weightData));
      const weightsManifest = [{ paths: ['weights.bin'], weights: weightSpecs }];
      const json = JSON.stringify({ format, generatedBy, convertedBy, modelTopology, weightsManifest });
      // model.json last: a folder without it is no model, so a half-written one is never loaded.
      await replaceFile(join(folder, 'weights.bin'), bytes);
      await replaceFile(join(folder, 'model.json'), json);
      return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
    }),
  );
}

/**
 * Reads a model that `saveModel` (or tfjs) wrote to a folder.
 * @throws LabError that names the file, where it is missing or not a layers model
 */
export async function loadModel(folder: string, name = 'model.json'): Promise<tf.LayersModel> {
  const file = join(folder, name);
  try {
    const { modelTopology, weightsManifest } = JSON.parse(await readFile(file, 'utf8')) as tf.io.ModelJSON;
    const parts = weightsManifest.flatMap(({ paths }) => paths);
    const buffers = await Promise.all(parts.map((path) => readFile(join(folder, path))));
    const weightData = new Uint8Array(Buffer.concat(buffers)).buffer;
    const weightSpecs = weightsManifest.flatMap(({ weights }) => weights);
    return await tf.loadLayersModel(tf.io.fromMemory({ modelTopology, weightSpecs, weightData }));
  } catch (error) {
    throw new LabError(`${file}: no layers model can be read (${(error as Error).message})`, { cause: error });
  }
}

/** Replaces a file whole or not at all. */
export async function replaceFile(file: string, content: string | Uint8Array): Promise<void> {
  await writeFile(`${file}.new`, content);
  await rename(`${file}.new`, file);
}
