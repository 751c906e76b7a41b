/** Which chamber's cells fired first: it decides how the beat looks. */
export type BeatOrigin = 'sinus' | 'atrial' | 'fibrillating-atria' | 'ventricular';

/** One beat of the synthetic heart: the truth that a detector is to find. */
export interface HeartBeat {
  /** Simulated time of the R peak, ms from the start. */
  readonly tMs: number;
  /** RR interval that ends at this beat, ms; null for the first. */
  readonly rrMs: number | null;
  readonly class: 'N' | 'S' | 'V';
  readonly origin: BeatOrigin;
  /** True while the atria fibrillate: no P wave, f waves instead. */
  readonly fibrillating: boolean;
  /** Strength of the pulse it drives, 1 = a resting beat. An early beat finds the ventricle half empty. */
  readonly pulse: number;
  /** Beat-to-beat factor of the QRS amplitude, near 1. */
  readonly gain: number;
  /** Smoothed RR, ms: what repolarisation (the T wave) follows, as QT lags the heart rate. */
  readonly pacedRrMs: number;
}
