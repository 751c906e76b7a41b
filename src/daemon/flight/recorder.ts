import type { ToldCall } from '../../alarm/engine.js';
import { OpenAlert } from '../../alarm/open-alert.js';
import type { Peers, Witness } from '../../alarm/peers.js';
import type { AlertChange } from '../../domain/alert.js';
import type { Beat, BeatScores } from '../../domain/beat.js';
import type { StreamMs, Timers } from '../../domain/clock.js';
import type { InferencePort } from '../../domain/inference.js';
import type { Quality } from '../../domain/quality.js';
import type { Rhythm } from '../../domain/rhythm.js';
import type { ShockableVerdict } from '../../domain/shockable.js';
import { type CaptureHeader, encodeRecord, MAGIC, RECORD, type RecordType } from '../../sensor/capture/container.js';
import { OrderedAnswers } from '../ordered-answers.js';
import { GzipMember } from './gzip-member.js';
import type { FlightHeader } from './header.js';
import { LastBytes } from './last-bytes.js';
import { RecordLog } from './record-log.js';
import { encodeState, type StateCodecOptions } from './state-codec.js';

/** Answers on their way belong to the outside; open alerts come and go. */
export const STATE_OF_PIPELINE: StateCodecOptions = { outside: [OrderedAnswers], classes: [OpenAlert] };

/**
 * A state is taken this often: the ring is as long as configured and at most this much longer. It takes 2 to 5 ms, in which
 * no alert of another sensor is heard, and the more memory the more of them are kept.
 */
const STATE_EVERY_MS = 120_000;
/** A decoder finds its feet within two frames; a text format may name its columns in the first lines after opening. */
const WARM_HEAD_BYTES = 1024;
const WARM_TAIL_BYTES = 4096;

/** A decision as it is compared: JSON keeps every double to the last bit. */
export type Decision =
  | { readonly beat: Beat; readonly scores: BeatScores | null }
  | { readonly rhythm: Rhythm }
  | { readonly quality: Quality }
  | { readonly shockable: ShockableVerdict }
  | { readonly alert: AlertChange };

/** What somebody tells the alarms from outside. */
export type Told = readonly [call: ToldCall, ...args: unknown[]];

/** A witness as it is kept: its one function asked for the time it is asked for. */
export type KeptWitness = Omit<Witness, 'beatsWithin'> & { readonly within: readonly (readonly [number, number])[] };

export interface FlightRecorderOptions {
  readonly minutes: number;
  readonly maxBytes: number;
  readonly afterMs: number;
  /**
   * Of STATE_EVERY_MS, 0 to 1: when the second state is taken, so that many sensors do not take theirs in one and the
   * same tick. Left out: 1.
   */
  readonly phase?: number;
  readonly timers: Timers;
  /** Calls back in a turn of the event loop of its own; left out: `setImmediate`. */
  readonly nextTurn?: ((run: () => void) => void) | undefined;
  /** All that holds state of this sensor's decisions; null while there is no pipeline yet. */
  readonly roots: () => object | null;
  /** What the header says of the moment a stretch is frozen. */
  readonly header: () => {
    readonly capture: Omit<CaptureHeader, 'version' | 'part' | 'flight' | 'startedAt'>;
    readonly flight: Omit<FlightHeader, 'version' | 'alert' | 'startMs' | 'nextQuestion'>;
  };
  /** Takes the file of an alert in its members; called again when more of the stretch is known. */
  readonly save: (alertId: string, members: readonly GzipMember[]) => void;
}

/** From one state to the next. */
interface Segment {
  readonly startMs: StreamMs;
  readonly nextQuestion: number;
  readonly warm: Uint8Array;
  /** The record of the state. Packed at once: a third of a megabyte for ECG, for each two minutes that are kept. */
  readonly state: GzipMember;
  /** Packed when the next segment begins. */
  log: RecordLog | GzipMember;
}

/**
 * One sensor's flight recorder: the last minutes of everything that reached its pipeline, in the order it did, with the
 * pipeline's state at the start. An alert freezes the stretch around it.
 */
export class FlightRecorder {
  private segments: Segment[] = [];
  private nextStateMs: StreamMs = Number.NEGATIVE_INFINITY;
  private pending = 0;
  private question = 0;
  private head = Buffer.alloc(0);
  private readonly tail = new LastBytes(WARM_TAIL_BYTES);
  private readonly cancels = new Set<() => void>();

  constructor(private readonly options: FlightRecorderOptions) {}

  /** Bytes held now. */
  get bytes(): number {
    return this.segments.reduce((sum, { state, warm, log }) => sum + state.length + warm.length + log.length, 0);
  }

  opened(tMs: StreamMs): void {
    this.head = Buffer.alloc(0);
    this.tail.clear();
    this.add(RECORD.opened, tMs, NOTHING);
  }

  chunk(tMs: StreamMs, bytes: Uint8Array): void {
    this.add(RECORD.bytes, tMs, bytes);
    if (this.head.length < WARM_HEAD_BYTES) this.head = Buffer.concat([this.head, bytes]).subarray(0, WARM_HEAD_BYTES);
    else this.tail.push(bytes);
  }

  /** Before the pipeline hears of this tick. */
  tick(tMs: StreamMs): void {
    // A model's answer on its way is no state that could be kept: the next tick will do.
    if (tMs >= this.nextStateMs && this.pending === 0) this.begin(tMs);
    this.add(RECORD.tick, tMs, NOTHING);
  }

