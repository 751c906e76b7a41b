import type { Format, FormatOptions } from '../../domain/reading.js';
import { seededRandom } from '../random.js';

/** Frames a second of a device without a waveform. */
const NUMBERS_RATE_HZ = 1;
/** Where a device has no fixed rate: what text at 9600 baud carries. */
const USUAL_RATE_HZ = 200;
const BEAT_MS = 800;

/** What a device of this format writes in so many seconds: every reading it carries, contact lost for a while. */
export function deviceStream(format: Format, options: FormatOptions, seconds: number, seed = 1): Uint8Array {
  const random = seededRandom(seed);
  const writes: Uint8Array[] = [];
  const sink = format.createEncoder((bytes) => writes.push(bytes), options);
  const carries = format.carries(options);
  const { waveform } = carries;
  const rateHz = waveform ? (waveform.rateHz ?? USUAL_RATE_HZ) : NUMBERS_RATE_HZ;
  const frames = Math.ceil(seconds * rateHz);
  let nextBeatMs = BEAT_MS;
  for (let i = 0; i < frames; i++) {
    const tMs = (i * 1000) / rateHz;
    sink.deviceTime(tMs);
    const on = i < frames * 0.7 || i > frames * 0.8;
    if (carries.contact) sink.contact(on);
    if (i % rateHz < 1) {
      if (carries.heartRate) sink.heartRate(on ? 60 + Math.floor(random() * 60) : Number.NaN);
      if (carries.spo2) sink.spo2(on ? 90 + Math.floor(random() * 10) : Number.NaN);
      if (carries.battery) sink.battery(Math.floor(random() * 100));
    }
    for (; nextBeatMs <= tMs; nextBeatMs += BEAT_MS) {
      if (carries.beatFlags) sink.beat();
      if (carries.rr) sink.rr(600 + Math.floor(random() * 400));
    }
    if (waveform) {
      const { min, max } = waveform.range;
      sink.sample(Math.floor(min + random() * (max - min)));
    }
    sink.frame();
  }
  return Buffer.concat(writes);
}
