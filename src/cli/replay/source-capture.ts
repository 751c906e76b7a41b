import { open, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { ForwardingSink } from '../../daemon/forwarding-sink.js';
import type { Decoder, Format, FormatOptions } from '../../domain/reading.js';
import {
  type CaptureContent,
  type CaptureRecord,
  decodeCapture,
  isCapture,
  MAGIC,
  RECORD,
} from '../../sensor/capture/container.js';
import { findFormat } from '../../sensor/formats/registry.js';
import { ArrivalSampleClock } from '../../sensor/sample-clock.js';
import { ReplayError, type ReplaySource, type ReplayStep, STEP_MS } from './source.js';

export interface CaptureSourceOptions {
  /** Instead of the format and options that the capture names. */
  readonly format: string | undefined;
  readonly options: FormatOptions;
  readonly rateHz: number | undefined;
}

/** Whether the file begins like a capture of `slothd record`; false where it cannot be read. */
export async function isCaptureFile(file: string): Promise<boolean> {
  const handle = await open(file, 'r').catch(() => null);
  if (!handle) return false;
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(MAGIC.length), 0, MAGIC.length, 0);
    const start = buffer.subarray(0, bytesRead);
    return isCapture(start) || (isPacked(start) && isCapture(unpacked(await readFile(file))));
  } catch {
    return false;
  } finally {
    await handle.close();
  }
}

/** A capture or a flight recorder's stretch, as it is or packed by gzip. @throws ReplayError */
export async function readCapture(file: string): Promise<CaptureContent> {
  try {
    const bytes = await readFile(file);
    return decodeCapture(isPacked(bytes) ? unpacked(bytes) : bytes);
  } catch (error) {
    throw new ReplayError(`${file} is no capture that can be read: ${(error as Error).message}`);
  }
}

/** More than any stretch holds: a small file may not fill the memory. */
const MOST_UNPACKED = 512 * 1024 * 1024;
const isPacked = (bytes: Uint8Array) => bytes[0] === 0x1f && bytes[1] === 0x8b;
const unpacked = (bytes: Uint8Array) => gunzipSync(bytes, { maxOutputLength: MOST_UNPACKED });

/**
 * A capture, played with the arrival times of its bytes: bursts, silences and reopenings as they were.
 * @throws ReplayError
 */
export async function openCapture(file: string, options: CaptureSourceOptions): Promise<ReplaySource> {
  const { header, records } = await readCapture(file);
  const format = findFormat(options.format ?? header.format);
  const formatOptions = { ...(options.format ? {} : header.options), ...options.options };
  const carries = format.carries(formatOptions);
  const startMs = records[0]?.tMs ?? 0;
  const rateHz = carries.waveform
    ? (options.rateHz ?? carries.waveform.rateHz ?? measuredRate(records, format, formatOptions))
    : 1000;
  if (!rateHz) throw new ReplayError(`${file}: too short to measure its rate: give --rate HZ`);
  const clock = carries.waveform ? new ArrivalSampleClock(rateHz) : undefined;
  return {
    record: basename(file),
    rateHz,
    signal: carries.waveform?.kind ?? null,
    carries,
    givesBeats: false,
    ...(clock ? { sampleClock: clock } : {}),
    *steps() {
      const sink = new ForwardingSink();
      const decoder = format.createDecoder(sink, formatOptions);
      let stepEnd = STEP_MS;
      for (const record of records) {
        const tMs = record.tMs - startMs;
        for (; stepEnd < tMs; stepEnd += STEP_MS) yield { tMs: stepEnd, feed() {} };
        yield stepOf(record, tMs, decoder, sink, clock);
      }
    },
  };
}

function stepOf(
  record: CaptureRecord,
  tMs: number,
  decoder: Decoder,
  sink: ForwardingSink,
  clock: ArrivalSampleClock | undefined,
): ReplayStep {
  return {
    tMs,
    feed(pipeline) {
      sink.target = pipeline;
      if (record.type === RECORD.opened) {
        decoder.reset();
        clock?.restart();
        pipeline.interrupted(tMs);
      }
      if (record.type !== RECORD.bytes) return;
      const before = pipeline.samples;
      clock?.begin(before, tMs);
      decoder.push(record.payload);
      // As in the daemon: uncounted, missing samples would make one interval of all that lies between.
      if (pipeline.samples > before && clock?.arrived(pipeline.samples, tMs)) pipeline.interrupted(tMs);
    },
  };
}

/** A pause this long is a hole, not a burst. */
const HOLE_MS = 1000;

/** Samples per second over the longest unbroken stretch; null where there is less than a few seconds of it. */
function measuredRate(records: readonly CaptureRecord[], format: Format, options: FormatOptions): number | null {
  const sink = new ForwardingSink();
  const decoder = format.createDecoder(sink, options);
  let best: { ms: number; rate: number } | null = null;
  let lastMs = Number.NEGATIVE_INFINITY;
  let from: { tMs: number; samples: number } | null = null;
  for (const record of records) {
    if (record.type !== RECORD.bytes) {
      from = null;
      decoder.reset();
      continue;
    }
    decoder.push(record.payload);
    if (record.tMs - lastMs > HOLE_MS) from = null;
    lastMs = record.tMs;
    from ??= { tMs: record.tMs, samples: sink.samples };
    const ms = record.tMs - from.tMs;
    if (ms > 3000 && ms > (best?.ms ?? 0)) best = { ms, rate: (1000 * (sink.samples - from.samples)) / ms };
  }
  return best && best.rate > 0 ? best.rate : null;
}
