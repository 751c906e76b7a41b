import { EcgBeatDetector } from '../../signal/ecg/detector.js';
import type { BeatJudge } from '../../signal/ecg/judge.js';

/** Beats of one lead, in order. */
export interface DetectedBeats {
  readonly samples: number[];
  /** Newest sample when each was decided. */
  readonly decidedAt: number[];
}

/** Runs the detector over a whole lead, sample by sample, as the daemon does. `judge` left out: the shipped verifier. */
export function detectBeats(signal: ArrayLike<number>, rateHz: number, judge?: BeatJudge): DetectedBeats {
  const samples: number[] = [];
  const decidedAt: number[] = [];
  const detector = new EcgBeatDetector({
    rateHz,
    judge,
    onBeat: (sample, decided) => {
      samples.push(sample);
      decidedAt.push(decided);
    },
  });
  for (let i = 0; i < signal.length; i++) detector.push(signal[i]!);
  detector.flush();
  return { samples, decidedAt };
}
