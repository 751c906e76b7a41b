import { describe, expect, it } from 'vitest';
import { beatScores } from '../../src/inference/scores.js';

describe('beatScores', () => {
  it('is softmax with the class of the largest', () => {
    const { class: label, scores } = beatScores([0, Math.log(3), 0]);
    expect(label).toBe('S');
    expect(scores.S).toBeCloseTo(0.6, 12);
    expect(scores.N).toBeCloseTo(0.2, 12);
    expect(scores.V).toBeCloseTo(0.2, 12);
  });

  it('adds the offsets before both', () => {
    expect(beatScores([1, 0, 0.5]).class).toBe('N');
    const moved = beatScores([1, 0, 0.5], [0, 0, 1]);
    expect(moved.class).toBe('V');
    expect(moved.scores.V).toBeGreaterThan(moved.scores.N);
  });

  it('keeps its head with huge logits and calls a tie normal', () => {
    const { class: label, scores } = beatScores([1e5, -1e5, 1e5]);
    expect(label).toBe('N');
    expect(scores).toEqual({ N: 0.5, S: 0, V: 0.5 });
  });
});
