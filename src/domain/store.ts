/** A write of `KeyValueStore.batch`: `value` null deletes the key. */
export interface StoreWrite {
  readonly key: string;
  readonly value: string | null;
}

/**
 * What the daemon keeps across a restart or a power cut. Keys are `station/...`; a batch is written whole or not at all
 * and its promise resolves once it is on the disk (fsync).
 */
export interface KeyValueStore {
  batch(writes: readonly StoreWrite[]): Promise<void>;
  /** All entries whose key starts with `prefix`, in key order. */
  scan(prefix: string): AsyncIterable<readonly [key: string, value: string]>;
  close(): Promise<void>;
}
