import { AlarmEngine, type InferenceCondition } from '../alarm/engine.js';
import type { DeviceCondition } from '../alarm/rule.js';
import type { AlarmSettings } from '../config/alarms.js';
import { alarmsOf, type Config } from '../config/schema.js';
import type { SensorSettings } from '../config/sensors.js';
import type { AlertChange, AlertKind } from '../domain/alert.js';
import type { BeatClass } from '../domain/beat.js';
import type { StreamMs } from '../domain/clock.js';
import type { InferencePort, ModelInfo, ModelSlot } from '../domain/inference.js';
import type { Carries } from '../domain/reading.js';
import type { StageRecorder } from '../domain/stage.js';
import { findFormat } from '../sensor/formats/registry.js';
import type { EventStream } from '../watch/event-stream.js';
import type { Metrics } from '../watch/metrics.js';
import { type AnomalyModelUse, AnomalyPath } from './anomaly-path.js';
import { BeatClassifier } from './beat-classifier.js';
import { flightBuild, flightModels } from './flight/build.js';
import type { GzipMember } from './flight/gzip-member.js';
import { FlightRecorder } from './flight/recorder.js';
import type { Models, SlotModel } from './models.js';
import type { Outside } from './outside.js';
import type { Persons } from './persons.js';
import type { RhythmModelUse } from './rhythm-path.js';
import { SensorRuntime } from './sensor-runtime.js';
import type { ShockableModelUse } from './shockable-path.js';
import { TraceFeed } from './trace-feed.js';
import { VitalsBook } from './vitals.js';

/** Alarms that rest on a model's word, and so name it. */
const MODEL_KINDS: Partial<Record<AlertKind, ModelSlot>> = {
  'ventricular-fibrillation': 'shockable',
  anomaly: 'anomaly',
  'ventricular-tachycardia': 'beat',
  'frequent-ectopy': 'beat',
  'atrial-fibrillation': 'rhythm',
};

/** Beats the dashboard's interval plots begin with: some minutes. */
const RECENT_BEATS = 300;

/** A beat as the dashboard draws it. */
export interface ShownBeat {
  /** Where it is in the waveform; -1 where there is none. */
  readonly sample: number;
  readonly class: BeatClass | null;
  readonly rrMs: number | null;
}

export interface StationOptions {
  readonly settings: SensorSettings;
  readonly config: Config;
  readonly outside: Outside;
  readonly models: Models;
  readonly stages: StageRecorder;
  readonly metrics: Metrics;
  /** Where live pictures go; null while the web server is off. */
  readonly events: () => EventStream | null;
  /** The sensors of the same person, among which this one will be. */
  readonly persons: Persons;
  readonly onAlert: (change: AlertChange, station: Station) => void;
  readonly onOnline: (sensor: string, online: boolean) => void;
  /** Where the stretches that alerts freeze are kept; left out: nothing is recorded. */
  readonly saveFlight?: ((alertId: string, members: readonly GzipMember[]) => void) | undefined;
}

/** One configured sensor with all that belongs to it: link, pipeline, alarms, vitals, live trace. */
export class Station {
  readonly name: string;
  readonly person: string | null;
  readonly carries: Carries;
  readonly alarms: AlarmEngine;
  readonly runtime: SensorRuntime;
  /** Knows what is usual of the person; null without a model. */
  readonly anomalyPath: AnomalyPath | null;
  readonly vitals = new VitalsBook();
  /** The last beats, oldest first. */
  readonly recentBeats: ShownBeat[] = [];
  private readonly recorder: FlightRecorder | null;
  private readonly inference: InferencePort;
  private trace: TraceFeed | null = null;
  private toldOfInference = '';
  private toldOfDevice = '';

