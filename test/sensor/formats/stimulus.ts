import type { Carries, ReadingSink } from '../../../src/domain/reading.js';
import { seededRandom } from '../../../src/lab/random.js';

/** A stretch in which the slow values stay the same. */
export interface Segment {
  readonly contact: boolean;
  readonly hrBpm: number;
  readonly spo2: number;
  readonly battery: number;
  readonly seed: number;
}

/** What was put in, to be found again. */
export interface Truth {
  readonly samples: number[];
  readonly beatsAt: number[];
  readonly rrMs: number[];
}

/** At least this many samples, up to a whole number of packets. */
const SAMPLES = 200;
/** 25 frames of a Nonin packet; also a whole number of packets of 8 samples. */
const DEFAULT_PACKET = 25;
const FRAMES_WITHOUT_WAVEFORM = 12;
const BEAT_EVERY = 30;
const FIRST_BEAT = 15;

/**
 * Plays one segment into a sink, only with what the format says it carries, and notes it. Intervals differ from one beat
 * to the next, as formats that repeat the last one cannot show equal ones.
 */
export function play(
  segment: Segment,
  carries: Carries,
  sink: ReadingSink,
  truth: Truth,
  samplesPerPacket = DEFAULT_PACKET,
): void {
  const random = seededRandom(segment.seed);
  const on = segment.contact || !carries.contact;
  const beat = () => {
    if (!on) return;
    if (carries.beatFlags) {
      truth.beatsAt.push(truth.samples.length);
      sink.beat();
    }
    if (carries.rr) {
      const last = truth.rrMs.at(-1) ?? 0;
      const next = 400 + Math.floor(random() * 1000);
      const rrMs = next === last ? next + 1 : next;
      truth.rrMs.push(rrMs);
      sink.rr(rrMs);
    }
  };
  const slow = () => {
    if (carries.contact) sink.contact(on);
    if (carries.heartRate) sink.heartRate(segment.hrBpm);
    if (carries.spo2) sink.spo2(segment.spo2);
    if (carries.battery) sink.battery(segment.battery);
  };
  const { waveform } = carries;
  if (!waveform) {
    for (let i = 0; i < FRAMES_WITHOUT_WAVEFORM; i++) {
      slow();
      // A rate without any beat for seconds would be stale, and some decoders say so.
      for (let beats = i % 3 === 0 ? 1 : Math.floor(random() * 3); beats > 0; beats--) beat();
      sink.frame();
    }
    return;
  }
  slow();
  const { min, max } = waveform.range;
  const count = Math.ceil(SAMPLES / samplesPerPacket) * samplesPerPacket;
  for (let i = 0; i < count; i++) {
    // Formats without beat marks repeat an interval on each line, so there must be one on the first.
    if (i % BEAT_EVERY === FIRST_BEAT || (i === 0 && !carries.beatFlags)) beat();
    const value = Math.min(max, min + Math.floor(random() * (max - min + 1)));
    if (on) truth.samples.push(value);
    sink.sample(value);
    sink.frame();
  }
}
