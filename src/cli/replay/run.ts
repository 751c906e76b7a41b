import { setTimeout as sleep } from 'node:timers/promises';
import { AlarmEngine, type AlarmEngineOptions } from '../../alarm/engine.js';
import type { AlarmSettings } from '../../config/alarms.js';
import { type AnomalyModelUse, AnomalyPath } from '../../daemon/anomaly-path.js';
import type { BeatClassifier } from '../../daemon/beat-classifier.js';
import { Pipeline } from '../../daemon/pipeline.js';
import type { RhythmModelUse } from '../../daemon/rhythm-path.js';
import type { ShockableModelUse } from '../../daemon/shockable-path.js';
import { alarmTraits } from '../../daemon/station.js';
import { rateProblem } from '../../daemon/waveform-rate.js';
import type { AlertChange } from '../../domain/alert.js';
import type { StreamMs } from '../../domain/clock.js';
import type { StageRecorder } from '../../domain/stage.js';
import { exactSampleClock } from '../../sensor/sample-clock.js';
import type { ReplayTap } from '../export/recording.js';
import { ReplayEvents } from './events.js';
import { ReplayError, type ReplaySource } from './source.js';

export interface ReplayOptions {
  readonly alarms: AlarmSettings;
  readonly version: string;
  /** null: beats stay unclassified. */
  readonly createClassifier: ((rateHz: number, causeMs: () => StreamMs | null) => BeatClassifier) | null;
  /** The model that judges the rhythm; null: the rule does. */
  readonly rhythmModel: RhythmModelUse | null;
  /** The model that looks for fibrillation; null: nothing does. */
  readonly shockableModel: ShockableModelUse | null;
  /** The model that knows what is usual of a person; null: nothing does. */
  readonly anomalyModel: AnomalyModelUse | null;
  readonly modelInfo: AlarmEngineOptions['modelInfo'];
  readonly stages: StageRecorder;
  /** Recorded seconds per real second; null: as fast as the machine can. */
  readonly speed: number | null;
  readonly write: (line: string) => void;
  /** Types of the lines that are written; left out or null: all. */
  readonly only?: ReadonlySet<string> | null;
  /** Hears more than the lines tell. */
  readonly tap?: ReplayTap;
  /** Aborts between two steps. */
  readonly signal?: AbortSignal;
}

/** Time after a record's last reading for alerts to settle before they are ended. */
const CLOSING_MS = 100;

/**
 * Plays one record through the daemon's own pipeline on recorded time.
 * @returns what it printed, as annotations too
 * @throws ReplayError where the record's rate is not one the pipeline can work at
 */
export async function replaySource(source: ReplaySource, options: ReplayOptions): Promise<ReplayEvents> {
  const { waveform } = source.carries;
  const problem = waveform && rateProblem(waveform.kind, source.rateHz);
  if (problem) throw new ReplayError(`${source.record}: ${problem}`);
  const events = new ReplayEvents(source, options.write, { only: options.only ?? null });
  const startedMs = performance.now();
  const { tap } = options;
  const sampleClock = source.sampleClock ?? exactSampleClock(source.rateHz);
  tap?.clock?.((sample) => sampleClock.timeOf(sample));
  let nowMs: StreamMs = 0;
  let ids = 0;
  const alarms: AlarmEngine = new AlarmEngine({
    sensor: source.record,
    settings: options.alarms,
    ...alarmTraits(source.carries),
    emit: (change: AlertChange) => {
      events.alert(change, nowMs);
      tap?.alert?.(change);
    },
    // Counted, not random: two replays of one record print the same.
    newId: () => `${source.record}-${++ids}`,
    capture: (fromMs, toMs) => pipeline.capture(fromMs, toMs),
    modelInfo: options.modelInfo,
  });
  const pipeline: Pipeline = new Pipeline({
    carries: source.carries,
    rateHz: source.rateHz,
    sampleClock,
    alarms,
    classifier:
      source.carries.waveform?.kind === 'ecg'
        ? (options.createClassifier?.(source.rateHz, () => pipeline.causeMs) ?? null)
        : null,
    rhythmModel: options.rhythmModel,
    shockableModel: options.shockableModel,
    anomalyPath:
      options.anomalyModel &&
      new AnomalyPath({
        model: options.anomalyModel,
        onVerdict: (verdict) => {
          events.anomaly(verdict);
          alarms.anomaly(verdict);
        },
      }),
    stages: options.stages,
    nowMs: () => performance.now(),
    detect: !source.givesBeats,
    listener: {
      classified: (beat, scores) => {
        events.beat(beat, scores);
        tap?.beat?.(beat, scores);
      },
      ...(tap?.samples ? { samples: (values, count, first) => tap.samples?.(values, count, first) } : {}),
      rhythm: (rhythm) => events.rhythm(rhythm),
      shockable: (verdict) => events.shockable(verdict),
      quality: (quality) => events.quality(quality),
    },
  });
  events.start(options.version);
  for (const step of source.steps()) {
    if (options.signal?.aborted) break;
    pipeline.chunk(step.tMs, () => step.feed(pipeline));
    nowMs = step.tMs;
    await pipeline.settled();
    pipeline.tick(nowMs);
    if (options.speed !== null) await pace(startedMs, nowMs / options.speed, options.signal);
  }
  pipeline.end(nowMs);
  await pipeline.settled();
  pipeline.tick(nowMs + CLOSING_MS);
  alarms.stop(nowMs + CLOSING_MS);
  events.end(nowMs, (performance.now() - startedMs) / 1000);
  return events;
}

/** Waits until `elapsedMs` of real time have passed since the start. */
async function pace(startedMs: number, elapsedMs: number, signal: AbortSignal | undefined): Promise<void> {
  const waitMs = startedMs + elapsedMs - performance.now();
  if (waitMs <= 0) return;
  await sleep(waitMs, undefined, { signal }).catch(() => {});
}
