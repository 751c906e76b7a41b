import type { Evidence } from '../domain/alert.js';
import type { StreamMs } from '../domain/clock.js';

/** What is kept of a waveform to show why an alert was raised. */
const KEPT_SECONDS = 15;
/** Evidence travels in the alert, so it is thinned to about this rate: enough to see a QRS. */
const EVIDENCE_RATE_HZ = 125;

/** The last seconds of a waveform, by sample number. */
export class TraceRing {
  private readonly values: Float32Array;
  private count = 0;

  constructor(
    private readonly rateHz: number,
    private readonly unit: string,
  ) {
    this.values = new Float32Array(Math.ceil(KEPT_SECONDS * rateHz));
  }

  push(value: number): void {
    this.values[this.count % this.values.length] = value;
    this.count++;
  }

  /** @returns the stretch from `fromMs` to `toMs`, as much as is kept; undefined where nothing is */
  capture(fromMs: StreamMs, toMs: StreamMs, timeOf: (sample: number) => StreamMs): Evidence['signal'] | undefined {
    const periodMs = timeOf(1) - timeOf(0);
    const oldest = Math.max(0, this.count - this.values.length);
    const from = Math.max(oldest, Math.ceil((fromMs - timeOf(0)) / periodMs));
    const to = Math.min(this.count, Math.floor((toMs - timeOf(0)) / periodMs) + 1);
    if (!(to > from)) return undefined;
    const step = Math.max(1, Math.round(this.rateHz / EVIDENCE_RATE_HZ));
    const samples: number[] = [];
    for (let i = from; i < to; i += step) {
      // The mean of a step, not its first sample: thinning must not turn mains hum into a slow wave.
      let sum = 0;
      const end = Math.min(i + step, to);
      for (let j = i; j < end; j++) sum += this.values[j % this.values.length]!;
      samples.push(Math.round((sum / (end - i)) * 1000) / 1000);
    }
    return { startAtMs: timeOf(from), rateHz: this.rateHz / step, unit: this.unit, samples };
  }
}
