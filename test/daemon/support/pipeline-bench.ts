import { AlarmEngine } from '../../../src/alarm/engine.js';
import { alarmSettingsSchema } from '../../../src/config/alarms.js';
import type { BeatClassifier } from '../../../src/daemon/beat-classifier.js';
import { Pipeline, type PipelineListener } from '../../../src/daemon/pipeline.js';
import { alarmTraits } from '../../../src/daemon/station.js';
import type { AlertChange } from '../../../src/domain/alert.js';
import type { Beat, BeatScores } from '../../../src/domain/beat.js';
import type { Quality } from '../../../src/domain/quality.js';
import type { Carries, ReadingSink } from '../../../src/domain/reading.js';
import type { Rhythm } from '../../../src/domain/rhythm.js';
import { exactSampleClock } from '../../../src/sensor/sample-clock.js';
import { Heart } from '../../../src/simulator/heart/heart.js';
import { makeScenario, type ScenarioInput } from '../../../src/simulator/scenario.js';

export const NOTHING: Carries = {
  waveform: null,
  beatFlags: false,
  rr: false,
  heartRate: false,
  spo2: false,
  contact: false,
  battery: false,
};

export const ECG: Carries = {
  ...NOTHING,
  waveform: {
    kind: 'ecg',
    rateHz: null,
    unit: 'mV',
    nominal: { offset: 0, perUnit: 1 },
    range: { min: -10, max: 10 },
  },
};

export interface PipelineBenchOptions {
  readonly carries?: Carries;
  readonly rateHz?: number;
  readonly detect?: boolean;
  readonly classifier?: BeatClassifier | null;
  readonly listener?: PipelineListener;
}

/** A pipeline on recorded time, as a replay has it, with everything it says written down. */
export function benchPipeline({
  carries = ECG,
  rateHz = 250,
  detect,
  classifier,
  listener,
}: PipelineBenchOptions = {}) {
  const beats: Beat[] = [];
  const classified: (BeatScores | null)[] = [];
  const qualities: Quality[] = [];
  const rhythms: Rhythm[] = [];
  const alerts: AlertChange[] = [];
  const stages: string[] = [];
  const alarms: AlarmEngine = new AlarmEngine({
    sensor: 'bench',
    settings: alarmSettingsSchema.parse({}),
    ...alarmTraits(carries),
    emit: (change) => alerts.push(change),
    newId: () => `a${alerts.length}`,
    capture: (fromMs, toMs) => pipeline.capture(fromMs, toMs),
    modelInfo: () => null,
  });
  const pipeline: Pipeline = new Pipeline({
    carries,
    rateHz,
    sampleClock: exactSampleClock(rateHz),
    alarms,
    classifier: classifier ?? null,
    stages: { record: (stage) => stages.push(stage) },
    nowMs: () => 0,
    detect,
    listener: {
      beat: (beat) => beats.push(beat),
      classified: (_beat, scores) => classified.push(scores),
      rhythm: (rhythm) => rhythms.push(rhythm),
      quality: (quality) => qualities.push(quality),
      ...listener,
    },
  });
  let nowMs = 0;
  return {
    pipeline,
    alarms,
    beats,
    classified,
    qualities,
    rhythms,
    alerts,
    stages,
    /** What began and ended, as `new pause`, in order. */
    told: () => alerts.filter(({ event }) => event !== 'update').map(({ event, kind }) => `${event} ${kind}`),
    /** Gives samples in steps of 100 ms, with the time told after each, as a replay does. */
    play(samples: ArrayLike<number>, each?: (sink: ReadingSink, index: number) => void): void {
      const step = Math.round(rateHz / 10);
      for (let from = 0; from < samples.length; from += step) {
        const to = Math.min(samples.length, from + step);
        nowMs += ((to - from) / rateHz) * 1000;
        pipeline.chunk(nowMs, () => {
          for (let i = from; i < to; i++) {
            each?.(pipeline, i);
            pipeline.sample(samples[i]!);
          }
        });
        pipeline.tick(nowMs);
      }
    },
    /** Time passes, and at the end of it the device says something. */
    wait(ms: number, say: (sink: ReadingSink) => void): void {
      const endMs = nowMs + ms;
      while (nowMs + 100 < endMs) {
        nowMs += 100;
        pipeline.tick(nowMs);
      }
      nowMs = endMs;
      pipeline.chunk(nowMs, () => say(pipeline));
      pipeline.tick(nowMs);
    },
  };
}

/** A synthetic ECG in mV, with the samples of its true R peaks. */
export function ecgOf(episodes: ScenarioInput['episodes'], seconds: number, rateHz = 250, seed = 1) {
  const peaksMs: number[] = [];
  const heart = new Heart({
    scenario: makeScenario({ episodes }),
    seed,
    rateHz,
    waveform: 'ecg',
    onBeat: (beat) => peaksMs.push(beat.tMs),
  });
  const samples = new Float32Array(seconds * rateHz);
  for (let i = 0; i < samples.length; i++) {
    heart.step();
    samples[i] = heart.value;
  }
  return { samples, peaks: peaksMs.map((tMs) => Math.round((tMs * rateHz) / 1000)) };
}
