import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { NATIVE_RUNTIME, WASM_RUNTIME } from '../../src/inference/host/messages.js';
import { spawnHost } from '../../src/inference/host/spawn.js';
import { InferenceRunner } from '../../src/inference/runner.js';
import {
  HOST_ENTRY,
  item,
  logitsOf,
  makeRunner,
  startedRunner,
  swapFile,
  TINY_BEAT,
  tinyBundle,
  until,
} from './helpers.js';

const close = (got: Float32Array | null, inputs: readonly Float32Array[], digits = 4) => {
  expect(got).not.toBeNull();
  logitsOf(inputs).forEach((value, at) => {
    expect(got?.[at]).toBeCloseTo(value, digits);
  });
};

describe('InferenceRunner', () => {
  it('answers with what the model computes, and says what runs', async () => {
    const recorded: number[] = [];
    const runner = await startedRunner({
      stages: { record: (stage, ms) => stage === 'inference' && recorded.push(ms) },
    });
    close(await runner.infer('beat', item(1)), item(1));
    expect(runner.info('beat')).toMatchObject({ name: 'tiny-beat', precision: 'fp32', runtime: 'native' });
    expect(runner.info('other')).toBeNull();
    expect(recorded).toHaveLength(1);
    const stats = runner.stats();
    expect(stats).toMatchObject({ generation: 1, runs: 1, items: 1, respawns: 0, faults: 0 });
    expect(stats.p50Ms).toBeGreaterThan(0);
    expect(stats.p99Ms).toBeGreaterThanOrEqual(stats.p50Ms);
  });

  it('puts what waits into one batch, and gives each caller its own answer', async () => {
    const runner = await startedRunner({ maxBatch: 8 });
    const inputs = Array.from({ length: 41 }, (_, at) => item(at));
    const answers = await Promise.all(inputs.map((values) => runner.infer('beat', values)));
    answers.forEach((answer, at) => {
      close(answer, inputs[at] ?? []);
    });
    // The first goes alone, the other 40 by eight.
    expect(runner.stats()).toMatchObject({ runs: 6, items: 41 });
  });

  it('copies inputs: a buffer may be used again at once', async () => {
    const runner = await startedRunner();
    const [ecg, rr] = item(1);
    const first = runner.infer('beat', [ecg, rr]);
    const second = runner.infer('beat', [ecg, rr]);
    ecg.fill(99);
    close(await first, item(1));
    close(await second, item(1));
  });

  it('runs a model with a fixed batch of one, one by one', async () => {
    const dir = tinyBundle((manifest, at) => swapFile(manifest, at, 'fp32', 'model.fixed.onnx'));
    const runner = await startedRunner({ models: { beat: dir } });
    expect(runner.model('beat')?.takesBatches).toBe(false);
    const answers = await Promise.all([1, 2, 3].map((seed) => runner.infer('beat', item(seed))));
    answers.forEach((answer, at) => {
      close(answer, item(at + 1));
    });
    expect(runner.stats().runs).toBe(3);
  });

  it('keeps two models apart', async () => {
    const runner = await startedRunner({ models: { beat: TINY_BEAT, second: tinyBundle((m) => (m.name = 'second')) } });
    const answers = await Promise.all([
      runner.infer('beat', item(1)),
      runner.infer('second', item(2)),
      runner.infer('beat', item(3)),
      runner.infer('second', item(4)),
    ]);
    answers.forEach((answer, at) => {
      close(answer, item(at + 1));
    });
    expect(runner.info('second')?.name).toBe('second');
  });

  it('times the variants at start and names the one it took', async () => {
    const runner = await startedRunner({ variant: 'auto', timingMs: 20 });
    const model = runner.model('beat');
    expect(model?.trials.map((trial) => trial.variant).sort()).toEqual(['fp32', 'int8']);
    for (const trial of model?.trials ?? []) expect(trial.medianMs).toBeGreaterThan(0);
    const of = (id: string) => model?.trials.find((trial) => trial.variant === id)?.medianMs ?? 0;
    expect(model?.variant).toBe(of('fp32') < of('int8') * 0.95 ? 'fp32' : 'int8');
    expect(runner.info('beat')?.precision).toBe(model?.variant);
    close(await runner.infer('beat', item(1)), item(1), 0);

    // A host that comes back runs the same one, without timing again.
    process.kill(runner.stats().hostPid as number, 'SIGKILL');
    await until(() => runner.state() === 'ready' && runner.stats().generation === 2, 'respawn');
    expect(runner.model('beat')).toMatchObject({ variant: model?.variant, trials: model?.trials });
  });

  it('answers on the default variant while the others are still tried, and loses no answer over a change', async () => {
    let revised = 0;
    const runner = makeRunner({ variant: 'auto', timingMs: 100, onRevised: () => revised++ });
    runner.start(true);
    expect(await runner.settled()).toBe('ready');
    const first = runner.model('beat');
    expect(first?.trials.map(({ medianMs }) => medianMs)).toEqual([null]);
    let answers = 0;
    while (revised === 0) {
      close(await runner.infer('beat', item(1)), item(1), 0);
      answers++;
    }
    expect(answers).toBeGreaterThan(5);
    const model = runner.model('beat');
    const of = (id: string) => model?.trials.find((trial) => trial.variant === id)?.medianMs ?? 0;
    expect(of('fp32')).toBeGreaterThan(0);
    expect(model?.variant).toBe(of('fp32') < of('int8') * 0.95 ? 'fp32' : 'int8');
    for (let i = 0; i < 5; i++) close(await runner.infer('beat', item(i)), item(i), 0);
    expect(runner.stats()).toMatchObject({ lost: 0, faults: 0, unavailable: 0, generation: 1, lateAnswers: 0 });
  });

  it('drops the oldest when the queue is full, and counts it', async () => {
    const runner = await startedRunner({ maxQueue: 4, maxBatch: 2 });
    const answers = await Promise.all(Array.from({ length: 8 }, (_, at) => runner.infer('beat', item(at))));
    // 0 is under way; 1, 2 and 3 made room for 5, 6 and 7.
    expect(answers.map((answer) => answer !== null)).toEqual([true, false, false, false, true, true, true, true]);
    close(answers[7] ?? null, item(7));
    expect(runner.stats().dropped).toBe(3);
  });

  it('answers null, and never hangs, before the start, without the model, with wrong inputs and after the end', async () => {
    const runner = makeRunner();
    expect(runner.state()).toBe('starting');
    expect(await runner.infer('beat', item(1))).toBeNull();
    runner.start();
    await runner.settled();
    expect(await runner.infer('other', item(1))).toBeNull();
    expect(await runner.infer('beat', [new Float32Array(4)])).toBeNull();
    expect(await runner.infer('beat', [new Float32Array(5), new Float32Array(2)])).toBeNull();
    expect(runner.stats()).toMatchObject({
      unavailable: 2,
      faults: 2,
      lastFault: expect.stringMatching(/ecg takes 4 .* 5/),
    });
    const open = runner.infer('beat', item(1));
    await Promise.all([runner.stop(), runner.stop()]);
    expect(await open).toBeNull();
    expect(await runner.infer('beat', item(1))).toBeNull();
    expect(runner.state()).toBe('down');
    expect(runner.stats().hostPid).toBeNull();
  });

  it('does not pass on an answer that is not a number', async () => {
    const runner = await startedRunner();
    expect(await runner.infer('beat', [Float32Array.of(Number.NaN, 0, 0, 0), new Float32Array(2)])).toBeNull();
    expect(runner.stats()).toMatchObject({ faults: 1, lastFault: expect.stringMatching(/not finite/) });
    close(await runner.infer('beat', item(1)), item(1));
  });

  it('reports a soft budget that is not met', async () => {
    const runner = await startedRunner({ budgetMs: 0.0001 });
    for (let at = 0; at < 25; at++) await runner.infer('beat', item(at));
    expect(runner.stats()).toMatchObject({ slow: true, overBudget: 25 });
    const fast = await startedRunner({ budgetMs: 5000 });
    for (let at = 0; at < 25; at++) await fast.infer('beat', item(at));
    expect(fast.stats()).toMatchObject({ slow: false, overBudget: 0 });
  });

  it('is settled once every runtime has had its turn, and not in between', async () => {
    const dying = (...ends: string[]) => {
      let host = 0;
      return () => {
        const end = ends[host++];
        return end === undefined ? spawnHost(HOST_ENTRY) : spawnHost(join(import.meta.dirname, 'dying', end));
      };
    };
    const told: string[] = [];
    const runtimes = [NATIVE_RUNTIME, WASM_RUNTIME];
    const onState = (state: string) => told.push(state);
    const illegal = makeRunner({ spawn: dying('sigill.mjs'), runtimes, onState });
    illegal.start();
    expect(await illegal.settled()).toBe('ready');
    expect(illegal.info('beat')?.runtime).toBe('wasm');
    expect(told).toContain('down');

    // An end that tells nothing gets a second try.
    const once = makeRunner({ spawn: dying('exit.mjs'), runtimes });
    once.start();
    expect(await once.settled()).toBe('ready');
    expect(once.info('beat')?.runtime).toBe('native');

    const never = makeRunner({ spawn: dying('sigill.mjs', ...Array(20).fill('exit.mjs')), runtimes });
    never.start();
    expect(await never.settled()).toBe('down');
    expect(never.note).toMatch(/the native runtime does not start here/);
  });

  it('says so when there is no model to run', async () => {
    const runner = new InferenceRunner({ models: {} });
    runner.start();
    expect(await runner.settled()).toBe('down');
    expect(runner.reason).toMatch(/no model/);
    await runner.stop();
  });
});
