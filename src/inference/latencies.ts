import type { Histogram } from 'hdr-histogram-js';
// Not the whole package: see watch/latency.ts.
import { build } from 'hdr-histogram-js/dist/HistogramBuilder.js';

/** Recent answers that the soft budget is judged by: a minute of one heart, enough that 1 % of them is a few. */
const RECENT = 256;
/** Fewer than this say nothing of a p99. */
const MIN_RECENT = 20;

/** How long answers took: exact percentiles since the start, and the same for the last few hundred. */
export class Latencies {
  readonly #all: Histogram = build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 120_000_000,
    numberOfSignificantValueDigits: 3,
    bitBucketSize: 32,
  });
  readonly #recentMs = new Float64Array(RECENT);
  #count = 0;

  record(durationMs: number): void {
    this.#all.recordValue(Math.max(1, Math.min(120_000_000, Math.round(durationMs * 1000))));
    this.#recentMs[this.#count++ % RECENT] = durationMs;
  }

  /** As if nothing had been recorded. */
  reset(): void {
    this.#all.reset();
    this.#count = 0;
  }

  get count(): number {
    return this.#count;
  }

  percentileMs(percent: number): number {
    return this.#count === 0 ? 0 : this.#all.getValueAtPercentile(percent) / 1000;
  }

  get maxMs(): number {
    return this.#count === 0 ? 0 : this.#all.maxValue / 1000;
  }

  /** p99 of the last `RECENT` answers; null while there are too few to say. */
  recentP99Ms(): number | null {
    const filled = Math.min(this.#count, RECENT);
    if (filled < MIN_RECENT) return null;
    const sorted = this.#recentMs.slice(0, filled).sort();
    return sorted[Math.ceil(filled * 0.99) - 1] ?? null;
  }
}
