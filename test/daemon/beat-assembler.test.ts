import { describe, expect, it } from 'vitest';
import { BeatAssembler } from '../../src/daemon/beat-assembler.js';

describe('BeatAssembler', () => {
  it('measures the interval from beat to beat, and none for the first and after a gap', () => {
    const beats = new BeatAssembler('ecg');
    expect(beats.at(1000, 250, 1100, 0.9)).toEqual({
      tMs: 1000,
      sample: 250,
      rrMs: null,
      decidedAtMs: 1100,
      quality: 0.9,
      source: 'ecg',
    });
    expect(beats.at(1800, 450, 1900, 1).rrMs).toBe(800);
    beats.gap();
    expect(beats.at(5000, 1250, 5100, 1).rrMs).toBeNull();
    expect(beats.at(5700, 1425, 5800, 1).rrMs).toBe(700);
  });

  it('chains intervals to times, however they are bundled', () => {
    const beats = new BeatAssembler('rr');
    expect(beats.afterInterval(800, 10_000, 1)).toMatchObject({ tMs: 10_000, rrMs: 800, sample: -1 });
    // A second's three beats in one frame: the times are the chain's, not the arrival's.
    expect(beats.afterInterval(350, 11_050, 1).tMs).toBe(10_350);
    expect(beats.afterInterval(350, 11_050, 1).tMs).toBe(10_700);
    expect(beats.afterInterval(350, 11_050, 1)).toMatchObject({ tMs: 11_050, decidedAtMs: 11_050 });
  });

  it('never puts a beat after its arrival, nor far before it', () => {
    const beats = new BeatAssembler('rr');
    beats.afterInterval(800, 10_000, 1);
    expect(beats.afterInterval(900, 10_850, 1).tMs).toBe(10_850);
    // Ten seconds without a word: the chain has lost beats and begins anew at the arrival.
    expect(beats.afterInterval(800, 21_000, 1).tMs).toBe(21_000);
  });
});
