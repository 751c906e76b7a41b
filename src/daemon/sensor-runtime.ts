import type { Logger } from 'pino';
import type { AlarmEngine } from '../alarm/engine.js';
import type { SensorSettings } from '../config/sensors.js';
import type { Clock, StreamMs, Timers } from '../domain/clock.js';
import type { Decoder, DropReason, Format } from '../domain/reading.js';
import type { StageRecorder } from '../domain/stage.js';
import type { Link } from '../sensor/links/link.js';
import { ArrivalSampleClock, exactSampleClock, RateMeter } from '../sensor/sample-clock.js';
import { LinkSupervisor } from '../sensor/supervisor.js';
import type { Metrics } from '../watch/metrics.js';
import type { AnomalyPath } from './anomaly-path.js';
import type { BeatClassifier } from './beat-classifier.js';
import type { FlightRecorder } from './flight/recorder.js';
import { ForwardingSink } from './forwarding-sink.js';
import { Pipeline, type PipelineListener } from './pipeline.js';
import type { RhythmModelUse } from './rhythm-path.js';
import type { ShockableModelUse } from './shockable-path.js';
import { rateProblem } from './waveform-rate.js';

export interface SensorRuntimeOptions {
  readonly settings: SensorSettings;
  readonly format: Format;
  readonly link: Link;
  readonly alarms: AlarmEngine;
  /** Makes the classifier once the waveform's rate is known; null where there is no model for this sensor. */
  readonly createClassifier: (rateHz: number, causeMs: () => StreamMs | null) => BeatClassifier | null;
  /** The model that judges the rhythm; null leaves it to the rule. */
  readonly rhythmModel: RhythmModelUse | null;
  /** The model that looks for fibrillation; null: nothing does. */
  readonly shockableModel: ShockableModelUse | null;
  /** Looks for departures from the person's usual; null: nothing does. */
  readonly anomalyPath: AnomalyPath | null;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: () => number;
  readonly stages: StageRecorder;
  readonly metrics: Metrics;
  readonly listener: PipelineListener;
  readonly onOnline: (online: boolean) => void;
  readonly log: Logger;
  /** Hears everything that reaches the pipeline; null where nothing is kept. */
  readonly recorder: FlightRecorder | null;
}

/** One sensor alive: its link, its decoder and its pipeline. */
export class SensorRuntime {
  readonly name: string;
  private readonly supervisor: LinkSupervisor;
  private readonly decoder: Decoder;
  private readonly sink: ForwardingSink;
  private sampleClock: ArrivalSampleClock | null = null;
  private pipeline: Pipeline | null = null;
  private readonly rateMeter = new RateMeter();
  private online = false;
  private classifier: BeatClassifier | null = null;
  /** A chunk is being decoded; what the link has to say meanwhile is told after it. */
  private decoding = false;
  private saidWhileDecoding: 'data' | 'silent' | null = null;
  private badFrames = new Map<DropReason, number>();
  /** Of this chunk: a line of text is a frame, and a metric is not worth its time at each. */
  private framesInChunk = 0;

  constructor(private readonly options: SensorRuntimeOptions) {
    const { settings, format } = options;
    this.name = settings.name;
    this.sink = new ForwardingSink({
      frame: () => this.frame(),
      dropped: (reason, bytes) => this.dropped(reason, bytes),
    });
    this.decoder = format.createDecoder(this.sink, settings.options);
    const carries = format.carries(settings.options);
    const rateHz = settings.rateHz ?? carries.waveform?.rateHz ?? null;
    if (!carries.waveform) this.createPipeline(1);
    else if (rateHz !== null) this.createPipeline(rateHz);
    this.supervisor = new LinkSupervisor({
      link: options.link,
      silenceMs: settings.silenceMs ?? format.silenceMs,
      commands: format.commands?.(settings.options) ?? {},
      clock: options.clock,
      timers: options.timers,
      random: options.random,
      events: {
        onOpen: () => this.opened(),
        onBytes: (bytes, arrivedAtMs) => this.bytes(bytes, arrivedAtMs),
        onDown: (reason, message) => {
          options.metrics.reopens.inc({ sensor: this.name, reason });
          options.log.warn({ sensor: this.name, reason }, message);
        },
        onSilent: (silent) => this.silent(silent),
      },
    });
  }

  get isOnline(): boolean {
    return this.online;
  }

  /** null until the waveform's rate is known. */
  get current(): Pipeline | null {
    return this.pipeline;
  }

  /** Samples per second as measured against our clock; null without a waveform or before it is known. */
  get rateHz(): number | null {
    return this.sampleClock?.rateHz ?? null;
  }

  /** All that holds state of this sensor's decisions but its alarms; null until there is a pipeline. */
  get stateful(): {
    pipeline: Pipeline;
    sampleClock: ArrivalSampleClock | null;
    classifier: BeatClassifier | null;
  } | null {
    const { pipeline, sampleClock, classifier } = this;
    return pipeline && { pipeline, sampleClock, classifier };
  }

  /** Samples per second the pipeline was built with; 1 without a waveform. */
  builtRateHz = 1;

  start(): void {
    this.supervisor.start();
  }

