import type { BeatClassReport } from '../../evaluation/beat-classes.js';
import { balance, composite, type LogitOffsets, NO_OFFSETS, type ScoredRecord } from './decide.js';
import { figuresOf } from './figures.js';
import type { BeatSplit } from './split.js';

/** Cross-validated figures as they go into `training.json` and the card. */
export interface Validation {
  readonly method: string;
  readonly balance: number;
  readonly composite: number;
  readonly compositeWithoutOffsets: number;
  readonly databases: Readonly<Record<string, DatabaseFigures>>;
  /** Where several seeds were tried. */
  readonly seeds?: readonly SeedFigures[];
}

/** Figures of the people of one database; by rhythm where its annotations tell of fibrillation. */
export interface DatabaseFigures {
  readonly pooled: BeatClassReport;
  readonly insideAf?: BeatClassReport;
  readonly outsideAf?: BeatClassReport;
}

/** Cross-validated figures of one of several seeds, by name. */
export interface SeedFigures {
  readonly seed: number;
  readonly figures: Readonly<Record<string, number>>;
}

/** @param scored every record of the training people, by a model that did not see its person */
export function validationOf(
  scored: readonly ScoredRecord[],
  folds: number,
  offsets: LogitOffsets,
  split: BeatSplit,
): Validation {
  const databases = [...new Set(scored.map(({ record }) => record.database))];
  const of = (database: string): DatabaseFigures => {
    const own = scored.filter(({ record }) => record.database === database);
    const { pooled, insideAf, outsideAf } = figuresOf(own, offsets);
    return insideAf.beats > 0 ? { pooled, insideAf, outsideAf } : { pooled };
  };
  return {
    method: `${folds} folds by patient over ${split.trainTitle}; offsets chosen on the same folds (not nested)`,
    balance: balance(scored, offsets),
    composite: composite(scored, offsets),
    compositeWithoutOffsets: composite(scored, NO_OFFSETS),
    databases: Object.fromEntries(databases.sort().map((database) => [database, of(database)])),
  };
}

/** What is told of a seed that was tried. */
export function seedFigures(seed: number, { composite, databases }: Validation, split: BeatSplit): SeedFigures {
  const figures: Record<string, number> = { composite };
  for (const [database, { pooled, outsideAf }] of Object.entries(databases)) {
    const title = split.titleOf(database);
    figures[`accuracy ${title}`] = pooled.accuracy;
    figures[`S F1 ${title}`] = pooled.S.f1;
    if (outsideAf) figures[`S F1 ${title} outside AF`] = outsideAf.S.f1;
    figures[`V F1 ${title}`] = pooled.V.f1;
  }
  return { seed, figures };
}

/** Cross-validated accuracy, every database counting the same; NaN where none was made. */
export function crossValidated(validation: Validation | null): number {
  const figures = Object.values(validation?.databases ?? {});
  return figures.reduce((sum, { pooled }) => sum + pooled.accuracy, 0) / figures.length;
}

/** Trainings until 1.1.0 have their two databases beside the other figures. */
export function inPresentShape(validation: unknown): Validation | null {
  if (validation === null || validation === undefined) return null;
  const { mitdb, svdb, ...rest } = validation as Validation & Partial<Record<'mitdb' | 'svdb', DatabaseFigures>>;
  return mitdb && svdb ? { ...rest, databases: { mitdb, svdb } } : rest;
}
