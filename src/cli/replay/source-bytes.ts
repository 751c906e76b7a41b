import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Pipeline } from '../../daemon/pipeline.js';
import type { Format, FormatOptions } from '../../domain/reading.js';
import { ReplayError, type ReplaySource } from './source.js';

const CHUNK_BYTES = 64;
/** A format without a waveform speaks about once a second; a capture without times is played at that pace. */
const FRAME_MS = 1000;

/** Raw bytes as a sensor sent them, decoded by `format`. Time is the sample counter, or a second a frame. */
export async function openBytes(
  file: string,
  format: Format,
  options: FormatOptions,
  rate: number | undefined,
): Promise<ReplaySource> {
  const bytes = await readFile(file);
  const carries = format.carries(options);
  const rateHz = carries.waveform ? (rate ?? carries.waveform.rateHz) : 1000;
  if (!rateHz) throw new ReplayError(`format ${format.id} has no fixed rate: give --rate HZ`);
  return {
    record: basename(file),
    rateHz,
    signal: carries.waveform?.kind ?? null,
    carries,
    givesBeats: false,
    *steps() {
      let frames = 0;
      let current: Pipeline | null = null;
      // The decoder outlives a step; it speaks to whichever pipeline the step is fed into.
      const decoder = format.createDecoder(
        forwardTo(
          () => current!,
          () => frames++,
        ),
        options,
      );
      for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
        const chunk = bytes.subarray(at, at + CHUNK_BYTES);
        let samples = 0;
        yield {
          get tMs() {
            return carries.waveform ? (samples / rateHz) * 1000 : frames * FRAME_MS;
          },
          feed(pipeline) {
            current = pipeline;
            decoder.push(chunk);
            samples = pipeline.samples;
          },
        };
      }
    },
  };
}

function forwardTo(target: () => Pipeline, onFrame: () => void): Parameters<Format['createDecoder']>[0] {
  return {
    sample: (value) => target().sample(value),
    deviceTime: (tMs) => target().deviceTime(tMs),
    lost: (samples) => target().lost(samples),
    beat: () => target().beat(),
    rr: (rrMs) => target().rr(rrMs),
    heartRate: (hrBpm) => target().heartRate(hrBpm),
    spo2: (percent) => target().spo2(percent),
    contact: (on) => target().contact(on),
    battery: (percent) => target().battery(percent),
    frame: () => {
      onFrame();
      target().frame();
    },
    dropped: (reason, count) => target().dropped(reason, count),
  };
}