  tick(nowMs: StreamMs): void {
    this.options.recorder?.tick(nowMs);
    if (this.pipeline) this.pipeline.tick(nowMs);
    else this.options.alarms.tick(nowMs);
  }

  async stop(): Promise<void> {
    await this.supervisor.stop();
    this.options.recorder?.stop();
    this.setOnline(false);
  }

  private opened(): void {
    const nowMs = this.options.clock.monotonicMs();
    this.options.recorder?.opened(nowMs);
    this.decoder.reset();
    this.sampleClock?.restart();
    this.rateMeter.restart();
    this.pipeline?.interrupted(nowMs);
    this.options.log.info({ sensor: this.name, link: this.options.link.name }, 'link open');
  }

  private bytes(bytes: Uint8Array, arrivedAtMs: StreamMs): void {
    const { metrics } = this.options;
    metrics.bytes.inc({ sensor: this.name }, bytes.length);
    this.options.recorder?.chunk(arrivedAtMs, bytes);
    this.decoding = true;
    this.take(bytes, arrivedAtMs);
    this.decoding = false;
    if (this.framesInChunk > 0) metrics.frames.inc({ sensor: this.name }, this.framesInChunk);
    this.framesInChunk = 0;
    const said = this.saidWhileDecoding;
    this.saidWhileDecoding = null;
    if (said) this.tellLink(said);
  }

  private take(bytes: Uint8Array, arrivedAtMs: StreamMs): void {
    const { pipeline, sampleClock } = this;
    if (!pipeline) {
      this.measureRate(bytes, arrivedAtMs);
      return;
    }
    const before = pipeline.samples;
    sampleClock?.begin(before, arrivedAtMs);
    pipeline.chunk(arrivedAtMs, () => this.decoder.push(bytes));
    const hole = pipeline.samples > before && sampleClock?.arrived(pipeline.samples, arrivedAtMs);
    // Uncounted, the missing samples would make one beat's interval of all that lies between.
    if (hole) pipeline.interrupted(arrivedAtMs);
  }

  /** The device has no fixed rate and config names none: count samples until it is known, then begin. */
  private measureRate(bytes: Uint8Array, arrivedAtMs: StreamMs): void {
    const before = this.sink.samples;
    this.decoder.push(bytes);
    const rateHz = this.rateMeter.arrived(this.sink.samples - before, arrivedAtMs);
    if (rateHz === null) return;
    const { log, format, settings } = this.options;
    const kind = format.carries(settings.options).waveform?.kind ?? 'ecg';
    const problem = rateProblem(kind, rateHz);
    if (problem) {
      // The device may yet speed up; until then there is no heart to see, and `no-data` says so.
      this.rateMeter.restart();
      log.warn({ sensor: this.name, rateHz }, `the waveform cannot be used: ${problem}`);
      return;
    }
    log.info({ sensor: this.name, rateHz: Math.round(rateHz * 10) / 10 }, 'waveform rate measured');
    this.createPipeline(rateHz);
  }

  private createPipeline(rateHz: number): void {
    const { settings, format, alarms, clock, stages, listener } = this.options;
    const carries = format.carries(settings.options);
    this.builtRateHz = rateHz;
    this.sampleClock = carries.waveform ? new ArrivalSampleClock(rateHz) : null;
    this.classifier = this.options.createClassifier(rateHz, () => this.pipeline?.causeMs ?? null);
    const pipeline = new Pipeline({
      carries,
      rateHz,
      sampleClock: this.sampleClock ?? exactSampleClock(rateHz),
      alarms,
      classifier: this.classifier,
      rhythmModel: this.options.rhythmModel,
      shockableModel: this.options.shockableModel,
      phase: this.options.random(),
      anomalyPath: this.options.anomalyPath,
      stages,
      nowMs: () => clock.monotonicMs(),
      listener,
    });
    this.pipeline = pipeline;
    this.sink.target = pipeline;
  }

  private frame(): void {
    if (this.framesInChunk++ === 0) this.supervisor.frame();
    this.setOnline(true);
  }

  private silent(silent: boolean): void {
    this.tellLink(silent ? 'silent' : 'data');
    if (silent) this.setOnline(false);
  }

  /** Between chunks, so that what reached the alarms, and in which order, can be written down. */
  private tellLink(state: 'data' | 'silent'): void {
    if (this.decoding) {
      this.saidWhileDecoding = state;
      return;
    }
    const { alarms, clock, recorder } = this.options;
    const nowMs = clock.monotonicMs();
    recorder?.link(nowMs, state);
    alarms.link(nowMs, state);
  }

  private setOnline(online: boolean): void {
    if (online === this.online) return;
    this.online = online;
    this.options.metrics.sensorUp.set({ sensor: this.name }, online ? 1 : 0);
    if (online) this.tellLink('data');
    this.options.onOnline(online);
  }

  private dropped(reason: DropReason, bytes: number): void {
    this.options.metrics.dropped.inc({ sensor: this.name, reason });
    const count = (this.badFrames.get(reason) ?? 0) + 1;
    this.badFrames.set(reason, count);
    // The first of each kind is worth a line; a flood of them is a counter.
    if (count === 1) this.options.log.info({ sensor: this.name, reason, bytes }, 'bytes not used');
  }
}
