import { fileURLToPath } from 'node:url';
import { type ReferenceBeats, referenceBeats } from '../../../src/lab/evaluation/beat-match.js';
import { readAnnotations, readRecord } from '../../../src/lab/wfdb/index.js';
import { EcgBeatDetector, type EcgBeatDetectorOptions } from '../../../src/signal/ecg/detector.js';

export interface Excerpt {
  readonly rateHz: number;
  readonly signal: Float32Array;
  readonly reference: ReferenceBeats;
}

/** One minute of MITDB: 100 (normal), 208 (many ventricular and fusion beats). */
export async function excerpt(name: '100' | '208'): Promise<Excerpt> {
  const path = fileURLToPath(new URL(`../../fixtures/wfdb/${name}`, import.meta.url));
  const { rateHz, signals } = await readRecord(path);
  const reference = referenceBeats(await readAnnotations(`${path}.atr`), rateHz);
  return { rateHz, signal: signals[0]!.samples, reference };
}

export interface Detected {
  readonly sample: number;
  readonly decidedAt: number;
  readonly confidence: number;
}

export function detect(
  signal: ArrayLike<number>,
  rateHz: number,
  options: Partial<EcgBeatDetectorOptions> & { flush?: boolean } = {},
): Detected[] {
  const beats: Detected[] = [];
  const detector = new EcgBeatDetector({
    rateHz,
    onBeat: (sample, decidedAt, confidence) => beats.push({ sample, decidedAt, confidence }),
    ...options,
  });
  for (let i = 0; i < signal.length; i++) detector.push(signal[i]!);
  if (options.flush !== false) detector.flush();
  return beats;
}

export function samplesOf(beats: readonly Detected[]): number[] {
  return beats.map((beat) => beat.sample);
}

/** The signal at another rate, by linear interpolation. */
export function atRate(signal: Float32Array, fromHz: number, toHz: number): Float32Array {
  const length = Math.floor(((signal.length - 1) * toHz) / fromHz);
  return Float32Array.from({ length }, (_, i) => {
    const position = (i * fromHz) / toHz;
    const k = Math.floor(position);
    return signal[k]! + (position - k) * (signal[k + 1]! - signal[k]!);
  });
}
