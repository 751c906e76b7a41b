import { describe, expect, it } from 'vitest';
import { wearOut } from '../../../src/lab/beats/worn-leads.js';
import { seededRandom } from '../../../src/lab/random.js';
import { excerpt } from '../../signal/ecg/lead-fixture.js';

describe('worn leads', () => {
  it('stay finite and as long, lose no beat but in breaks, and some are as they were', async () => {
    const strip = await excerpt('100');
    let unchanged = 0;
    let broken = 0;
    for (let seed = 0; seed < 40; seed++) {
      const worn = wearOut(strip, seededRandom(seed));
      expect(worn.signal).toHaveLength(strip.signal.length);
      expect(worn.signal.every(Number.isFinite)).toBe(true);
      expect(worn.reference.symbols).toHaveLength(worn.reference.samples.length);
      if (worn.signal.every((v, i) => v === strip.signal[i])) unchanged++;
      if (worn.reference.samples.length < strip.reference.samples.length) broken++;
    }
    expect(unchanged).toBeGreaterThan(3);
    expect(broken).toBeGreaterThan(3);
  });

  it('are the same for the same seed', async () => {
    const strip = await excerpt('208');
    expect(wearOut(strip, seededRandom(3))).toEqual(wearOut(strip, seededRandom(3)));
  });
});
