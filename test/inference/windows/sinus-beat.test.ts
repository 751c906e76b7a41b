import { describe, expect, it } from 'vitest';
import { newWideWindow, WIDE_R } from '../../../src/inference/windows/beat-templates.js';
import { RrHistory } from '../../../src/inference/windows/rr-history.js';
import { SinusBeat } from '../../../src/inference/windows/sinus-beat.js';

/** A beat with a P wave of this height. */
function beatWith(p: number): Float64Array {
  const wide = newWideWindow();
  for (let i = 0; i < wide.length; i++) {
    wide[i] = Math.exp(-(((i - WIDE_R) / 3) ** 2)) + p * Math.exp(-(((i - WIDE_R + 22) / 4) ** 2));
  }
  return wide;
}

describe('the beat that ends the longest intervals', () => {
  const said = (sinus: SinusBeat, wide: Float64Array) => {
    const values: number[] = [];
    sinus.write(wide, WIDE_R, (value) => values.push(value));
    return { correlation: values[0]!, residual: values[1]!, size: values[2]!, qrs: values[3]! };
  };

  it('is not the usual one where most beats are early', () => {
    const sinus = new SinusBeat();
    expect(said(sinus, beatWith(0.2))).toEqual({ correlation: 0, residual: 1, size: 0, qrs: 0 });
    for (let k = 0; k < 100; k++) {
      const early = k % 5 !== 0;
      sinus.learn(beatWith(early ? -0.15 : 0.2), WIDE_R, early ? -0.4 : 0);
    }
    const own = said(sinus, beatWith(0.2));
    expect(own.correlation).toBeGreaterThan(0.99);
    expect(own.residual).toBeLessThan(0.05);
    expect(own.qrs).toBeGreaterThan(0.99);
    expect(said(sinus, beatWith(-0.15)).correlation).toBeLessThan(0);
    expect(said(sinus, beatWith(0.1)).size).toBeLessThan(-0.4);
  });
});

describe('the interval that one in ten exceeds', () => {
  it('follows the long intervals, not the many short ones', () => {
    const history = new RrHistory();
    expect(history.highMs).toBe(0);
    for (let k = 0; k < 600; k++) history.push(k % 5 === 0 ? 1200 : 700);
    expect(history.highMs).toBeGreaterThan(1100);
    expect(history.highMs).toBeLessThan(1300);
    for (let k = 0; k < 2000; k++) history.push(700);
    expect(history.highMs).toBeLessThan(740);
  });
});
