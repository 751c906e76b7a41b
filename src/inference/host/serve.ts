import type { Duplex } from 'node:stream';
import { encodeFrame, type Frame, FrameReader, FrameType, floatsOf } from './frames.js';
import type { LoadReport, LoadRequest } from './messages.js';
import { importRuntime, type OpenedModel, type OrtModule, openModel, type RunnableModel } from './session.js';

/**
 * The model host at its end of a channel: loads bundles, answers batches, and ends when the other end does.
 * @param end called when there is nothing more to serve, with an exit code
 */
export function serveModels(channel: Duplex, end: (code: number) => void): void {
  const models = new Map<number, RunnableModel>();
  // The daemon went away, in whatever way: so do we.
  for (const event of ['end', 'close', 'error'] as const) channel.on(event, () => end(0));

  // One after the other: the runtime computes on this thread anyway, and answers stay in order.
  let work: Promise<void> = Promise.resolve();
  const reader = new FrameReader(
    (frame) => {
      const own = { ...frame, payload: Buffer.from(frame.payload) };
      work = work.then(() =>
        own.type === FrameType.load ? load(own) : own.type === FrameType.run ? run(own) : undefined,
      );
    },
    (reason) => {
      console.error(`model host: the daemon sent ${reason}`);
      end(1);
    },
  );
  channel.on('data', (chunk: Buffer) => reader.push(chunk));

  async function load(frame: Frame): Promise<void> {
    const request = JSON.parse(frame.payload.toString('utf8')) as LoadRequest;
    const answer = (report: LoadReport) => reply(frame, FrameType.loaded, [Buffer.from(JSON.stringify(report))]);
    let ort: OrtModule;
    try {
      ort = await importRuntime(request.runtime);
    } catch (error) {
      return answer({ runtimeFault: `${request.runtime.module} does not load: ${textOf(error)}`, models: [] });
    }
    const results: LoadReport['models'][number][] = [];
    const trials: [index: number, trial: NonNullable<OpenedModel['trial']>][] = [];
    for (const [index, model] of request.models.entries()) {
      try {
        const { runnable, trial } = await openModel(ort, request.runtime, model, request.timingMs);
        models.set(index, runnable);
        results.push({ slot: model.slot, loaded: runnable.loaded, refused: null });
        if (trial) trials.push([index, trial]);
      } catch (error) {
        results.push({ slot: model.slot, loaded: null, refused: textOf(error) });
      }
    }
    const tried = (index: number, runnable: RunnableModel) => {
      models.set(index, runnable);
      results[index] = { slot: runnable.loaded.slot, loaded: runnable.loaded, refused: null };
    };
    if (request.tryLater) {
      answer({ runtimeFault: null, models: results });
      if (trials.length > 0)
        tryBetweenAnswers(trials, tried, () => answer({ revised: true, runtimeFault: null, models: results }));
      return;
    }
    for (const [index, trial] of trials) {
      let step = await trial.next();
      while (!step.done) step = await trial.next();
      tried(index, step.value);
    }
    answer({ runtimeFault: null, models: results });
  }

  /** One step at a time in the row of work, so that a beat waits for one step at most. */
  function tryBetweenAnswers(
    trials: [index: number, trial: NonNullable<OpenedModel['trial']>][],
    tried: (index: number, runnable: RunnableModel) => void,
    done: () => void,
  ): void {
    const [first] = trials;
    if (!first) {
      done();
      return;
    }
    const [index, trial] = first;
    work = work.then(async () => {
      try {
        const step = await trial.next();
        if (step.done) {
          tried(index, step.value);
          trials.shift();
        }
      } catch (error) {
        // What runs goes on running.
        console.error(`model host: a trial failed: ${textOf(error)}`);
        trials.shift();
      }
      // After what has come in meanwhile.
      setImmediate(() => tryBetweenAnswers(trials, tried, done));
    });
  }

  async function run(frame: Frame): Promise<void> {
    const model = models.get(frame.model);
    try {
      if (!model) throw new Error(`no model ${frame.model} is loaded`);
      const values = floatsOf(frame.payload);
      if (values.length !== model.itemValues * frame.items)
        throw new Error(`${values.length} input values for ${frame.items} items of ${model.itemValues}`);
      let at = 0;
      const inputs = model.loaded.manifest.inputs.map((input) => {
        const size = input.shape.reduce((product, n) => product * n, frame.items);
        at += size;
        return values.subarray(at - size, at);
      });
      const from = performance.now();
      const outputs = await model.run(inputs, frame.items);
      reply(frame, FrameType.result, [Float64Array.of(performance.now() - from), outputs]);
    } catch (error) {
      reply(frame, FrameType.failed, [Buffer.from(textOf(error))]);
    }
  }

  function reply(to: Frame, type: FrameType, payload: readonly (Uint8Array | Float32Array | Float64Array)[]): void {
    channel.write(
      encodeFrame({ type, model: to.model, generation: to.generation, id: to.id, items: to.items }, payload),
    );
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message.split('\n')[0] || error.name : String(error);
}
