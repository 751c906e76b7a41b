import { setImmediate as nextTurn } from 'node:timers/promises';
import { AlarmEngine } from '../../alarm/engine.js';
import type { Peers } from '../../alarm/peers.js';
import { AnomalyPath } from '../../daemon/anomaly-path.js';
import { BeatClassifier } from '../../daemon/beat-classifier.js';
import { type FlightHeader, flightHeaderSchema } from '../../daemon/flight/header.js';
import { type Decision, type KeptWitness, STATE_OF_PIPELINE, type Told } from '../../daemon/flight/recorder.js';
import { restoreState, StateError } from '../../daemon/flight/state-codec.js';
import { ForwardingSink } from '../../daemon/forwarding-sink.js';
import { Pipeline } from '../../daemon/pipeline.js';
import { alarmTraits, anomalyModelOf, modelInfoOf, rhythmModelOf, shockableModelOf } from '../../daemon/station.js';
import type { AlertChange } from '../../domain/alert.js';
import type { StreamMs } from '../../domain/clock.js';
import type { InferencePort, ModelInfo, ModelInputs, ModelSlot } from '../../domain/inference.js';
import { type CaptureContent, type CaptureRecord, RECORD } from '../../sensor/capture/container.js';
import { findFormat } from '../../sensor/formats/registry.js';
import { ArrivalSampleClock, exactSampleClock } from '../../sensor/sample-clock.js';
import type { ReplayTap } from '../export/recording.js';
import { ReplayEvents } from './events.js';
import { ReplayError } from './source.js';

export interface FlightReplayOptions {
  readonly record: string;
  readonly version: string;
  readonly write: (line: string) => void;
  /** Types of the lines that are written; left out or null: all. */
  readonly only?: ReadonlySet<string> | null;
  readonly signal?: AbortSignal;
  /** Hears more than the lines tell. */
  readonly tap?: ReplayTap;
  /** Models of this machine that are asked again; those of another sha256 are not. */
  readonly inference?: InferencePort | null;
}

/** What a stretch was recorded from. */
export function flightOrigin({ header }: CaptureContent) {
  const flight = flightHeaderSchema.parse(header.flight);
  return { carries: findFormat(header.format).carries(header.options), rateHz: flight.rateHz, sensor: flight.sensor };
}

/** How what was decided now compares with what was decided then. */
export interface FlightVerdict {
  readonly identical: boolean;
  readonly decisions: number;
  readonly beats: number;
  readonly alerts: number;
  /** The first decision that differs, as JSON. */
  readonly firstDifference: { readonly recorded: string | null; readonly decided: string | null } | null;
  readonly models: {
    readonly asked: number;
    readonly same: number;
    readonly largestDifference: number;
    /** Slots whose model is not here, so that its answers are those of then. */
    readonly absent: readonly string[];
  };
}

/**
 * Decides a frozen stretch again: the pipeline in the state of its start, then every input of then, in its order. The
 * models' answers are those of then, so that the machine's arithmetic cannot change a decision; where the same model is
 * here it is asked again too and its answers are compared.
 * @throws ReplayError where the stretch was made by another build or is damaged
 */
export async function replayFlight(content: CaptureContent, options: FlightReplayOptions): Promise<FlightVerdict> {
  const parsed = flightHeaderSchema.safeParse(content.header.flight);
  if (!parsed.success) throw new ReplayError(`${options.record}: the flight recorder's header makes no sense`);
  const flight = new Flight(content, parsed.data, options);
  return flight.run();
}

class Flight {
  private readonly recorded: string[];
  private readonly decided: string[] = [];
  private readonly ids: string[];
  private readonly events: ReplayEvents;
  private readonly answers: Answers;
  private readonly alarms: AlarmEngine;
  private readonly pipeline: Pipeline;
  private readonly clock: ArrivalSampleClock | null;
  private readonly classifier: BeatClassifier | null;
  private readonly anomaly: AnomalyPath | null;
  private nowMs: StreamMs;

