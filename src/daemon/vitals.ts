import type { Beat } from '../domain/beat.js';
import type { Quality } from '../domain/quality.js';
import type { Pipeline } from './pipeline.js';

/** What a sensor shows once a second. */
export interface Vitals {
  readonly hrBpm: number | null;
  /** RR intervals of the beats since the last call. */
  readonly rrMs: readonly number[];
  readonly rhythm: 'regular' | 'afib' | 'unknown';
  readonly quality: Quality;
  readonly contact: boolean | null;
  readonly spo2Percent: number | null;
  readonly batteryPercent: number | null;
}

/** Most intervals kept between two rounds: a person's heart makes at most 5 a second. */
const MAX_PENDING_RR = 64;
const NO_QUALITY: Quality = { tMs: 0, state: 'none', reasons: ['starting'] };

/** Gathers a sensor's vitals between two rounds. */
export class VitalsBook {
  spo2Percent: number | null = null;
  batteryPercent: number | null = null;
  private pendingRrMs: number[] = [];

  beat(beat: Beat): void {
    if (beat.rrMs !== null && this.pendingRrMs.length < MAX_PENDING_RR) this.pendingRrMs.push(Math.round(beat.rrMs));
  }

  /** The state now; `rrMs` begins anew. */
  take(pipeline: Pipeline | null): Vitals {
    const vitals = this.peek(pipeline);
    this.pendingRrMs = [];
    return vitals;
  }

  peek(pipeline: Pipeline | null): Vitals {
    const quality = pipeline?.quality ?? NO_QUALITY;
    const bpm = pipeline?.heartRateBpm ?? null;
    return {
      hrBpm: bpm === null ? null : Math.round(bpm * 10) / 10,
      rrMs: this.pendingRrMs,
      rhythm: pipeline?.rhythm?.label ?? 'unknown',
      quality,
      contact: quality.state === 'none' ? null : quality.state !== 'contact-off',
      spo2Percent: this.spo2Percent,
      batteryPercent: this.batteryPercent,
    };
  }
}
