/**
 * The model host: a process of its own, because native code can hang or crash and must not take the daemon along. It
 * loads bundles, answers batches, and ends when the daemon does. Entry point of a child process; never imported.
 */
import { Socket } from 'node:net';
import { encodeFrame, type Frame, FrameReader, FrameType, floatsOf } from './frames.js';
import type { LoadReport, LoadRequest } from './messages.js';
import { importRuntime, type OrtModule, openModel, type RunnableModel } from './session.js';

const CHANNEL_FD = 3;

const models = new Map<number, RunnableModel>();
const channel = new Socket({ fd: CHANNEL_FD, readable: true, writable: true });

// Ctrl-C and systemd signal the whole group; the daemon still needs its model until it has closed the channel.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
// The daemon went away, in whatever way: so do we.
for (const event of ['end', 'close', 'error'] as const) channel.on(event, () => process.exit(0));

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
    process.exit(1);
  },
);
channel.on('data', (chunk) => reader.push(chunk));

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
  for (const [index, model] of request.models.entries()) {
    try {
      const runnable = await openModel(ort, request.runtime, model, request.timingMs);
      models.set(index, runnable);
      results.push({ slot: model.slot, loaded: runnable.loaded, refused: null });
    } catch (error) {
      results.push({ slot: model.slot, loaded: null, refused: textOf(error) });
    }
  }
  answer({ runtimeFault: null, models: results });
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
  channel.write(encodeFrame({ type, model: to.model, generation: to.generation, id: to.id, items: to.items }, payload));
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message.split('\n')[0] || error.name : String(error);
}
