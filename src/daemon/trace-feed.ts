/** The dashboard draws at most about this many values a second; more cannot be seen. */
const SHOWN_RATE_HZ = 250;

/** Thins a waveform for the live trace and hands it over in bundles, only while somebody looks. */
export class TraceFeed {
  private readonly step: number;
  private values: number[] = [];
  private newest = 0;
  private skip = 0;

  constructor(private readonly rateHz: number) {
    this.step = Math.max(1, Math.round(rateHz / SHOWN_RATE_HZ));
  }

  push(values: Float32Array, count: number, firstSample: number): void {
    for (let i = 0; i < count; i++) {
      if (this.skip-- > 0) continue;
      this.skip = this.step - 1;
      this.values.push(Math.round(values[i]! * 1000) / 1000);
      this.newest = firstSample + i;
    }
  }

  /** @returns what came since the last call, or null */
  take(): { rateHz: number; step: number; newest: number; values: number[] } | null {
    if (this.values.length === 0) return null;
    const bundle = { rateHz: this.rateHz / this.step, step: this.step, newest: this.newest, values: this.values };
    this.values = [];
    return bundle;
  }

  drop(): void {
    this.values = [];
  }
}
