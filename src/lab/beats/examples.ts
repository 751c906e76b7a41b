import { EcgBeatDetector } from '../../signal/ecg/detector.js';
import { FEATURE_COUNT } from '../../signal/ecg/features.js';
import type { BeatJudge } from '../../signal/ecg/judge.js';
import { BEAT, UNKNOWN } from './labels.js';
import type { Lead } from './leads.js';

/** Candidates as the verifier saw them, with the truth: rows of `FEATURE_COUNT` features, a label (0, 1) and a weight each. */
export class Examples {
  count = 0;
  features = new Float32Array(FEATURE_COUNT * 1024);
  labels = new Uint8Array(1024);
  weights = new Float32Array(1024);

  add(features: Float64Array, label: number, weight: number): void {
    if (this.count === this.labels.length) this.grow();
    this.features.set(features, this.count * FEATURE_COUNT);
    this.labels[this.count] = label;
    this.weights[this.count] = weight;
    this.count++;
  }

  private grow(): void {
    const size = this.labels.length * 2;
    const features = new Float32Array(size * FEATURE_COUNT);
    features.set(this.features);
    this.features = features;
    const labels = new Uint8Array(size);
    labels.set(this.labels);
    this.labels = labels;
    const weights = new Float32Array(size);
    weights.set(this.weights);
    this.weights = weights;
  }
}

/** Candidates the verifier is this sure of, and right, are thinned out: one in `THIN` is kept, with `THIN` times the weight. */
const SURE = 0.005;
const THIN = 8;

/**
 * A beat under heavy noise counts this much more than what is no beat there: F1 is greatest with a threshold of half the F1
 * that can be reached (Lipton, Elkan and Naryanaswamy 2014), which is about 2/3 there and nearly 1 elsewhere.
 */
const HEAVY_BEAT = 2;

/**
 * Runs the detector over a lead and keeps the candidates it was shown.
 * @param judge who decides; null: the truth
 */
export function collect(lead: Lead, judge: BeatJudge | null, into: Examples): void {
  const { signal, labels, heavy } = lead;
  let easy = 0;
  const detector = new EcgBeatDetector({
    rateHz: lead.rateHz,
    onBeat: () => {},
    judge: {
      judge(features, sample) {
        const label = labels[sample] ?? UNKNOWN;
        const p = judge ? judge.judge(features, sample) : label === BEAT ? 1 : 0;
        if (label === UNKNOWN) return p;
        const weight = label === BEAT && heavy?.[sample] === 1 ? HEAVY_BEAT * lead.weight : lead.weight;
        if (!judge || Math.abs(p - label) > SURE) into.add(features, label, weight);
        else if (++easy % THIN === 0) into.add(features, label, weight * THIN);
        return p;
      },
    },
  });
  for (let i = 0; i < signal.length; i++) detector.push(signal[i]!);
  detector.flush();
}
