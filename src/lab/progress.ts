import type { EpochReport } from './train/loop.js';

/** A line for a person about what goes on, and where in the whole it stands. */
export interface LabProgress {
  readonly stage: string;
  readonly done: number;
  readonly of: number;
  readonly epoch?: EpochReport;
}
