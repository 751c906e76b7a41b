import { FrontEnd } from '../../signal/ecg/front-end.js';
import { Lead } from '../../signal/ecg/lead.js';
import type { ReferenceBeats } from '../evaluation/beat-match.js';

export const NOT_A_BEAT = 0;
export const BEAT = 1;
/** Inside flutter: neither counts. */
export const UNKNOWN = 2;

/** A candidate belongs to a beat within this many detector samples (156 ms). */
const REACH = 20;

/**
 * The truth about every candidate of a lead: for each beat the candidate near it with most energy, nearness weighed in.
 * @param signal the lead, as the detector will be shown it
 * @param rateHz the rate the detector will be told
 * @returns for each native sample NOT_A_BEAT, BEAT or UNKNOWN; the detector asks at its candidates' samples
 */
export function labelCandidates(signal: Float32Array, rateHz: number, reference: ReferenceBeats): Uint8Array {
  const lead = new Lead(rateHz);
  const front = new FrontEnd();
  const at: number[] = [];
  const strength: number[] = [];
  const step = (source: Float64Array) => {
    const c = front.push(source);
    if (c < 0) return;
    at.push(c);
    strength.push(front.peakiness(c));
  };
  for (let i = 0; i < signal.length; i++) {
    if (!lead.push(signal[i]!)) continue;
    while (lead.next()) step(lead.out);
  }
  const { samplesPerStep: per, start } = lead;
  const rest = new Float64Array([front.n >= 0 ? front.z[front.n & 1023]! : 0]);
  for (let k = 0; k < 64; k++) step(rest);

  const labels = new Uint8Array(signal.length + Math.ceil(64 * per) + 1);
  const nativeOf = (c: number) => start + Math.round(c * per);
  for (const [from, to] of reference.flutter) labels.fill(UNKNOWN, from, Math.min(labels.length, to + 1));
  const taken = new Uint8Array(at.length);
  let from = 0;
  for (const beat of reference.samples) {
    const position = (beat - start) / per;
    while (from < at.length && at[from]! < position - REACH) from++;
    let best = -1;
    let top = 0;
    for (let k = from; k < at.length && at[k]! <= position + REACH; k++) {
      const distance = (at[k]! - position) / (REACH + 4);
      const score = strength[k]! * (1 - distance * distance);
      if (!taken[k] && score > top) {
        top = score;
        best = k;
      }
    }
    if (best < 0) continue;
    taken[best] = 1;
    labels[nativeOf(at[best]!)] = BEAT;
  }
  return labels;
}
