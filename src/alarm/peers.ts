import type { AlertKind } from '../domain/alert.js';
import type { BeatSource } from '../domain/beat.js';
import { explainedBy } from './subsumption.js';

/** What another sensor on the same person has seen of late. Only a sensor whose signal is good bears witness. */
export interface Witness {
  readonly sensor: string;
  readonly source: BeatSource;
  /** Rate over its last intervals; NaN where it has none that is fresh. */
  readonly rateBpm: number;
  /** Those intervals are alike: a pulse that misses beats is not. */
  readonly steady: boolean;
  /** Its beats within the last `withinMs` of its data. */
  beatsWithin(withinMs: number): number;
  /** Its longest interval of late, ms; NaN where there is none. */
  readonly longestRrMs: number;
  /** Score of its last verdict on the rhythm, where that is fresh; NaN else. */
  readonly afibScore: number;
}

/** The other sensors on the same person, as a lifecycle sees them. */
export interface Peers {
  /** Another sensor on which an alert of one of these kinds is open; null where there is none. */
  toldBy(kinds: readonly AlertKind[]): string | null;
  witnesses(): readonly Witness[];
}

/** What is claimed and may be contradicted. */
export interface Claim {
  readonly kind: AlertKind;
  /** The rate that the alert would name; undefined where it names none. */
  readonly rateBpm?: number | undefined;
  /** The interval that the alert would name, ms. */
  readonly longestMs?: number | undefined;
}

/** A heart stands still for 4 s in the definition of asystole: two beats of another sensor within them say it did not. */
const STANDSTILL_MS = 4_000;
/** A witness's rate must differ by this factor: averaging and a detector's delay make less of a difference. */
const RATE_FACTOR = 1.25;
const SHORTER_PAUSE = 0.7;
/** The rhythm model's word that a rhythm is surely none of fibrillation (below `off` of the alarm's default). */
const SURELY_REGULAR = 0.3;
/** Slower than this with even pulses: no ventricular tachycardia reaches the pulse (CinC 2015: above 100 bpm). */
const CALM_BPM = 100;

/**
 * Whether another sensor's good signal says that a claim is not so. That an independent pulse unmasks false alarms of
 * an ECG is the idea of Aboukhalil et al., J Biomed Inform 41 (2008) and of the PhysioNet/CinC Challenge 2015; as there,
 * a true alarm must not be lost for it: only plain contradictions count, and a kind without one is never held back.
 */
export function contradicts(claim: Claim, witness: Witness): boolean {
  const { rateBpm, longestRrMs, afibScore } = witness;
  const claimedBpm = claim.rateBpm ?? Number.NaN;
  switch (claim.kind) {
    case 'asystole':
      return witness.beatsWithin(STANDSTILL_MS) >= 2;
    case 'ventricular-fibrillation':
    case 'ventricular-tachycardia':
      return witness.steady && rateBpm < CALM_BPM && witness.beatsWithin(STANDSTILL_MS) >= 2;
    case 'extreme-tachycardia':
    case 'tachycardia':
      return witness.steady && rateBpm * RATE_FACTOR < claimedBpm;
    case 'extreme-bradycardia':
    case 'bradycardia':
      return rateBpm > claimedBpm * RATE_FACTOR;
    case 'pause':
      return longestRrMs < SHORTER_PAUSE * (claim.longestMs ?? Number.NaN);
    case 'atrial-fibrillation':
      return afibScore < SURELY_REGULAR;
    default:
      return false;
  }
}

/**
 * Why an alert that stands on this sensor is not raised: another sensor of the person has told of it, or contradicts
 * it; null where nothing holds it back.
 */
export function heldBackBy(claim: Claim, peers: Peers, crossCheck: boolean): string | null {
  const told = peers.toldBy([claim.kind, ...explainedBy(claim.kind)]);
  if (told !== null || !crossCheck) return told;
  return peers.witnesses().find((witness) => contradicts(claim, witness))?.sensor ?? null;
}
