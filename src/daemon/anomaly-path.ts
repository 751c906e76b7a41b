import type { AnomalyVerdict } from '../domain/anomaly.js';
import type { Beat } from '../domain/beat.js';
import type { StreamMs } from '../domain/clock.js';
import type { InferencePort } from '../domain/inference.js';
import type { BaselineSnapshot } from '../inference/windows/anomaly-rr.js';
import { AnomalyWindows } from '../inference/windows/anomaly-rr.js';
import { AnomalyJudge } from '../inference/windows/anomaly-verdict.js';
import type { Preprocessing } from '../inference/windows/live-constants.js';
import { RrCleaner } from '../signal/rr.js';
import { OrderedAnswers } from './ordered-answers.js';

/** A look every so many intervals. */
const EVERY_BEATS = 20;

/** The anomaly model as loaded in the host. */
export interface AnomalyModelUse {
  readonly inference: InferencePort;
  /** Name under which the model is loaded in the host. */
  readonly model: string;
  readonly preprocessing: Preprocessing | (() => Preprocessing);
}

/** Beats of one person in, how far their rhythm departs from their own usual out. Never waits for the model. */
export class AnomalyPath {
  private readonly cleaner = new RrCleaner();
  private readonly judge: AnomalyJudge;
  private readonly windows: AnomalyWindows;
  private readonly answers = new OrderedAnswers();
  private lastRateMs: StreamMs = Number.NEGATIVE_INFINITY;

  /** @throws TypeError where the model's `preprocessing` lacks the constants of its windows */
  constructor(
    private readonly options: {
      readonly model: AnomalyModelUse;
      /** Called in the order of the windows; not at all where the host gives no answer. */
      onVerdict(verdict: AnomalyVerdict): void;
    },
  ) {
    this.judge = new AnomalyJudge(options.model.preprocessing);
    this.windows = new AnomalyWindows({
      everyBeats: EVERY_BEATS,
      onWindow: (features, tMs, startMs, spanMs) => this.ask(features.slice(), tMs, startMs, spanMs),
    });
  }

  beat(beat: Beat, goodSignal: boolean): void {
    if (beat.rrMs === null) return;
    const cleaned = this.cleaner.push(beat.rrMs);
    if (goodSignal && cleaned.usable) this.windows.push(cleaned.rrMs, beat.tMs);
    else this.windows.skip();
  }

  /** A bare rate, for sensors that give no more: it stands for the beats that passed since the last one. */
  rate(hrBpm: number, tMs: StreamMs): void {
    if (!(hrBpm >= 20 && hrBpm <= 300)) return;
    const rrMs = 60_000 / hrBpm;
    if (tMs - this.lastRateMs < rrMs) return;
    this.lastRateMs = tMs;
    this.windows.push(rrMs, tMs);
  }

  gap(): void {
    this.cleaner.gap();
  }

  /** Resolves when no answer of the model is pending. */
  settled(): Promise<void> {
    return this.answers.settled();
  }

  /** What has been learnt of this person; plain JSON, a kilobyte. */
  snapshot(): BaselineSnapshot {
    return this.judge.baseline.snapshot();
  }

  /** Takes up an earlier run's baseline; false where it makes no sense. */
  restore(saved: unknown): boolean {
    return this.judge.baseline.restore(saved);
  }

  private ask(features: Float32Array, tMs: StreamMs, startMs: StreamMs, spanMs: number): void {
    const { model, onVerdict } = this.options;
    const departures = this.judge.departures(features).slice();
    const answer = model.inference.infer(model.model, [departures]);
    this.answers.add(async () => {
      const logits = await answer;
      if (logits) onVerdict(this.judge.judge(features, logits, { tMs, startMs, spanMs }));
    });
  }
}
