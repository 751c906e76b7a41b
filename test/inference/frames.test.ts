import { describe, expect, it } from 'vitest';
import { encodeFrame, FrameReader, FrameType, floatsOf, MAX_FRAME_BYTES } from '../../src/inference/host/frames.js';

const header = { type: FrameType.run, model: 3, generation: 4_000_000_000, id: 7, items: 2 };

function collect() {
  const frames: { id: number; generation: number; model: number; items: number; floats: number[] }[] = [];
  const broken: string[] = [];
  const reader = new FrameReader(
    ({ payload, ...rest }) => frames.push({ ...rest, floats: [...floatsOf(payload)] }),
    (reason) => broken.push(reason),
  );
  return { reader, frames, broken };
}

describe('frames', () => {
  it('come out as they went in, whatever the chunks', () => {
    const one = encodeFrame(header, [Float32Array.of(1.5, -2), Float32Array.of(3)]);
    const two = encodeFrame({ ...header, id: 8 }, []);
    const bytes = Buffer.concat([one, two, one]);
    for (let size = 1; size <= bytes.length; size++) {
      const { reader, frames, broken } = collect();
      for (let at = 0; at < bytes.length; at += size) reader.push(bytes.subarray(at, at + size));
      expect(broken).toEqual([]);
      expect(frames).toEqual([
        { ...header, floats: [1.5, -2, 3] },
        { ...header, id: 8, floats: [] },
        { ...header, floats: [1.5, -2, 3] },
      ]);
    }
  });

  it('are refused once when the stream is not ours, and nothing is read after that', () => {
    const good = encodeFrame(header, []);
    const otherVersion = Buffer.from(good);
    otherVersion.writeUInt8(9, 4);
    const tooLong = Buffer.from(good);
    tooLong.writeUInt32LE(MAX_FRAME_BYTES + 1, 0);
    for (const [bad, reason] of [
      [otherVersion, /version 9/],
      [tooLong, /frame of 16777217 bytes/],
    ] as const) {
      const { reader, frames, broken } = collect();
      reader.push(bad);
      reader.push(good);
      expect(frames).toEqual([]);
      expect(broken).toHaveLength(1);
      expect(broken[0]).toMatch(reason);
    }
  });
});
