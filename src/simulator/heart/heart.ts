import type { Scenario } from '../scenario.js';
import { type Truth, TruthTeller } from '../truth.js';
import type { HeartBeat } from './beat.js';
import { Body } from './body.js';
import { ECG_LEAD_MS, EcgWaveform } from './ecg.js';
import { FWaves, VentricularFibrillation } from './fibrillation.js';
import { NoiseSource } from './noise.js';
import { PpgWaveform, PULSE_PEAK_MS } from './ppg.js';
import { Random } from './random.js';
import { BeatTrain, type Segment } from './train.js';

export interface HeartOptions {
  readonly scenario: Scenario;
  /** Same seed and scenario: same beats at any rate; same rate too: same samples to the last bit. */
  readonly seed: number;
  /** Steps per second. */
  readonly rateHz: number;
  /** `none`: only beats, for devices without a waveform (`value` stays 0). */
  readonly waveform: 'ecg' | 'ppg' | 'none';
  /** Ground truth, told when the simulated time reaches it. */
  readonly onTruth?: (truth: Truth) => void;
  /** Every beat at its R peak, whether or not there is contact. */
  readonly onBeat?: (beat: HeartBeat) => void;
}

/** f waves and fibrillation set in and die down within this time. */
const FADE_MS = 250;
/** A pulse weaker than this does not reach the finger: the device sees no beat (pulse deficit). */
const FAINT_PULSE = 0.3;

/**
 * The synthetic heart. `step()` advances by one sample; then the fields say what a device on this body would see. It
 * keeps only the few beats whose waves are still under way and allocates nothing per step.
 */
export class Heart {
  /** Simulated time of the present step, ms from the start. */
  tMs = 0;
  /** ECG lead II in mV, or pleth (a resting pulse is about 1 high, see ppg.ts). Without contact: what open leads pick up. */
  value = 0;
  contact = true;
  spo2 = 97;
  /** The scenario said `stop` and its time is over: `value` means nothing any more. */
  ended = false;
  /** Whether a beat that the device can notice fell into this step: its R peak, or its pulse at the finger. */
  beat: HeartBeat | null = null;

  private count = -1;
  private readonly stepMs: number;
  private readonly body: Body;
  private readonly train: BeatTrain;
  private readonly ecg = new EcgWaveform();
  private readonly ppg = new PpgWaveform();
  private readonly fWaves: FWaves;
  private readonly vf: VentricularFibrillation;
  private readonly noise: NoiseSource;
  private readonly truth: TruthTeller | null;
  private readonly waitingBeats: HeartBeat[] = [];
  private readonly waitingSegments: Segment[] = [];
  private readonly noticed: HeartBeat[] = [];
  private readonly lookAheadMs: number;
  private readonly noticeDelayMs: number;
  private segment!: Segment;
  private fLevel = 0;
  private vfLevel = 0;

  constructor(private readonly options: HeartOptions) {
    const { rateHz } = options;
    if (!(rateHz >= 1 && rateHz <= 10_000)) throw new RangeError(`rateHz must be 1 to 10000, not ${rateHz}`);
    this.stepMs = 1000 / rateHz;
    const random = new Random(options.seed);
    this.body = new Body(random.fork('body'));
    this.fWaves = new FWaves(random.fork('f-waves'));
    this.vf = new VentricularFibrillation(rateHz, random.fork('vf'));
    this.noise = new NoiseSource(rateHz, random.fork('noise'));
    this.truth = options.onTruth ? new TruthTeller(options.onTruth) : null;
    this.lookAheadMs = ECG_LEAD_MS + this.stepMs;
    this.noticeDelayMs = options.waveform === 'ppg' ? PULSE_PEAK_MS : 0;
    const { episodes, atEnd } = options.scenario;
    this.train = new BeatTrain(episodes, atEnd, this.body, random.fork('beats'), (segment) => {
      this.waitingSegments.push(segment);
    });
  }

  /** The episode that is on, by index into the scenario. */
  get episode(): number {
    return this.segment.index;
  }

  /** Breathing now, -1 to 1. */
  get breath(): number {
    return this.body.breath(this.tMs);
  }

  /** One sample on. */
  step(): void {
    this.count += 1;
    const tMs = this.count * this.stepMs;
    this.tMs = tMs;
    this.fetchBeats(tMs);
    this.enterSegments(tMs);
    if (tMs >= this.train.endsAtMs) {
      this.finish();
      return;
    }
    this.truth?.reach(tMs);
    this.passBeats(tMs);
    const { episode } = this.segment;
    this.contact = episode.contact;
    this.spo2 = episode.spo2;
    this.value = this.options.waveform === 'none' ? 0 : this.render(tMs);
  }

  private finish(): void {
    if (this.ended) return;
    this.ended = true;
    this.beat = null;
    this.truth?.finish(this.train.endsAtMs, this.segment.index, this.segment.episode.label);
  }

  private fetchBeats(tMs: number): void {
    const untilMs = tMs + this.lookAheadMs;
    const newest = this.waitingBeats.at(-1);
    if (newest !== undefined && newest.tMs > untilMs) return;
    for (;;) {
      const beat = this.train.next(untilMs);
      if (beat === null) return;
      this.ecg.add(beat);
      this.waitingBeats.push(beat);
      if (beat.tMs > untilMs) return;
    }
  }

  private enterSegments(tMs: number): void {
    while (this.waitingSegments.length > 0 && this.waitingSegments[0]!.startMs <= tMs) {
      this.segment = this.waitingSegments.shift()!;
      this.truth?.enter(this.segment);
    }
  }

  private passBeats(tMs: number): void {
    this.beat = null;
    while (this.waitingBeats.length > 0 && this.waitingBeats[0]!.tMs <= tMs) {
      const beat = this.waitingBeats.shift()!;
      this.ppg.add(beat);
      this.options.onBeat?.(beat);
      if (this.options.waveform !== 'ppg' || beat.pulse >= FAINT_PULSE) this.noticed.push(beat);
    }
    if (this.noticed.length > 0 && this.noticed[0]!.tMs + this.noticeDelayMs <= tMs) {
      const beat = this.noticed.shift()!;
      if (this.segment.episode.contact) this.beat = beat;
    }
  }

  private render(tMs: number): number {
    const { episode } = this.segment;
    const noise = this.noise.next(tMs, episode);
    const breath = this.body.breath(tMs);
    const fade = Math.min(1, this.stepMs / FADE_MS);
    this.fLevel += fade * ((episode.rhythm === 'atrial-fibrillation' ? 1 : 0) - this.fLevel);
    this.vfLevel += fade * ((episode.rhythm === 'ventricular-fibrillation' ? 1 : 0) - this.vfLevel);
    if (!episode.contact) return this.openInput(tMs, noise);
    if (this.options.waveform === 'ppg') return this.ppg.at(tMs, breath) + noise * 0.2;
    let value = this.ecg.at(tMs) * (1 + 0.04 * breath);
    if (this.fLevel > 0.001) value += this.fLevel * this.fWaves.at(tMs);
    if (this.vfLevel > 0.001) value += this.vfLevel * this.vf.next();
    return value + noise;
  }

  /** Open ECG leads float to the amplifier's rail with hum on it; a pulse sensor without a finger sees ambient light. */
  private openInput(tMs: number, noise: number): number {
    const hum = Math.sin((2 * Math.PI * this.segment.episode.mainsHz * tMs) / 1000);
    return this.options.waveform === 'ppg' ? -0.9 + 0.01 * hum : 5 + 0.6 * hum + noise;
  }
}