  link(tMs: StreamMs, state: 'data' | 'silent'): void {
    this.add(RECORD.link, tMs, json(state));
  }

  told(...told: Told): void {
    this.add(RECORD.told, 0, json(told));
  }

  decided(decision: Decision): void {
    this.add(RECORD.decided, 0, json(decision));
  }

  /** The same port, with each answer written down where it came. */
  port(inference: InferencePort): InferencePort {
    const { nextTurn = setImmediate } = this.options;
    return {
      infer: (model, inputs) => {
        const question = this.question++;
        this.pending++;
        return inference.infer(model, inputs).then(
          (output) =>
            new Promise((resolve) => {
              // In a turn of its own: what the answer sets free runs to its end before the next bytes are heard, as in a
              // replay. A port's bytes come by promises, too, and could come in between.
              nextTurn(() => {
                this.pending--;
                const payload = Buffer.alloc(4 + (output?.byteLength ?? 0));
                payload.writeUInt32LE(question, 0);
                if (output) payload.set(new Uint8Array(output.buffer, output.byteOffset, output.byteLength), 4);
                this.add(RECORD.answer, 0, payload);
                resolve(output);
              });
            }),
        );
      },
      state: () => inference.state(),
      info: (model) => inference.info(model),
    };
  }

  /** The same peers, with what they said written down. */
  peers(peers: Peers): Peers {
    return {
      toldBy: (kinds) => {
        const told = peers.toldBy(kinds);
        this.add(RECORD.peers, 0, json({ told }));
        return told;
      },
      witnesses: () => {
        const kept = peers.witnesses().map((witness) => {
          const within: [number, number][] = [];
          const { beatsWithin: _, ...rest } = witness;
          return {
            kept: { ...rest, within } satisfies KeptWitness,
            witness: {
              ...witness,
              beatsWithin: (ms: number) => {
                const count = witness.beatsWithin(ms);
                within.push([ms, count]);
                return count;
              },
            },
          };
        });
        // Written once the rule has asked what it wants to know: it does so before anything else happens.
        queueMicrotask(() => this.add(RECORD.peers, 0, json({ witnesses: kept.map((one) => one.kept) })));
        return kept.map(({ witness }) => witness);
      },
    };
  }

  /** An alert event; a new alert freezes its stretch now, and again when some time has passed. */
  alert(change: AlertChange): void {
    this.decided({ alert: change });
    if (change.event !== 'new') return;
    // Not within the call that raised it: what is frozen ends where one input ends.
    this.later(0, () => this.freeze(change));
    this.later(this.options.afterMs, () => this.freeze(change));
  }

  stop(): void {
    for (const cancel of this.cancels) cancel();
    this.cancels.clear();
  }

  private freeze({ id, kind, raisedMs }: AlertChange): void {
    const [first] = this.segments;
    if (!first) return;
    const { capture, flight } = this.options.header();
    const alert = { id, kind, raisedMs };
    const { startMs, nextQuestion } = first;
    const header: CaptureHeader = {
      version: 1,
      part: 1,
      startedAt: new Date(startMs + flight.wallOffsetMs).toISOString(),
      ...capture,
      flight: { version: 1, alert, startMs, nextQuestion, ...flight } satisfies FlightHeader,
    };
    const head = [
      MAGIC,
      encodeRecord(RECORD.header, startMs, json(header)),
      encodeRecord(RECORD.warm, startMs, first.warm),
    ];
    this.options.save(id, [
      new GzipMember(Buffer.concat(head)),
      first.state,
      ...this.segments.map(({ log }) => (log instanceof GzipMember ? log : new GzipMember(log.copy()))),
    ]);
  }

  private later(delayMs: number, run: () => void): void {
    const cancel = this.options.timers.after(delayMs, () => {
      this.cancels.delete(cancel);
      run();
    });
    this.cancels.add(cancel);
  }

  private begin(tMs: StreamMs): void {
    const roots = this.options.roots();
    if (!roots) return;
    const state = new GzipMember(encodeRecord(RECORD.state, tMs, encodeState(roots, STATE_OF_PIPELINE)));
    state.shrink();
    const ended = this.segments.at(-1);
    if (ended?.log instanceof RecordLog) {
      ended.log = new GzipMember(ended.log.copy());
      ended.log.shrink();
    }
    this.segments.push({
      startMs: tMs,
      nextQuestion: this.question,
      warm: Buffer.concat([this.head, this.tail.copy()]),
      state,
      log: new RecordLog(),
    });
    const { minutes, maxBytes, phase = 1 } = this.options;
    this.nextStateMs = tMs + STATE_EVERY_MS * (this.segments.length === 1 ? phase : 1);
    // The second one's start is how far back the ring reaches without the first.
    while (this.segments.length > 1) {
      const reachMs = tMs - this.segments[1]!.startMs;
      if (reachMs < minutes * 60_000 && this.bytes <= maxBytes) break;
      this.segments.shift();
    }
  }

  private add(type: RecordType, tMs: StreamMs, payload: Uint8Array): void {
    const log = this.segments.at(-1)?.log;
    if (log instanceof RecordLog) log.add(type, tMs, payload);
  }
}

const NOTHING = new Uint8Array();
const encoder = new TextEncoder();
const json = (value: unknown) => encoder.encode(JSON.stringify(value));
