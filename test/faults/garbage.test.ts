import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { DropReason, ReadingSink } from '../../src/domain/reading.js';
import { seededRandom } from '../../src/lab/random.js';
import { FORMATS } from '../../src/sensor/formats/registry.js';
import { encodeFrames } from '../sensor/formats/recorder.js';
import { play } from '../sensor/formats/stimulus.js';
import { traitsOf } from '../sensor/formats/traits.js';

// The collector is asked for by hand, so that what is left is what a decoder really holds.
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const CHUNK_BYTES = 4096;
const CHUNKS = 512;
/** A decoder that keeps even one in eight of the 2 MiB it is fed would be over. */
const MOST_HELD_BYTES = 256 * 1024;

/** Counts, and keeps nothing. */
class Counter implements ReadingSink {
  readonly drops = new Map<DropReason, number>();
  droppedBytes = 0;
  readings = 0;
  frames = 0;

  sample(): void {
    this.readings++;
  }
  deviceTime(): void {}
  lost(): void {}
  beat(): void {}
  rr(): void {}
  heartRate(): void {
    this.readings++;
  }
  spo2(): void {}
  contact(): void {}
  battery(): void {}
  frame(): void {
    this.frames++;
  }
  dropped(reason: DropReason, bytes: number): void {
    this.drops.set(reason, (this.drops.get(reason) ?? 0) + 1);
    this.droppedBytes += bytes;
  }
}

function heldBytes(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** The least of some looks, a moment apart: what the compiler or the test runner holds just then is not the decoder's. */
async function steadilyHeldBytes(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 4; look++) {
    least = Math.min(least, heldBytes());
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return least;
}

/** One chunk of each kind of rubbish a wrong baud rate, a wrong device or a broken cable brings. */
const RUBBISH: readonly { name: string; fill: (random: () => number) => Uint8Array }[] = [
  {
    name: 'random bytes',
    fill: (random) => Uint8Array.from({ length: CHUNK_BYTES }, () => Math.floor(random() * 256)),
  },
  { name: 'nothing but FF', fill: () => new Uint8Array(CHUNK_BYTES).fill(0xff) },
  { name: 'nothing but 00', fill: () => new Uint8Array(CHUNK_BYTES) },
  {
    name: 'starts of frames without end',
    fill: (random) => {
      const starts = [0x01, 0x0a, 0xfa, 0x09, 0x00, 0x02, 0x80, 0x24];
      return Uint8Array.from({ length: CHUNK_BYTES }, () => starts[Math.floor(random() * starts.length)]!);
    },
  },
  {
    name: 'text of another device',
    fill: () =>
      Buffer.from(
        'rst:0x1 (POWERON_RESET),boot:0x13\r\n{"a":[1,2]}\r\nBPM 7,,2;x=1\r\n'.repeat(66).slice(0, CHUNK_BYTES),
      ),
  },
];

describe.each([...FORMATS.values()].map((format) => ({ id: format.id, format })))('garbage: $id', ({ format }) => {
  const variants = traitsOf(format.id).variants.map((options) => ({ name: JSON.stringify(options), options }));

  it.each(RUBBISH)('2 MiB of $name: no throw, memory flat, drops counted, then back', async ({ fill }) => {
    const { options } = variants[0]!;
    const random = seededRandom(11);
    const chunk = fill(random);
    const sink = new Counter();
    const decoder = format.createDecoder(sink, options);
    for (let warm = 0; warm < 16; warm++) decoder.push(chunk);
    const before = await steadilyHeldBytes();
    for (let i = 0; i < CHUNKS; i++) {
      decoder.push(chunk);
      // Never the same bytes twice at the same place: a pattern could hide a frame for ever.
      chunk[Math.floor(random() * chunk.length)] = Math.floor(random() * 256);
    }
    expect((await steadilyHeldBytes()) - before).toBeLessThan(MOST_HELD_BYTES);
    expect(sink.droppedBytes).toBeGreaterThan(CHUNK_BYTES * CHUNKS * 0.5);
    expect([...sink.drops.values()].every((count) => count > 0)).toBe(true);

    const frames = sink.frames;
    const segment = { contact: true, hrBpm: 72, spo2: 97, battery: 50, seed: 5 };
    const valid = encodeFrames(format, options, (encoder) => {
      const truth = { samples: [], beatsAt: [], rrMs: [] };
      play(segment, format.carries(options), encoder, truth, traitsOf(format.id).samplesPerPacket);
    });
    for (const bytes of valid) decoder.push(bytes);
    expect(sink.frames - frames).toBeGreaterThanOrEqual(valid.length - 2);
  });

  it.each(variants)('random bytes with $name: no throw', ({ options }) => {
    const random = seededRandom(23);
    const sink = new Counter();
    const decoder = format.createDecoder(sink, options);
    for (let i = 0; i < 64; i++) {
      const length = Math.floor(random() * 4096);
      decoder.push(Uint8Array.from({ length }, () => Math.floor(random() * 256)));
      if (i % 8 === 7) decoder.reset();
    }
    expect(sink.droppedBytes).toBeGreaterThan(32 * 1024);
  });
});
