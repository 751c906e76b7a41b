import type { Beat } from '../domain/beat.js';
import type { StreamMs } from '../domain/clock.js';
import type { InferencePort } from '../domain/inference.js';
import type { Rhythm } from '../domain/rhythm.js';
import { rhythmScore } from '../inference/rhythm-score.js';
import type { Preprocessing } from '../inference/windows/live-constants.js';
import { RHYTHM_BEATS, RhythmRrWindows } from '../inference/windows/rhythm-rr.js';
import { RrIrregularity } from '../signal/irregularity.js';
import { RrCleaner } from '../signal/rr.js';
import { OrderedAnswers } from './ordered-answers.js';

/** A new word on the rhythm every so many intervals. */
const EVERY_BEATS = 5;

/** The rhythm model as loaded in the host. */
export interface RhythmModelUse {
  readonly inference: InferencePort;
  /** Name under which the model is loaded in the host. */
  readonly model: string;
  /** The bundle's own: constants of the windows, and what is added to the logits. Both may change with the model. */
  readonly preprocessing: Preprocessing | (() => Preprocessing);
  readonly logitOffsets: readonly number[];
}

export interface RhythmPathOptions {
  /** null: the rule alone judges. */
  readonly model: RhythmModelUse | null;
  /** When the bytes arrived that are being worked on, for the latency of what comes of them. */
  readonly causeMs: () => StreamMs | null;
  /** Called in the order of the windows, whatever the host does. */
  onRhythm(rhythm: Rhythm, causeMs: StreamMs | null): void;
}

/**
 * Beats in, rhythm out: cleaned RR intervals, judged by the model over the last 60. A rule (CoSEn) gives a hint from 30
 * intervals on, and the word where there is no model or no answer of it. Never waits for the model.
 */
export class RhythmPath {
  private readonly cleaner = new RrCleaner();
  private readonly irregularity = new RrIrregularity();
  private readonly windows: RhythmRrWindows | null;
  private sinceLast = EVERY_BEATS - 1;
  private asked: Promise<Float32Array | null> | null = null;
  private readonly answers = new OrderedAnswers();
  current: Rhythm | null = null;

  /** @throws TypeError where the model's `preprocessing` lacks the constants of its windows */
  constructor(private readonly options: RhythmPathOptions) {
    const { model } = options;
    this.windows =
      model &&
      new RhythmRrWindows({
        preprocessing: model.preprocessing,
        everyBeats: EVERY_BEATS,
        onWindow: (inputs) => {
          this.asked = model.inference.infer(
            model.model,
            inputs.map((values) => values.slice()),
          );
        },
      });
  }

  beat(beat: Beat, goodSignal: boolean): void {
    if (beat.rrMs === null) return;
    const cleaned = this.cleaner.push(beat.rrMs);
    // Intervals out of bad signal are as irregular as AF and mean nothing.
    if (!goodSignal || !cleaned.usable) return;
    this.asked = null;
    this.windows?.push(cleaned.rrMs, beat.tMs);
    const ruled = this.irregularity.push(cleaned.rrMs, beat.tMs);
    // Windows of model and rule begin and break off together, so they are due at the same intervals.
    if (!ruled) this.sinceLast = EVERY_BEATS - 1;
    else if (this.asked !== null || ++this.sinceLast >= EVERY_BEATS) {
      this.sinceLast = 0;
      this.deliver({ ...ruled, source: 'rule' }, this.asked);
    }
  }

  gap(): void {
    this.cleaner.gap();
  }

  /** Resolves when no answer of the model is pending. */
  settled(): Promise<void> {
    return this.answers.settled();
  }

  /** @param ruled what holds where the model gives no answer */
  private deliver(ruled: Rhythm, answer: Promise<Float32Array | null> | null): void {
    const causeMs = this.options.causeMs();
    if (answer === null && this.answers.pending === 0) {
      this.tell(ruled, causeMs);
      return;
    }
    // Those of the model that was asked: another one may run when the answer comes.
    const offsets = this.options.model?.logitOffsets;
    this.answers.add(async () => {
      const logits = answer && (await answer);
      this.tell(logits ? this.judged(ruled, logits, offsets) : ruled, causeMs);
    });
  }

  private judged({ tMs, windowStartMs }: Rhythm, logits: Float32Array, offsets?: readonly number[]): Rhythm {
    const score = rhythmScore(logits, offsets);
    const label = score > 0.5 ? 'afib' : 'regular';
    return { tMs, label, score, windowBeats: RHYTHM_BEATS, windowStartMs, source: 'model' };
  }

  private tell(rhythm: Rhythm, causeMs: StreamMs | null): void {
    this.current = rhythm;
    this.options.onRhythm(rhythm, causeMs);
  }
}
