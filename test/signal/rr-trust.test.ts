import { describe, expect, it } from 'vitest';
import { RateAgreement } from '../../src/signal/rate-agreement.js';
import { RrTrust } from '../../src/signal/rr-trust.js';

function judge(intervals: readonly number[]) {
  const trust = new RrTrust();
  return { believed: intervals.map((rrMs) => trust.push(rrMs)), trust };
}
const steady = (count: number, rrMs = 800) => Array.from({ length: count }, (_, i) => rrMs + 25 * Math.sin(i));

describe('RrTrust', () => {
  it('believes a steady rhythm, a slow change and fibrillation', () => {
    expect(judge(steady(200)).believed.every(Boolean)).toBe(true);
    expect(judge(Array.from({ length: 300 }, (_, i) => 1000 - 2 * i)).believed.every(Boolean)).toBe(true);
    let state = 5;
    const af = Array.from({ length: 500 }, () => {
      state = (state * 48271) % 2147483647;
      return 450 + (450 * state) / 2147483647;
    });
    const { believed, trust } = judge(af);
    expect(believed.filter((yes) => !yes).length).toBeLessThan(25);
    expect(trust.unreliable).toBe(false);
  });

  it('doubts doubled intervals and false beats one by one', () => {
    expect(judge([...steady(40), 1600]).believed.at(-1)).toBe(false);
    expect(judge([...steady(40), 270]).believed.at(-1)).toBe(false);
    expect(judge([...steady(40), 6512, Number.NaN, 0]).believed.slice(-3)).toEqual([false, false, false]);
  });

  it('believes a new rate after three beats of it, however sudden', () => {
    expect(
      judge([...steady(40), ...steady(10, 330)])
        .believed.slice(42)
        .every(Boolean),
    ).toBe(true);
    expect(
      judge([...steady(40), ...steady(10, 1700)])
        .believed.slice(42)
        .every(Boolean),
    ).toBe(true);
  });

  it('doubts a stream of junk as a whole, until it is clean again', () => {
    const junk = Array.from({ length: 60 }, (_, i) => [780, 790, 1590, 300, 805][i % 5]!);
    const { trust } = judge([...steady(60), ...junk]);
    expect(trust.unreliable).toBe(true);
    for (const rrMs of steady(60)) trust.push(rrMs);
    expect(trust.unreliable).toBe(false);
  });
});

describe('RateAgreement', () => {
  /** Seconds after which `disagrees` first changed, or null. */
  function changeAfter(agreement: RateAgreement, ours: number | null, theirs: number, from: number, seconds: number) {
    for (let s = 0; s < seconds; s++) {
      const tMs = 1000 * (from + s);
      agreement.told(theirs, tMs);
      if (agreement.compare(ours, tMs)) return s;
    }
    return null;
  }

  it('a lasting half or double rate disagrees, and agrees again', () => {
    for (const theirs of [36, 144]) {
      const agreement = new RateAgreement();
      expect(changeAfter(agreement, 72, theirs, 0, 60)).toBe(30);
      expect(agreement.disagrees).toBe(true);
      expect(changeAfter(agreement, 72, 74, 60, 60)).toBe(10);
      expect(agreement.disagrees).toBe(false);
    }
  });

  it('a short difference, a small one, or one rate alone is no disagreement', () => {
    const agreement = new RateAgreement();
    for (let round = 0; round < 5; round++) {
      expect(changeAfter(agreement, 120, 80, round * 40, 25)).toBeNull();
      expect(changeAfter(agreement, 120, 118, round * 40 + 25, 15)).toBeNull();
    }
    expect(changeAfter(agreement, 72, 80, 300, 100)).toBeNull();
    expect(changeAfter(agreement, null, 150, 500, 100)).toBeNull();
    expect(changeAfter(agreement, 72, 0, 700, 100)).toBeNull();
    agreement.told(150, 900_000);
    for (let s = 0; s < 100; s++) expect(agreement.compare(72, 901_000 + 6000 + s * 1000)).toBe(false);
  });
});
