import type { ReadingSink } from '../../domain/reading.js';

const RATE_INVALID = 0xff;
const SPO2_INVALID = 0x7f;
const LEAST_BPM = 25;
const HIGHEST_BPM = 250;
const LEAST_SPO2 = 35;

/**
 * Rate and SpO2 of oximeters without a checksum. A pair is only told once two packets in a row agree on it and both
 * numbers can be of a person; an impossible one is counted.
 */
export class OximeterValues {
  private rate = -1;
  private spo2 = -1;

  constructor(private readonly sink: ReadingSink) {}

  reset(): void {
    this.rate = -1;
    this.spo2 = -1;
  }

  /** The two numbers as one packet holds them. `valid` false: the device says they are of no pulse. */
  packet(rate: number, spo2: number, valid: boolean): void {
    const { sink } = this;
    const agreed = rate === this.rate && spo2 === this.spo2;
    this.rate = rate;
    this.spo2 = spo2;
    if (!agreed) return;
    const rateGood = rate >= LEAST_BPM && rate <= HIGHEST_BPM;
    const spo2Good = spo2 >= LEAST_SPO2 && spo2 <= 100;
    if ((!rateGood && rate !== RATE_INVALID) || (!spo2Good && spo2 !== SPO2_INVALID)) {
      sink.dropped('out-of-range', 0);
      return;
    }
    sink.heartRate(valid && rateGood ? rate : Number.NaN);
    sink.spo2(valid && spo2Good ? spo2 : Number.NaN);
  }
}

/** The rate as its field holds it. */
export function rateField(hrBpm: number): number {
  return hrBpm > 0 ? Math.min(HIGHEST_BPM, Math.max(LEAST_BPM, Math.round(hrBpm))) : RATE_INVALID;
}

/** SpO2 as its field holds it. */
export function spo2Field(percent: number): number {
  return percent > 0 ? Math.min(100, Math.max(LEAST_SPO2, Math.round(percent))) : SPO2_INVALID;
}
