import type { LabProgress } from '../progress.js';
import type { PruningTableOptions } from '../prune/table.js';
import type { EpochReport } from '../train/loop.js';

/** What is told while a pruning table is made: epochs of all its trainings in one count, each by the row it is for. */
export function pruningProgress(of: number, onProgress?: (progress: LabProgress) => void) {
  let done = 0;
  let stage = 'training on all but a fold of the people';
  return {
    onEpoch(epoch: EpochReport): void {
      onProgress?.({ stage, done: ++done, of, epoch });
    },
    onRow: ((_done, _of, kind, share) => {
      stage = kind === 'none' ? 'as it is' : `${kind} ${(share * 100).toFixed(0)} %`;
    }) satisfies PruningTableOptions['onRow'],
  };
}
