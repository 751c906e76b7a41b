import type { KeyValueStore, StoreWrite } from '../domain/store.js';

/** A store that forgets: for the demo, for replays and for tests. */
export function createMemoryStore(): KeyValueStore {
  const entries = new Map<string, string>();
  let closed = false;
  return {
    async batch(writes: readonly StoreWrite[]) {
      if (closed) throw new Error('the store is closed');
      for (const { key, value } of writes) {
        if (value === null) entries.delete(key);
        else entries.set(key, value);
      }
    },
    async *scan(prefix: string) {
      const keys = [...entries.keys()].filter((key) => key.startsWith(prefix)).sort();
      for (const key of keys) {
        const value = entries.get(key);
        if (value !== undefined) yield [key, value] as const;
      }
    },
    async close() {
      closed = true;
    },
  };
}
