import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LastBytes } from '../../../src/daemon/flight/last-bytes.js';

describe('the last bytes of a stream', () => {
  it('are the last ones, whatever chunks they came in', () => {
    const chunk = fc.uint8Array({ maxLength: 40 });
    fc.assert(
      fc.property(fc.array(chunk, { maxLength: 60 }), fc.integer({ min: 1, max: 24 }), (chunks, kept) => {
        const last = new LastBytes(kept);
        for (const bytes of chunks) last.push(bytes);
        expect([...last.copy()]).toEqual(chunks.flatMap((bytes) => [...bytes]).slice(-kept));
      }),
    );
  });

  it('are none after they were cleared, and a copy stands still', () => {
    const last = new LastBytes(4);
    last.push(Uint8Array.of(1, 2, 3));
    const copy = last.copy();
    last.clear();
    expect([...last.copy()]).toEqual([]);
    last.push(Uint8Array.of(9));
    expect([...copy]).toEqual([1, 2, 3]);
    expect([...last.copy()]).toEqual([9]);
  });
});
