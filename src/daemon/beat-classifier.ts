import type { Beat, BeatScores } from '../domain/beat.js';
import type { StreamMs } from '../domain/clock.js';
import type { InferencePort } from '../domain/inference.js';
import type { StageRecorder } from '../domain/stage.js';
import { beatScores } from '../inference/scores.js';
import { BeatEcgWindows } from '../inference/windows/beat-ecg.js';
import type { Preprocessing } from '../inference/windows/live-constants.js';
import { OrderedAnswers } from './ordered-answers.js';

export interface BeatClassifierOptions {
  readonly rateHz: number;
  /** Name under which the model is loaded in the host. */
  readonly model: string;
  readonly inference: InferencePort;
  /** The bundle's own: constants of the windows, and what is added to the logits. Both may change with the model. */
  readonly preprocessing: Preprocessing | (() => Preprocessing);
  readonly logitOffsets: readonly number[];
  readonly stages: StageRecorder;
  readonly nowMs: () => number;
  /** When the bytes arrived that are being worked on, for the latency of what comes of them. */
  readonly causeMs: () => StreamMs | null;
}

export type ScoresHandler = (beat: Beat, scores: BeatScores | null, causeMs: StreamMs | null) => void;

/** Beats and samples in, classified beats out: builds each beat's window and asks the model. Never waits for it. */
export class BeatClassifier {
  private readonly windows: BeatEcgWindows;
  /** Beats whose window is still to come, oldest first; `firstIndex` is the index of `waiting[0]`. */
  private readonly waiting: Beat[] = [];
  private firstIndex = 0;
  private skipped = 0;
  private tell: ScoresHandler = () => {};
  private readonly answers = new OrderedAnswers();

  constructor(private readonly options: BeatClassifierOptions) {
    this.windows = new BeatEcgWindows({
      rateHz: options.rateHz,
      preprocessing: options.preprocessing,
      onWindow: (index, inputs) => this.ask(index, inputs),
    });
  }

  onScores(tell: ScoresHandler): void {
    this.tell = tell;
  }

  push(value: number): void {
    this.windows.push(value);
  }

  beat(beat: Beat): void {
    this.waiting.push(beat);
    this.measured(() => this.windows.beat(beat.sample - this.skipped, beat.rrMs));
  }

  /** Samples were lost: the windows' own count stands still. */
  skip(samples: number): void {
    this.skipped += samples;
  }

  gap(): void {
    this.windows.gap();
  }

  /** The stream ends: every beat gets its word, those that have no window a null. */
  flush(): void {
    this.windows.flush();
    while (this.waiting.length > 0) this.deliver(this.next(), null);
  }

  settled(): Promise<void> {
    return this.answers.settled();
  }

  private ask(index: number, inputs: readonly Float32Array[]): void {
    // Beats that the windows passed over (too near a gap) get no scores.
    while (this.firstIndex < index && this.waiting.length > 0) this.deliver(this.next(), null);
    const beat = this.next();
    const { inference, model, logitOffsets } = this.options;
    const answer = inference.infer(
      model,
      inputs.map((input) => input.slice()),
    );
    const causeMs = this.options.causeMs();
    this.answers.add(async () => {
      const output = await answer;
      this.tell(beat, output ? beatScores(output, logitOffsets) : null, causeMs);
    });
  }

  private deliver(beat: Beat, scores: BeatScores | null): void {
    this.answers.add(() => this.tell(beat, scores, null));
  }

  private next(): Beat {
    this.firstIndex++;
    return this.waiting.shift()!;
  }

  private measured(run: () => void): void {
    const start = this.options.nowMs();
    run();
    this.options.stages.record('window', this.options.nowMs() - start);
  }
}
