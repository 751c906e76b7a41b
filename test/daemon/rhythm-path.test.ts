import { describe, expect, it } from 'vitest';
import { type RhythmModelUse, RhythmPath } from '../../src/daemon/rhythm-path.js';
import type { Rhythm } from '../../src/domain/rhythm.js';
import { RHYTHM_FEATURES } from '../../src/inference/windows/rhythm-rr.js';

const preprocessing = { featureMean: RHYTHM_FEATURES.map(() => 0), featureDeviation: RHYTHM_FEATURES.map(() => 1) };

/** A path with a model that answers when told to. */
function bench({ withModel = true } = {}) {
  const asked: { inputs: readonly Float32Array[]; answer: (logits: Float32Array | null) => void }[] = [];
  const told: Rhythm[] = [];
  const causes: (number | null)[] = [];
  const model: RhythmModelUse = {
    model: 'rhythm',
    preprocessing,
    logitOffsets: [],
    inference: {
      infer: (_slot, inputs) => new Promise((answer) => asked.push({ inputs, answer })),
      state: () => 'ready',
      info: () => null,
    },
  };
  let tMs = 0;
  const path = new RhythmPath({
    model: withModel ? model : null,
    causeMs: () => tMs + 1,
    onRhythm: (rhythm, causeMs) => {
      told.push(rhythm);
      causes.push(causeMs);
    },
  });
  return {
    path,
    asked,
    told,
    causes,
    beats(count: number, rrMs = 800, goodSignal = true) {
      for (let i = 0; i < count; i++) {
        tMs += rrMs;
        path.beat({ tMs, sample: -1, rrMs, decidedAtMs: tMs, quality: 1, source: 'rr' }, goodSignal);
      }
    },
    wait(ms: number) {
      tMs += ms;
    },
  };
}

const AFIB = Float32Array.of(-2, 2);

describe('rhythm path', () => {
  it('asks the model every 5 intervals once there are 60, with inputs of their own', async () => {
    const { path, asked, told, beats } = bench();
    beats(59);
    expect(asked).toHaveLength(0);
    beats(26);
    expect(asked).toHaveLength(6);
    expect(new Set(asked.map(({ inputs }) => inputs[0])).size).toBe(6);
    expect(asked[0]!.inputs.map(({ length }) => length)).toEqual([180, 32]);
    for (const { answer } of asked) answer(AFIB);
    await path.settled();
    const verdicts = told.filter(({ windowBeats }) => windowBeats === 60);
    expect(verdicts).toHaveLength(6);
    expect(verdicts[0]).toEqual({
      tMs: 60 * 800,
      windowStartMs: 800,
      windowBeats: 60,
      label: 'afib',
      score: expect.closeTo(1 / (1 + Math.exp(-4)), 9),
      source: 'model',
    });
    expect(path.current?.tMs).toBe(85 * 800);
  });

  it('gives hints of the rule from 30 intervals on, at once', () => {
    const { told, asked, beats } = bench();
    beats(59);
    expect(asked).toHaveLength(0);
    expect(told.map(({ tMs, windowBeats, source }) => [tMs / 800, windowBeats, source])).toEqual(
      [30, 35, 40, 45, 50, 55].map((interval) => [interval, 30, 'rule']),
    );
  });

  it('tells scores in the order of their windows, each with the cause it was asked for', async () => {
    const { path, asked, told, causes, beats } = bench();
    beats(75);
    const hints = told.length;
    for (const k of [3, 1, 0, 2]) {
      asked[k]!.answer(Float32Array.of(0, k));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await path.settled();
    expect(told.slice(hints).map(({ tMs }) => tMs / 800)).toEqual([60, 65, 70, 75]);
    expect(told.slice(hints).map(({ score }) => Math.round(Math.log(score / (1 - score))))).toEqual([0, 1, 2, 3]);
    expect(causes.slice(hints)).toEqual([60, 65, 70, 75].map((interval) => interval * 800 + 1));
  });

  it('falls back to the rule where the model gives no answer, and says so', async () => {
    const { path, asked, told, beats } = bench();
    beats(65);
    asked[0]!.answer(null);
    asked[1]!.answer(AFIB);
    await path.settled();
    expect(told.slice(-2).map(({ source, label, windowBeats }) => [source, label, windowBeats])).toEqual([
      ['rule', 'regular', 60],
      ['model', 'afib', 60],
    ]);
  });

  it('judges by the rule alone where there is no model, without delay', async () => {
    const { path, told, beats } = bench({ withModel: false });
    beats(70);
    await path.settled();
    expect(told.at(-1)).toMatchObject({ tMs: 70 * 800, windowBeats: 60, source: 'rule', label: 'regular' });
    expect(told.filter(({ windowBeats }) => windowBeats === 60)).toHaveLength(3);
  });

  it('leaves out intervals of bad signal and begins anew after a long hole', async () => {
    const { path, asked, told, beats, wait } = bench();
    beats(40, 800, false);
    expect(told).toHaveLength(0);
    beats(59);
    beats(300, 800, false);
    beats(1);
    expect(asked).toHaveLength(0);
    wait(1000);
    beats(59);
    expect(asked).toHaveLength(1);
    asked[0]!.answer(null);
    await path.settled();
    expect(told.at(-1)?.windowBeats).toBe(60);
  });

  it('settles when hints follow verdicts that are still awaited', async () => {
    const { path, asked, told, beats } = bench();
    beats(60);
    beats(200, 800, false);
    beats(30);
    expect(told.at(-1)?.windowBeats).toBe(30);
    expect(told.at(-1)?.tMs).toBe(55 * 800);
    asked[0]!.answer(AFIB);
    await path.settled();
    expect(told.slice(-2).map(({ windowBeats }) => windowBeats)).toEqual([60, 30]);
  });
});
