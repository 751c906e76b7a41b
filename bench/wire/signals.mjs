// What is played into the ports: the same bytes for every system, made before the clock starts.
import { join } from 'node:path';
import { needDatabase } from '../../dist/lab/data/find.js';
import { readRecord } from '../../dist/lab/wfdb/index.js';

/** Rate below 40 bpm over 5 beats (4 intervals): the definition of extreme bradycardia in PhysioNet/CinC 2015. */
const LIMIT_RR_MS = 1500;
const INTERVALS = 4;
const SLOW_MS = 1560;
const LESS_SLOW_MS = 1200;
/** Intervals before the first episode: every system has opened its port and filled its buffers by then. */
const CALM_BEATS = 8;

/** ECG boards send about so many samples in one go. */
const ECG_RATE_HZ = 250;
const CHUNK_SAMPLES = 10;

/**
 * RR lines in the heart's own time. Episodes of four slow intervals follow each other, so that the rule says `new` and
 * `end` once in nine seconds, each at a known line.
 * @returns per sensor: writes in order of time (`dueMs`, `bytes`) with the event each must cause, or null
 */
export function rrLines(sensors, seconds) {
  return Array.from({ length: sensors }, (_, sensor) => {
    const writes = [];
    const recent = [];
    let open = false;
    // Sensors start spread over one interval: hearts do not beat in step.
    let dueMs = (sensor * 997) % LESS_SLOW_MS;
    for (let beat = 0; dueMs < seconds * 1000; beat++) {
      const rrMs = beat < CALM_BEATS || (beat - CALM_BEATS) % 6 >= 4 ? LESS_SLOW_MS : SLOW_MS;
      dueMs += rrMs;
      recent.push(rrMs);
      if (recent.length > INTERVALS) recent.shift();
      const mean = recent.reduce((sum, rr) => sum + rr, 0) / recent.length;
      const slow = recent.length === INTERVALS && mean > LIMIT_RR_MS;
      const event = slow === open ? null : slow ? 'new' : 'end';
      open = slow;
      writes.push({ dueMs, bytes: Buffer.from(`RR=${rrMs}\r\n`), event });
    }
    return writes;
  });
}

/**
 * A real ECG with many long pauses (mitdb 232, first lead), as lines of one 10-bit number at 250 Hz, each sensor from
 * another place. Which beat a detector calls late is its own affair, so the event is not known beforehand.
 */
export async function ecgLines(sensors, seconds) {
  const record = await readRecord(join(needDatabase('mitdb'), '232'));
  const { samples } = record.signals[0];
  const length = Math.floor((samples.length * ECG_RATE_HZ) / record.rateHz);
  const counts = new Int16Array(length);
  for (let i = 0; i < length; i++) {
    const at = (i * record.rateHz) / ECG_RATE_HZ;
    const left = Math.floor(at);
    const value = samples[left] + (at - left) * ((samples[left + 1] ?? samples[left]) - samples[left]);
    counts[i] = Math.max(0, Math.min(1023, Math.round(512 + value * 150)));
  }
  return Array.from({ length: sensors }, (_, sensor) => {
    const writes = [];
    const from = Math.floor((sensor * length) / sensors);
    const total = seconds * ECG_RATE_HZ;
    for (let i = 0; i < total; i += CHUNK_SAMPLES) {
      let text = '';
      for (let k = i; k < Math.min(total, i + CHUNK_SAMPLES); k++) text += `${counts[(from + k) % length]}\r\n`;
      const dueMs = ((i + CHUNK_SAMPLES) * 1000) / ECG_RATE_HZ + ((sensor * 7) % 40);
      writes.push({ dueMs, bytes: Buffer.from(text), event: null });
    }
    return writes;
  });
}
