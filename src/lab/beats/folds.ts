import type { BeatRecord } from './records.js';

export const FOLDS = 6;

/**
 * The fold whose test set a record belongs to. Records follow one another through the folds in order of their names, so every
 * fold has its share of both databases; 202 goes with 201, the same patient.
 */
export function assignFolds(records: readonly Pick<BeatRecord, 'database' | 'name'>[]): Map<string, number> {
  const folds = new Map<string, number>();
  const keys = records.map(recordKey).sort();
  let next = 0;
  for (const key of keys) {
    if (key === 'mitdb/202' && folds.has('mitdb/201')) folds.set(key, folds.get('mitdb/201')!);
    else folds.set(key, next++ % FOLDS);
  }
  return folds;
}

export function recordKey({ database, name }: Pick<BeatRecord, 'database' | 'name'>): string {
  return `${database}/${name}`;
}
