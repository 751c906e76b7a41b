import { describe, expect, it } from 'vitest';
import { MagnitudePruner, maskOf } from '../../../src/lab/prune/pruner.js';
import { ConstantSparsity, PolynomialDecay } from '../../../src/lab/prune/schedules.js';

describe('PolynomialDecay', () => {
  it('follows the formula of tensorflow_model_optimization', () => {
    const schedule = new PolynomialDecay({ initialSparsity: 0.5, finalSparsity: 0.8, beginStep: 1000, endStep: 2000 });
    // final + (initial - final) * (1 - p)^3, p the share of the way: worked by hand.
    expect(schedule.at(1000)).toEqual({ update: true, sparsity: 0.5 });
    expect(schedule.at(1100).sparsity).toBeCloseTo(0.8 - 0.3 * 0.729, 12);
    expect(schedule.at(1500).sparsity).toBeCloseTo(0.7625, 12);
    expect(schedule.at(2000)).toEqual({ update: true, sparsity: 0.8 });
    expect(schedule.at(5000).sparsity).toBe(0.8);
    expect(schedule.targetSparsity).toBe(0.8);
  });

  it('updates at every 100th step between begin and end, and at no other', () => {
    const schedule = new PolynomialDecay({ initialSparsity: 0, finalSparsity: 0.9, beginStep: 50, endStep: 450 });
    const updates = Array.from({ length: 600 }, (_, step) => step).filter((step) => schedule.at(step).update);
    expect(updates).toEqual([50, 150, 250, 350, 450]);
  });

  it('takes another power and frequency', () => {
    const schedule = new PolynomialDecay({
      ...{ initialSparsity: 0.2, finalSparsity: 0.6, beginStep: 0, endStep: 10 },
      ...{ power: 1, frequency: 5 },
    });
    expect(schedule.at(5).sparsity).toBeCloseTo(0.4, 12);
    expect(schedule.at(4).update).toBe(false);
    expect(schedule.at(5).update).toBe(true);
  });

  it('refuses settings that make no sense', () => {
    const base = { initialSparsity: 0.5, finalSparsity: 0.8, beginStep: 0, endStep: 10 };
    expect(() => new PolynomialDecay({ ...base, finalSparsity: 1 })).toThrow(/finalSparsity must be .* below 1, is 1/);
    expect(() => new PolynomialDecay({ ...base, endStep: 0 })).toThrow(/endStep \(0\) must come after beginStep \(0\)/);
    expect(() => new PolynomialDecay({ ...base, frequency: 0 })).toThrow(/frequency/);
  });
});

describe('ConstantSparsity', () => {
  it('is the same from begin on, to the end of the training unless told', () => {
    const schedule = new ConstantSparsity({ targetSparsity: 0.5, beginStep: 100 });
    expect([99, 100, 150, 200, 10_000].map((step) => schedule.at(step).update)).toEqual([
      false,
      true,
      false,
      true,
      true,
    ]);
    expect(schedule.at(150).sparsity).toBe(0.5);
    expect(new ConstantSparsity({ targetSparsity: 0.5, beginStep: 0, endStep: 100 }).at(200).update).toBe(false);
  });
});

describe('MagnitudePruner', () => {
  it('keeps the largest magnitudes, of either sign', () => {
    expect([...maskOf(Float32Array.of(0.1, -5, 0.3, 2, -0.2), 0.6)]).toEqual([0, 1, 0, 1, 0]);
    expect([...maskOf(Float32Array.of(1, 2, 3, 4), 0)]).toEqual([1, 1, 1, 1]);
  });

  it('holds what is masked at zero between updates, and leaves biases alone', () => {
    const pruner = new MagnitudePruner(new ConstantSparsity({ targetSparsity: 0.5, beginStep: 1 }));
    const kernel = { name: 'a/kernel', values: Float32Array.of(1, 0.1, 2, 0.2), decays: true };
    const bias = { name: 'a/bias', values: Float32Array.of(0.01, 0.02), decays: false };
    pruner.step(0, [kernel, bias]);
    expect([...kernel.values]).toEqual([...Float32Array.of(1, 0.1, 2, 0.2)]);
    pruner.step(1, [kernel, bias]);
    expect([...kernel.values]).toEqual([1, 0, 2, 0]);
    // The optimizer moves them; the next step puts them back.
    kernel.values.set([1, 9, 2, 9]);
    pruner.step(2, [kernel, bias]);
    expect([...kernel.values]).toEqual([1, 0, 2, 0]);
    expect([...bias.values]).toEqual([...Float32Array.of(0.01, 0.02)]);
  });
});
