import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EpochReport } from './loop.js';
import { replaceFile } from './model-files.js';

/** Loss and validation by epoch of one training of a making: a fold, or the model itself. */
export interface PhaseHistory {
  readonly phase: string;
  readonly epochs: readonly EpochReport[];
}

const FILE = 'history.json';

/** Writes `history.json` beside a model: the curves of a report. */
export async function saveHistory(folder: string, phases: readonly PhaseHistory[]): Promise<void> {
  await replaceFile(join(folder, FILE), `${JSON.stringify(phases, null, 1)}\n`);
}

/** @returns an empty list where there is none */
export async function loadHistory(folder: string): Promise<PhaseHistory[]> {
  const text = await readFile(join(folder, FILE), 'utf8').catch(() => '[]');
  return JSON.parse(text) as PhaseHistory[];
}
