import fc from 'fast-check';
import { generate } from 'mqtt-packet';
import { expect, test } from 'vitest';
import { PacketMeter } from '../../src/delivery/packet-meter.js';

const publish = (bytes: number) =>
  generate({ cmd: 'publish', topic: 't', payload: Buffer.alloc(bytes, 0xff), qos: 0, retain: false, dup: false });
/** Remaining length: two bytes of topic length, the topic, the payload. */
const sizeOf = (bytes: number) => bytes + 3;

test('passes what is small, wherever the stream is cut, and tells of the first that is too large', () => {
  const sizes = fc.array(fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 16_000, max: 17_000 })), {
    minLength: 1,
    maxLength: 6,
  });
  fc.assert(
    fc.property(sizes, fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 8 }), (all, cuts) => {
      const stream = Buffer.concat([generate({ cmd: 'pingresp' }), ...all.map(publish)]);
      const meter = new PacketMeter(16_500);
      let told: number | null = null;
      for (let at = 0, n = 0; at < stream.length && told === null; n++) {
        const end = at + (cuts[n % cuts.length] as number);
        told = meter.take(stream.subarray(at, end));
        at = end;
      }
      expect(told).toBe(all.map(sizeOf).find((bytes) => bytes > 16_500) ?? null);
    }),
  );
});

test('a length that never ends is too large', () => {
  expect(new PacketMeter(1e6).take(Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff]))).toBeGreaterThan(1e6);
});
