import { encodeFrame, type Frame, FrameReader, FrameType, floatsOf } from './host/frames.js';
import type { LoadReport, LoadRequest } from './host/messages.js';
import type { HostChild, SpawnHost } from './host/spawn.js';

/** Enough of the host's standard error to say why it died. */
const STDERR_KEPT = 600;

export interface HostEvents {
  onLoaded(report: LoadReport): void;
  /** The answer to the run of that id; null: the host could not do it, and `fault` says why. */
  onResult(id: number, outputs: Float32Array | null, modelMs: number, fault: string | null): void;
  /** An answer of another generation: somebody else's, never to be used. */
  onLate(): void;
  /** The process has ended, or never began. Nothing comes after this. */
  onDead(reason: string, signal: NodeJS.Signals | null): void;
}

/**
 * One life of the model host: from spawn to death, with one generation number. Knows nothing of queues or deadlines;
 * the runner decides when it has to die.
 */
export class HostProcess {
  readonly #child: HostChild | null;
  #dead = false;
  #stderr = '';
  #channelFault = '';

  constructor(
    spawn: SpawnHost,
    readonly generation: number,
    private readonly events: HostEvents,
  ) {
    let child: HostChild | null = null;
    try {
      child = spawn();
    } catch (error) {
      queueMicrotask(() => this.#die(`could not be started: ${(error as Error).message}`, null));
    }
    this.#child = child;
    if (!child) return;
    child.onExit((code, signal, error) => {
      const last = this.#stderr.trim().split('\n').at(-1) ?? '';
      const how = error ? `could not be started: ${error.message}` : `died (${signal ?? `exit code ${code}`})`;
      this.#die([how, this.#channelFault, last].filter(Boolean).join(': '), signal);
    });
    if (!child.channel) return; // A failed spawn has no pipes; its `error` follows.
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString('utf8')).slice(-STDERR_KEPT);
    });
    const reader = new FrameReader(
      (frame) => this.#onFrame(frame),
      (reason) => {
        this.#channelFault = `sent ${reason}`;
        this.kill();
      },
    );
    child.channel.on('data', (chunk: Buffer) => reader.push(chunk));
    // A broken pipe is told again, and better, by the exit that follows.
    child.channel.on('error', () => this.kill());
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  load(request: LoadRequest): void {
    this.#send(FrameType.load, 0, 0, 0, [Buffer.from(JSON.stringify(request))]);
  }

  /** Sends one batch: `parts` are the inputs' bytes in the order of the protocol. */
  run(model: number, id: number, items: number, parts: readonly Float32Array[]): void {
    this.#send(FrameType.run, model, id, items, parts);
  }

  /** At once and for certain, also when it hangs in native code or was stopped. */
  kill(): void {
    this.#child?.kill('SIGKILL');
  }

  /** Lets it end by itself: it does when its channel closes. */
  close(): void {
    this.#child?.channel?.end();
  }

  #send(type: FrameType, model: number, id: number, items: number, payload: readonly (Uint8Array | Float32Array)[]) {
    const channel = this.#child?.channel;
    if (this.#dead || !channel || channel.destroyed || channel.writableEnded) return;
    channel.write(encodeFrame({ type, model, generation: this.generation, id, items }, payload));
  }

  #onFrame(frame: Frame): void {
    if (frame.generation !== this.generation || this.#dead) this.events.onLate();
    else if (frame.type === FrameType.loaded)
      this.events.onLoaded(JSON.parse(frame.payload.toString('utf8')) as LoadReport);
    else if (frame.type === FrameType.result && frame.payload.length >= 8)
      this.events.onResult(frame.id, floatsOf(frame.payload, 8), frame.payload.readDoubleLE(0), null);
    else this.events.onResult(frame.id, null, 0, frame.payload.toString('utf8'));
  }

  #die(reason: string, signal: NodeJS.Signals | null): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#child?.channel?.destroy();
    this.events.onDead(`the model host ${reason}`, signal);
  }
}
