import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { ForwardingSink } from '../../daemon/forwarding-sink.js';
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
      // The decoder outlives a step; it speaks to whichever pipeline the step is fed into.
      const sink = new ForwardingSink();
      const decoder = format.createDecoder(sink, options);
      for (let at = 0; at < bytes.length; at += CHUNK_BYTES) {
        const chunk = bytes.subarray(at, at + CHUNK_BYTES);
        let samples = 0;
        yield {
          get tMs() {
            return carries.waveform ? (samples / rateHz) * 1000 : sink.frames * FRAME_MS;
          },
          feed(pipeline) {
            sink.target = pipeline;
            decoder.push(chunk);
            samples = pipeline.samples;
          },
        };
      }
    },
  };
}
