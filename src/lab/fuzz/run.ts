import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Decoder, Format, FormatOptions } from '../../domain/reading.js';
import { seededRandom } from '../random.js';
import { CheckingSink } from './checking-sink.js';
import { deviceStream } from './device-stream.js';
import { fuzzInput } from './mutate.js';

const DEVICE_SECONDS = 20;
/** Share of the inputs after which the heap is first measured: buffers have their size and code is compiled by then. */
const WARM_UP_SHARE = 0.2;
/** The engine moves about a MiB of its own to and fro; of several measurements the least shows what is really kept. */
const MEASUREMENTS = 8;
const LONGEST_CHUNK = 48;
const RESET_CHANCE = 0.02;
const SHOWN_BYTES = 256;

export interface FuzzResult {
  readonly format: string;
  readonly inputs: number;
  readonly bytes: number;
  readonly frames: number;
  readonly readings: number;
  readonly drops: number;
  readonly throws: number;
  readonly violations: number;
  /** Growth of what is still held after the warm-up; null where it was not measured. */
  readonly heldBytes: number | null;
  readonly seconds: number;
  /** What went wrong first, with the input as hex. */
  readonly examples: readonly string[];
}

/**
 * Feeds one decoder with `count` inputs in chunks of any size, with a reset now and then. The same seed, the same run.
 * `withMemory` measures what is kept, which costs some full collections of the whole process.
 */
export function fuzzFormat(
  format: Format,
  options: FormatOptions,
  count: number,
  seed: number,
  withMemory = false,
): FuzzResult {
  const random = seededRandom(seed);
  const device = deviceStream(format, options, DEVICE_SECONDS, seed);
  const sink = new CheckingSink(format.carries(options));
  const decoder = format.createDecoder(sink, options);
  const examples: string[] = [];
  let bytes = 0;
  let throws = 0;
  const held: number[] = [];
  const start = performance.now();
  for (let i = 0; i < count; i++) {
    if (withMemory && i >= count * (WARM_UP_SHARE + ((1 - WARM_UP_SHARE) * held.length) / MEASUREMENTS))
      held.push(heldBytes());
    const input = fuzzInput(device, random);
    bytes += input.length;
    const violations = sink.violations;
    try {
      feed(decoder, input, random);
    } catch (error) {
      throws++;
      if (throws === 1) examples.push(`input ${i} threw ${String(error)}: ${hexOf(input)}`);
    }
    if (violations === 0 && sink.violations > 0) {
      examples.push(`input ${i} made ${sink.examples.join(', ')}: ${hexOf(input)}`);
    }
  }
  const seconds = (performance.now() - start) / 1000;
  const { frames, readings, drops, violations } = sink;
  const middle = MEASUREMENTS / 2;
  const grown = withMemory ? Math.min(...held.slice(middle)) - Math.min(...held.slice(0, middle)) : null;
  const counts = { inputs: count, bytes, frames, readings, drops, throws, violations };
  return { format: format.id, ...counts, heldBytes: grown, seconds, examples };
}

function feed(decoder: Decoder, input: Uint8Array, random: () => number): void {
  for (let at = 0; at < input.length; ) {
    const length = random() < 0.3 ? input.length : 1 + Math.floor(random() * LONGEST_CHUNK);
    decoder.push(input.subarray(at, at + length));
    at += length;
  }
  if (random() < RESET_CHANCE) decoder.reset();
}

function hexOf(input: Uint8Array): string {
  return Buffer.from(input.subarray(0, SHOWN_BYTES)).toString('hex');
}

let collect: (() => void) | null = null;

function heldBytes(): number {
  if (!collect) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  // The first collection leaves array buffers to a sweep in the background, which the second one waits for.
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
