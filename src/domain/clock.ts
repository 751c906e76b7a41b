/**
 * Time as slothd uses it. Durations and timeouts run on the monotonic clock, which never steps; the wall clock appears
 * only on what leaves the device, always with a word on whether it can be trusted.
 */
export interface Clock {
  /** Milliseconds on a clock that never steps back. Its zero means nothing. */
  monotonicMs(): number;
  /** Milliseconds since the Unix epoch, as this machine believes. */
  wallMs(): number;
  /** Whether the wall clock is known to be set (NTP or RTC), as far as the machine can tell. */
  synced(): boolean;
}

/**
 * Stream time: what every station's `tMs` is. For a live sensor it is the monotonic clock's time at which the thing
 * happened in the body (arrival jitter taken out); for a replay it is milliseconds from the start of the record.
 */
export type StreamMs = number;

/** Delayed calls, passed in so that a test can own them. */
export interface Timers {
  /** Calls `run` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, run: () => void): () => void;
}
