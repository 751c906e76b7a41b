import type { Clock } from '../domain/clock.js';
import type { StageRecorder } from '../domain/stage.js';
import type { KeyValueStore } from '../domain/store.js';

/** A store that tells how long its writes take, and how long one has been on its way. */
export interface MeasuredStore extends KeyValueStore {
  /** Age of the oldest write that has not come back, ms; 0 where there is none. */
  pendingMs(): number;
}

export function measuredStore(store: KeyValueStore, clock: Clock, stages: StageRecorder): MeasuredStore {
  const pending = new Set<{ readonly sinceMs: number }>();
  return {
    async batch(writes) {
      const write = { sinceMs: clock.monotonicMs() };
      pending.add(write);
      try {
        await store.batch(writes);
        stages.record('outbox_write', clock.monotonicMs() - write.sinceMs);
      } finally {
        pending.delete(write);
      }
    },
    scan: (prefix) => store.scan(prefix),
    close: () => store.close(),
    pendingMs() {
      // Sets keep their order: the first is the oldest.
      for (const { sinceMs } of pending) return clock.monotonicMs() - sinceMs;
      return 0;
    },
  };
}
