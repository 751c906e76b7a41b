import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unzipSync } from 'fflate';

export interface Answers {
  /** One flat array per input, a batch of three items. */
  readonly inputs: readonly Float32Array[];
  readonly outputs: readonly Float32Array[];
}

/** Unpacks the models that Keras made into a folder of their own. */
export function unpackModels(): { folder: string; answers: ReadonlyMap<string, Answers> } {
  const archive = fileURLToPath(new URL('../../fixtures/keras/models.zip', import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), 'slothd-convert-'));
  for (const [name, bytes] of Object.entries(unzipSync(readFileSync(archive)))) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  }
  const raw = JSON.parse(readFileSync(join(folder, 'answers.json'), 'utf8')) as Record<
    string,
    { inputs: number[][]; outputs: number[][] }
  >;
  const floats = (lists: number[][]) => lists.map((values) => Float32Array.from(values));
  return {
    folder,
    answers: new Map(
      Object.entries(raw).map(([name, { inputs, outputs }]) => [
        name,
        { inputs: floats(inputs), outputs: floats(outputs) },
      ]),
    ),
  };
}
