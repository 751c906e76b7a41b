import { describe, expect, it } from 'vitest';
import { addMatrices, newClassMatrix, reportOf } from '../../../src/lab/evaluation/beat-classes.js';

// A published study's matrix (rows true N S V F Q, columns predicted N S V) with the figures it states.
const study = [
  [43387, 725, 147],
  [1334, 453, 50],
  [111, 73, 3037],
  [358, 2, 28],
  [4, 0, 3],
];

describe('beat class figures (EC57)', () => {
  it('do not hold F called V against V, nor Q called S against S', () => {
    const report = reportOf(study);
    expect(report.V.sensitivity).toBeCloseTo(0.943, 3);
    expect(report.V.positivePredictivity).toBeCloseTo(0.939, 3);
    expect(report.V.f1).toBeCloseTo(0.941, 3);
    expect(report.S.sensitivity).toBeCloseTo(0.247, 3);
    expect(report.S.positivePredictivity).toBeCloseTo(0.362, 2);
    expect(report.accuracy).toBeCloseTo(0.9505, 4);
    expect(report.accuracyAllClasses).toBeCloseTo(0.943, 3);
    // F called N does count against N.
    expect(report.N.positivePredictivity).toBeCloseTo(43387 / (43387 + 1334 + 111 + 358 + 4), 6);
  });

  it('are zero, not NaN, where there is nothing to judge', () => {
    const report = reportOf(newClassMatrix());
    expect(report).toMatchObject({ beats: 0, accuracy: 0, accuracyAllClasses: 0 });
    expect(report.S).toEqual({ sensitivity: 0, positivePredictivity: 0, f1: 0 });
  });

  it('matrices add up', () => {
    const sum = addMatrices([study, study]);
    expect(sum[2]).toEqual([222, 146, 6074]);
    expect(study[2]).toEqual([111, 73, 3037]);
  });
});