  constructor(
    private readonly content: CaptureContent,
    private readonly header: FlightHeader,
    private readonly options: FlightReplayOptions,
  ) {
    const { header: capture, records } = content;
    const decided = records.filter(({ type }) => type === RECORD.decided).map(({ payload }) => textOf(payload));
    this.recorded = decided;
    this.ids = decided.flatMap((line) => {
      const { alert } = JSON.parse(line) as { alert?: AlertChange };
      return alert?.event === 'new' ? [alert.id] : [];
    });
    const format = findFormat(capture.format);
    const carries = format.carries(capture.options);
    this.nowMs = header.startMs;
    const { tap } = options;
    this.events = new ReplayEvents(
      {
        record: options.record,
        rateHz: carries.waveform ? header.rateHz : 1000,
        signal: carries.waveform?.kind ?? null,
      },
      options.write,
      { startMs: header.startMs, only: options.only ?? null },
    );
    this.answers = new Answers(header, options.inference ?? null);
    const models = modelsOf(header, this.answers);
    this.clock = carries.waveform ? new ArrivalSampleClock(header.rateHz) : null;
    tap?.clock?.((sample) => this.clock?.timeOf(sample) ?? Number.NaN);
    this.alarms = new AlarmEngine({
      sensor: header.sensor,
      settings: header.alarms,
      ...alarmTraits(carries),
      emit: (change) => {
        this.decide({ alert: change });
        this.events.alert(change, this.nowMs);
        tap?.alert?.(change);
      },
      newId: () => this.ids.shift() ?? 'not-decided-then',
      capture: (fromMs, toMs) => this.pipeline.capture(fromMs, toMs),
      modelInfo: (kind, slot) => modelInfoOf(models, kind, slot),
      ...(header.hasPeers ? { peers: peersOf(records) } : {}),
    });
    this.classifier =
      models.beat && carries.waveform?.kind === 'ecg'
        ? new BeatClassifier({
            rateHz: header.rateHz,
            model: models.beat.name,
            inference: this.answers,
            preprocessing: models.beat.preprocessing,
            logitOffsets: models.beat.logitOffsets,
            stages: { record() {} },
            nowMs: () => 0,
            causeMs: () => null,
          })
        : null;
    const anomalyModel = anomalyModelOf(models);
    this.anomaly =
      anomalyModel && new AnomalyPath({ model: anomalyModel, onVerdict: (verdict) => this.alarms.anomaly(verdict) });
    this.pipeline = new Pipeline({
      carries,
      rateHz: header.rateHz,
      sampleClock: this.clock ?? exactSampleClock(header.rateHz),
      alarms: this.alarms,
      classifier: this.classifier,
      rhythmModel: rhythmModelOf(models),
      shockableModel: shockableModelOf(models),
      anomalyPath: this.anomaly,
      stages: { record() {} },
      nowMs: () => 0,
      listener: {
        ...(tap?.samples ? { samples: (values, count, first) => tap.samples?.(values, count, first) } : {}),
        classified: (beat, scores) => {
          this.decide({ beat, scores });
          this.events.beat(beat, scores);
          tap?.beat?.(beat, scores);
        },
        rhythm: (rhythm) => {
          this.decide({ rhythm });
          this.events.rhythm(rhythm);
        },
        quality: (quality) => {
          this.decide({ quality });
          this.events.quality(quality);
        },
        shockable: (shockable) => this.decide({ shockable }),
      },
    });
  }

  async run(): Promise<FlightVerdict> {
    const { records, header: capture } = this.content;
    const startedMs = performance.now();
    this.events.start(this.options.version);
    const sink = new ForwardingSink();
    const decoder = findFormat(capture.format).createDecoder(sink, capture.options);
    for (const record of records) {
      if (this.options.signal?.aborted) break;
      if (record.type === RECORD.bytes || record.type === RECORD.tick) this.nowMs = record.tMs;
      this.apply(record, decoder, sink);
      // As live: what an input or an answer set free runs before the next input.
      await nextTurn();
    }
    await nextTurn();
    await this.answers.settled();
    this.events.end(this.nowMs, (performance.now() - startedMs) / 1000);
    return this.verdict();
  }

  private apply(
    record: CaptureRecord,
    decoder: { push(bytes: Uint8Array): void; reset(): void },
    sink: ForwardingSink,
  ) {
    const { pipeline, clock, alarms } = this;
    const { type, tMs, payload } = record;
    switch (type) {
      case RECORD.warm:
        decoder.push(payload);
        break;
      case RECORD.state:
        this.restore(payload);
        sink.target = pipeline;
        break;
      case RECORD.opened:
        decoder.reset();
        clock?.restart();
        pipeline.interrupted(tMs);
        break;
      case RECORD.bytes: {
        const before = pipeline.samples;
        clock?.begin(before, tMs);
        pipeline.chunk(tMs, () => decoder.push(payload));
        if (pipeline.samples > before && clock?.arrived(pipeline.samples, tMs)) pipeline.interrupted(tMs);
        break;
      }
      case RECORD.tick:
        pipeline.tick(tMs);
        break;
      case RECORD.link:
        alarms.link(tMs, JSON.parse(textOf(payload)) as 'data' | 'silent');
        break;
      case RECORD.told: {
        const [call, ...args] = JSON.parse(textOf(payload)) as Told;
        (alarms[call] as (...args: unknown[]) => unknown).apply(alarms, args);
        break;
      }
      case RECORD.answer:
        this.answers.answer(payload);
        break;
      default:
        break;
    }
  }

  private restore(state: Uint8Array): void {
    const { alarms, pipeline, classifier, anomaly } = this;
    try {
      restoreState({ alarms, pipeline, sampleClock: this.clock, classifier, anomaly }, state, STATE_OF_PIPELINE);
    } catch (error) {
      if (!(error instanceof StateError || error instanceof RangeError)) throw error;
      const { recordedBy } = this.content.header;
      throw new ReplayError(
        `${this.options.record}: its state does not fit this build (${error.message}); it was recorded by ${recordedBy}, this is ${this.options.version}`,
      );
    }
  }

