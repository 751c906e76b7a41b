import type { StreamMs } from '../domain/clock.js';
import type { InferencePort } from '../domain/inference.js';
import type { ShockableVerdict } from '../domain/shockable.js';
import { shockableScores } from '../inference/shockable-score.js';
import type { Preprocessing } from '../inference/windows/live-constants.js';
import { SHOCKABLE_RATE_HZ, SHOCKABLE_SAMPLES, ShockableWindows } from '../inference/windows/shockable-ecg.js';
import { OrderedAnswers } from './ordered-answers.js';

/** A verdict every second: an alarm that must come within 6 s cannot wait longer for its evidence. */
const EVERY_S = 1;
const WINDOW_MS = (SHOCKABLE_SAMPLES * 1000) / SHOCKABLE_RATE_HZ;

/** The shockable model as loaded in the host. */
export interface ShockableModelUse {
  readonly inference: InferencePort;
  /** Name under which the model is loaded in the host. */
  readonly model: string;
  /** The bundle's own: constants of the windows, and what is added to the logits. */
  readonly preprocessing: Preprocessing | (() => Preprocessing);
  readonly logitOffsets: readonly number[];
}

export interface ShockablePathOptions {
  readonly rateHz: number;
  readonly model: ShockableModelUse;
  /** See `ShockableWindows`: sensors that began together do not all look at once. */
  readonly phase?: number | undefined;
  /** Stream time of a sample, counted from the stream's start. */
  readonly timeOf: (sample: number) => StreamMs;
  /** False while the sensor does not touch the body: there is nothing to judge. */
  readonly touching: () => boolean;
  /** When the bytes arrived that are being worked on, for the latency of what comes of them. */
  readonly causeMs: () => StreamMs | null;
  /** Called in the order of the windows, whatever the host does; not at all where it gives no answer. */
  onVerdict(verdict: ShockableVerdict, causeMs: StreamMs | null): void;
}

/** Samples of an ECG in, a verdict on ventricular fibrillation and fast tachycardia out, once a second. Never waits. */
export class ShockablePath {
  private readonly windows: ShockableWindows;
  private readonly answers = new OrderedAnswers();
  private skipped = 0;

  /** @throws TypeError where the model's `preprocessing` lacks the constants of its windows */
  constructor(private readonly options: ShockablePathOptions) {
    const { rateHz, model, phase } = options;
    this.windows = new ShockableWindows({
      rateHz,
      phase,
      preprocessing: model.preprocessing,
      everyS: EVERY_S,
      onWindow: (inputs, endSample, peakHz, heightShare) => this.ask(inputs, endSample, peakHz, heightShare),
    });
  }

  push(value: number): void {
    this.windows.push(value);
  }

  /** Samples were lost: the windows' own count stands still. */
  skip(samples: number): void {
    this.skipped += samples;
  }

  gap(): void {
    this.windows.gap();
  }

  /** Resolves when no answer of the model is pending. */
  settled(): Promise<void> {
    return this.answers.settled();
  }

  private ask(inputs: readonly Float32Array[], endSample: number, peakHz: number, heightShare: number): void {
    const { model, timeOf, touching, causeMs } = this.options;
    if (!touching()) return;
    const tMs = timeOf(endSample + this.skipped);
    const answer = model.inference.infer(
      model.model,
      inputs.map((values) => values.slice()),
    );
    const cause = causeMs();
    this.answers.add(async () => {
      const logits = await answer;
      if (!logits) return;
      const scores = shockableScores(logits, model.logitOffsets);
      const windowStartMs = tMs - WINDOW_MS;
      this.options.onVerdict({ tMs, windowStartMs, scores, ratePerMinute: 60 * peakHz, heightShare }, cause);
    });
  }
}
