import { createHash } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { EpochReport } from './loop.js';

/** Something whose course a training depends on: a random stream, a sampler, the masks of a pruning. */
export interface Resumable {
  /** What `restore` needs, as JSON can hold it. */
  save(): unknown;
  restore(saved: unknown): void;
}

/** A training as it stands between two steps: all that its further course depends on. */
export interface Checkpoint {
  /** What must be the same for the training to go on: see `fingerprintOf`. */
  readonly fingerprint: string;
  readonly backend: string;
  /** Steps done. */
  readonly step: number;
  /** Sum of the losses of the epoch that is under way. */
  readonly lossSum: number;
  readonly history: readonly EpochReport[];
  /** Nothing more to do: the weights are the result. */
  readonly finished: boolean;
  /** Early stopping: the epoch with the best validation so far; null without. */
  readonly best: { readonly epoch: number; readonly value: number } | null;
  readonly states: readonly unknown[];
  /** Trained weights, their means and squares in the optimizer, weights that are not trained, best weights, one after the other. */
  readonly arrays: readonly Float32Array[];
}

/** A checkpoint that cannot be taken up; the message says why and what to do. */
export class CheckpointError extends Error {
  override readonly name = 'CheckpointError';
}

const MAGIC = 'slothd-checkpoint-2';

/** Names what decides the course of a training: topology, settings. Another one must not be resumed. */
export function fingerprintOf(parts: unknown): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);
}

/** Writes a checkpoint so that after a kill or a power cut either the former or the new one is there, whole. */
export async function writeCheckpoint(file: string, checkpoint: Checkpoint): Promise<void> {
  const { arrays, ...rest } = checkpoint;
  const body = Buffer.concat(arrays.map((values) => Buffer.from(values.buffer, values.byteOffset, values.byteLength)));
  const about = { lengths: arrays.map(({ length }) => length), ...rest };
  const header = JSON.stringify({ magic: MAGIC, sha256: digestOf(about, body), ...about });
  await mkdir(dirname(file), { recursive: true });
  const handle = await open(`${file}.new`, 'w');
  try {
    await handle.writeFile(Buffer.concat([Buffer.from(`${header}\n`), body]));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.new`, file);
}

/** Of all that a checkpoint holds: a changed digit in its head would go on as silently as one in a weight. */
function digestOf(about: unknown, body: Uint8Array): string {
  return createHash('sha256').update(JSON.stringify(about)).update(body).digest('hex');
}

/**
 * Reads what `writeCheckpoint` wrote.
 * @returns null where there is none
 * @throws CheckpointError where the file is damaged or is no checkpoint
 */
export async function readCheckpoint(file: string): Promise<Checkpoint | null> {
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (!bytes) return null;
  const damaged = (why: string) =>
    new CheckpointError(`${file}: ${why}; delete it, or train without --resume, to begin anew`);
  const end = bytes.indexOf(10);
  let header: Omit<Checkpoint, 'arrays'> & { magic: string; lengths: number[]; sha256: string };
  try {
    header = JSON.parse(bytes.toString('utf8', 0, Math.max(0, end)));
  } catch {
    throw damaged('is no checkpoint');
  }
  if (header?.magic !== MAGIC) throw damaged('is no checkpoint of this version');
  const body = bytes.subarray(end + 1);
  const { magic, sha256, ...about } = header;
  if (digestOf(about, body) !== sha256) throw damaged('the checkpoint is damaged');
  const { lengths, ...rest } = about;
  let at = 0;
  const arrays = lengths.map((length) => {
    const values = new Float32Array(length);
    new Uint8Array(values.buffer).set(body.subarray(at, at + 4 * length));
    at += 4 * length;
    return values;
  });
  return { ...rest, arrays };
}