  private decide(decision: Decision): void {
    this.decided.push(JSON.stringify(decision));
  }

  private verdict(): FlightVerdict {
    const { recorded, decided } = this;
    const at = recorded.findIndex((line, i) => line !== decided[i]);
    // The last chunk may bring more than had been written when the stretch was frozen; less, or other, it may not.
    const firstDifference = at < 0 ? null : { recorded: recorded[at] ?? null, decided: decided[at] ?? null };
    const count = (what: string) => recorded.filter((line) => line.startsWith(`{"${what}"`)).length;
    return {
      identical: firstDifference === null,
      decisions: recorded.length,
      beats: count('beat'),
      alerts: count('alert'),
      firstDifference,
      models: this.answers.comparison(),
    };
  }
}

/** Gives each question to a model the answer it had then, and asks the model of this machine beside it. */
class Answers implements InferencePort {
  private readonly waiting = new Map<
    number,
    { slot: string; inputs: ModelInputs; resolve: (output: Float32Array | null) => void }
  >();
  private readonly again: Promise<void>[] = [];
  private question: number;
  private compared = 0;
  private same = 0;
  private largest = 0;

  constructor(
    private readonly header: FlightHeader,
    private readonly local: InferencePort | null,
  ) {
    this.question = header.nextQuestion;
  }

  infer(slot: string, inputs: ModelInputs): Promise<Float32Array | null> {
    const question = this.question++;
    return new Promise((resolve) => this.waiting.set(question, { slot, inputs, resolve }));
  }

  state() {
    return 'ready' as const;
  }

  info(name: string): ModelInfo | null {
    return Object.values(this.header.models).find((model) => model.name === name)?.info ?? null;
  }

  answer(payload: Uint8Array): void {
    const bytes = Buffer.from(payload);
    const question = bytes.readUInt32LE(0);
    const output = bytes.length > 4 ? new Float32Array(Uint8Array.from(bytes.subarray(4)).buffer) : null;
    const waiting = this.waiting.get(question);
    if (!waiting) return;
    this.waiting.delete(question);
    if (output && this.isHere(waiting.slot)) this.askAgain(waiting.slot, waiting.inputs, output);
    waiting.resolve(output);
  }

  comparison(): FlightVerdict['models'] {
    const absent = Object.keys(this.header.models).filter((slot) => !this.isHere(slot));
    return { asked: this.compared, same: this.same, largestDifference: this.largest, absent };
  }

  settled(): Promise<unknown> {
    return Promise.all(this.again);
  }

  private isHere(slot: string): boolean {
    const then = this.header.models[slot]?.info?.sha256;
    return then !== undefined && this.local?.info(slot)?.sha256 === then;
  }

  private askAgain(slot: string, inputs: ModelInputs, then: Float32Array): void {
    const compare = this.local!.infer(slot, inputs).then((now) => {
      if (!now) return;
      this.compared++;
      let largest = 0;
      for (const [i, value] of then.entries()) largest = Math.max(largest, Math.abs(value - (now[i] ?? Number.NaN)));
      if (largest === 0) this.same++;
      this.largest = Math.max(this.largest, largest);
    });
    this.again.push(compare);
  }
}

function modelsOf({ models }: FlightHeader, port: InferencePort) {
  const slot = <Slot extends ModelSlot>(name: Slot) => (models[name] ? { ...models[name], name } : null);
  return {
    beat: slot('beat'),
    rhythm: slot('rhythm'),
    shockable: slot('shockable'),
    anomaly: slot('anomaly'),
    port,
  };
}

/** What the other sensors of the person said, in the order they were asked. */
function peersOf(records: readonly CaptureRecord[]): Peers {
  const told: (string | null)[] = [];
  const witnesses: KeptWitness[][] = [];
  for (const { type, payload } of records) {
    if (type !== RECORD.peers) continue;
    const said = JSON.parse(textOf(payload)) as { told?: string | null; witnesses?: KeptWitness[] };
    if (said.witnesses) witnesses.push(said.witnesses);
    else told.push(said.told ?? null);
  }
  const number = (value: number | null) => value ?? Number.NaN;
  return {
    toldBy: () => told.shift() ?? null,
    witnesses: () =>
      (witnesses.shift() ?? []).map(({ within, ...rest }) => ({
        ...rest,
        // JSON has no NaN.
        rateBpm: number(rest.rateBpm),
        longestRrMs: number(rest.longestRrMs),
        afibScore: number(rest.afibScore),
        beatsWithin: (ms: number) => within.find(([asked]) => asked === ms)?.[1] ?? 0,
      })),
  };
}

const decoder = new TextDecoder();
const textOf = (payload: Uint8Array) => decoder.decode(payload);