  constructor(private readonly options: StationOptions) {
    const { settings, config, outside, models, metrics, stages } = options;
    const format = findFormat(settings.format);
    this.name = settings.name;
    this.person = settings.person ?? null;
    this.carries = format.carries(settings.options);
    const alarmSettings = alarmsOf(config, settings);
    const peers = options.persons.peersOf(this.name, this.person);
    this.recorder = this.createRecorder(alarmSettings, peers !== undefined);
    const { recorder } = this;
    this.inference = recorder?.port(models.port) ?? models.port;
    this.alarms = new AlarmEngine({
      sensor: this.name,
      settings: alarmSettings,
      ...alarmTraits(this.carries),
      emit: (change) => {
        // First on its way, then into the recording.
        options.onAlert(change, this);
        recorder?.alert(change);
      },
      onTold: (call, ...args) => recorder?.told(call, ...args),
      newId: outside.newId,
      capture: (fromMs, toMs) => this.runtime.current?.capture(fromMs, toMs),
      modelInfo: (kind, slot) => modelInfoOf(models, kind, slot),
      peers: peers && recorder ? recorder.peers(peers) : peers,
    });
    const anomalyModel = anomalyModelOf({ anomaly: models.anomaly, port: this.inference });
    this.anomalyPath =
      anomalyModel && new AnomalyPath({ model: anomalyModel, onVerdict: (verdict) => this.alarms.anomaly(verdict) });
    this.runtime = new SensorRuntime({
      settings,
      format,
      link: outside.openLink(settings, format),
      alarms: this.alarms,
      createClassifier: (rateHz, causeMs) => this.createClassifier(rateHz, causeMs),
      rhythmModel: rhythmModelOf({ rhythm: models.rhythm, port: this.inference }),
      shockableModel: shockableModelOf({ shockable: models.shockable, port: this.inference }),
      anomalyPath: this.anomalyPath,
      recorder,
      clock: outside.clock,
      timers: outside.timers,
      random: outside.random,
      stages,
      metrics,
      log: outside.log,
      onOnline: (online) => options.onOnline(this.name, online),
      listener: {
        beat: (beat) => {
          this.vitals.beat(beat);
          metrics.beats.inc({ sensor: this.name });
        },
        classified: (beat, scores) => {
          recorder?.decided({ beat, scores });
          const { sample, rrMs } = beat;
          const shown: ShownBeat = { sample, class: scores?.class ?? null, rrMs };
          this.recentBeats.push(shown);
          if (this.recentBeats.length > RECENT_BEATS) this.recentBeats.shift();
          options.events()?.emit('beat', { sensor: this.name, ...shown });
        },
        rhythm: (rhythm) => recorder?.decided({ rhythm }),
        quality: (quality) => recorder?.decided({ quality }),
        shockable: (shockable) => recorder?.decided({ shockable }),
        samples: (values, count, first) => this.feedTrace(values, count, first),
        spo2: (percent) => {
          this.vitals.spo2Percent = Number.isFinite(percent) ? percent : null;
        },
        battery: (percent) => {
          this.vitals.batteryPercent = percent;
        },
      },
    });
    options.persons.add(this);
  }

  /** The vitals of this moment; nothing begins anew by being looked at. */
  get shown() {
    return { ...this.vitals.peek(this.runtime.current), online: this.runtime.isOnline };
  }

  /** The state of the signal and the rate shown now. */
  now() {
    const { quality, hrBpm } = this.vitals.peek(this.runtime.current);
    return { quality: quality.state, hrBpm };
  }

  /** Whether beats of this sensor are looked at by the beat model. */
  get usesBeatModel(): boolean {
    return this.carries.waveform?.kind === 'ecg';
  }

  /** How the model does; told on where it is news to this sensor's alarms. */
  tellInference(nowMs: StreamMs, condition: InferenceCondition, reason: string): void {
    if (!this.usesBeatModel) return;
    const word = `${condition} ${reason}`;
    if (word === this.toldOfInference) return;
    this.toldOfInference = word;
    this.alarms.inference(nowMs, condition, reason);
  }

  /** How the device does; told on where it is news to this sensor's alarms. */
  tellDevice(nowMs: StreamMs, condition: DeviceCondition): void {
    const word = JSON.stringify(condition);
    if (word === this.toldOfDevice) return;
    this.toldOfDevice = word;
    this.alarms.device(nowMs, condition);
  }

