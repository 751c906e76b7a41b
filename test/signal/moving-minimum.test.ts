import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MovingMinimum } from '../../src/signal/moving-minimum.js';

describe('MovingMinimum', () => {
  it('is the least of the last values, for every stream and window', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: -50, max: 50 }), { maxLength: 200 }),
        fc.integer({ min: 1, max: 40 }),
        (values, length) => {
          const minimum = new MovingMinimum(length);
          values.forEach((value, i) => {
            expect(minimum.push(value)).toBe(Math.min(...values.slice(Math.max(0, i + 1 - length), i + 1)));
          });
        },
      ),
    );
  });

  it('begins anew when cleared', () => {
    const minimum = new MovingMinimum(5);
    minimum.push(-3);
    minimum.clear();
    expect(minimum.push(2)).toBe(2);
  });
});
