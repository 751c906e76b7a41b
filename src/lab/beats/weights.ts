import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { weightsFromText, weightsToText } from '../../signal/ecg/verifier.js';

/** Where the cross-validation's weights lie, from the project's root. */
const FOLD_FOLDER = 'bench/fold-weights';
const SHIPPED_FILE = 'src/signal/ecg/verifier-weights.ts';

/** Weights of a fold: trained on every record outside it. */
export async function readFoldWeights(projectDir: string, fold: number): Promise<Float32Array> {
  return weightsFromText(await readFile(foldFile(projectDir, fold), 'utf8'));
}

export async function writeFoldWeights(projectDir: string, fold: number, weights: ArrayLike<number>): Promise<void> {
  await writeFile(foldFile(projectDir, fold), `${weightsToText(weights)}\n`);
}

/** The weights in the module that the product runs with, as they are on disk. @throws RangeError when there are none in it */
export async function readShippedWeights(projectDir: string): Promise<Float32Array> {
  const text = /'([A-Za-z0-9+/=]+)'/.exec(await readFile(join(projectDir, SHIPPED_FILE), 'utf8'))?.[1];
  if (!text) throw new RangeError(`${SHIPPED_FILE} holds no weights`);
  return weightsFromText(text);
}

/** Writes the module with the weights the product runs with. */
export async function writeShippedWeights(projectDir: string, weights: ArrayLike<number>): Promise<void> {
  const source = `/**
 * The beat verifier's weights, trained on all of mitdb and svdb. Made by \`node dist/lab/beats/make-weights.js ship\`; how good the
 * method is on people it never saw is measured with other weights (bench/fold-weights, \`npm run bench:beats\`).
 * Base64 of 32-bit floats, least byte first, in the order of \`WEIGHT_COUNT\`.
 */
export const VERIFIER_WEIGHTS =
  '${weightsToText(weights)}';
`;
  await writeFile(join(projectDir, SHIPPED_FILE), source);
}

function foldFile(projectDir: string, fold: number): string {
  return join(projectDir, FOLD_FOLDER, `beats-${fold}.txt`);
}