  /** Sends what the live trace has gathered. */
  showTrace(): void {
    const bundle = this.trace?.take();
    if (bundle) this.options.events()?.emit('trace', { sensor: this.name, ...bundle });
  }

  private createRecorder(alarms: AlarmSettings, hasPeers: boolean): FlightRecorder | null {
    const { settings, config, outside, models, saveFlight } = this.options;
    const { enabled, minutes, memoryMb, afterSeconds } = config.flightRecorder;
    if (!enabled || !saveFlight) return null;
    const build = flightBuild({ settings, alarms, hasPeers });
    return new FlightRecorder({
      minutes,
      maxBytes: memoryMb * 1e6,
      afterMs: afterSeconds * 1000,
      phase: outside.random(),
      timers: outside.timers,
      nextTurn: outside.nextTurn,
      roots: () =>
        this.runtime.stateful && { alarms: this.alarms, ...this.runtime.stateful, anomaly: this.anomalyPath },
      header: () => ({
        capture: { ...build.capture, recordedBy: `slothd ${outside.version}` },
        flight: {
          ...build.flight,
          rateHz: this.runtime.builtRateHz,
          wallOffsetMs: outside.clock.wallMs() - outside.clock.monotonicMs(),
          models: flightModels(models),
        },
      }),
      save: saveFlight,
    });
  }

  private createClassifier(rateHz: number, causeMs: () => StreamMs | null): BeatClassifier | null {
    const { models, stages, outside } = this.options;
    const { beat } = models;
    if (!beat || !this.usesBeatModel) return null;
    return new BeatClassifier({
      rateHz,
      model: beat.name,
      inference: this.inference,
      preprocessing: () => beat.preprocessing,
      get logitOffsets() {
        return beat.logitOffsets;
      },
      stages,
      nowMs: () => outside.clock.monotonicMs(),
      causeMs,
    });
  }

  /** Nothing is gathered while nobody looks. */
  private feedTrace(values: Float32Array, count: number, first: number): void {
    const events = this.options.events();
    if (!events || events.size === 0) {
      this.trace = null;
      return;
    }
    this.trace ??= new TraceFeed(this.runtime.rateHz ?? 250);
    this.trace.push(values, count, first);
  }
}

/** The model behind alerts of a kind, or the one in `slot`; null where there is none or it does not run. */
export function modelInfoOf(
  models: Partial<Pick<Models, ModelSlot>> & Pick<Models, 'port'>,
  kind: AlertKind,
  slot = MODEL_KINDS[kind],
): ModelInfo | null {
  const model = slot && models[slot];
  return model ? models.port.info(model.name) : null;
}

/** The rhythm model for a pipeline; null where there is none. */
export function rhythmModelOf({ rhythm, port }: Pick<Models, 'rhythm' | 'port'>): RhythmModelUse | null {
  return rhythm && useOf(rhythm, port);
}

/** The shockable model for a pipeline; null where there is none. */
export function shockableModelOf({ shockable, port }: Pick<Models, 'shockable' | 'port'>): ShockableModelUse | null {
  return shockable && useOf(shockable, port);
}

/** The anomaly model for a person; null where there is none. */
export function anomalyModelOf({ anomaly, port }: Pick<Models, 'anomaly' | 'port'>): AnomalyModelUse | null {
  return anomaly && useOf(anomaly, port);
}

function useOf(model: SlotModel<ModelSlot>, inference: InferencePort) {
  return {
    inference,
    model: model.name,
    preprocessing: () => model.preprocessing,
    get logitOffsets() {
      return model.logitOffsets;
    },
  };
}

/** What the alarm rules must know of a sensor: whether it shows beats, and whether silence of it means silence of the heart. */
export function alarmTraits(carries: Carries): { carriesBeats: boolean; silenceIsEvidence: boolean } {
  return {
    carriesBeats: Boolean(carries.waveform || carries.rr || carries.beatFlags),
    silenceIsEvidence: carries.waveform !== null || carries.contact,
  };
}
