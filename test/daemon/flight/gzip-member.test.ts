import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { GzipMember } from '../../../src/daemon/flight/gzip-member.js';

it('members of any size, one after the other, unpack to their bytes', async () => {
  const sizes = [0, 1, 511, 512, 513, 4096, 40_000, 1_000_000];
  const pieces = sizes.flatMap((size) => [randomBytes(size), Buffer.alloc(size, 'the same again ')]);
  const members = pieces.map((piece) => new GzipMember(piece));
  const packed = await Promise.all(members.map((member) => member.packed()));
  expect(gunzipSync(Buffer.concat(packed)).equals(Buffer.concat(pieces))).toBe(true);
  // What repeats itself is held packed from then on.
  expect(members.at(-1)!.length).toBeLessThan(10_000);
});
