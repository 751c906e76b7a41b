import type { Beat } from '../domain/beat.js';
import type { StreamMs } from '../domain/clock.js';
import type { Quality, QualityState } from '../domain/quality.js';
import type { Carries } from '../domain/reading.js';
import type { SampleClock } from '../sensor/sample-clock.js';
import { EcgBeatDetector } from '../signal/ecg/detector.js';
import { HeartRate } from '../signal/heart-rate.js';
import { PulseDetector } from '../signal/ppg/detector.js';
import { PulseQuality } from '../signal/ppg/quality.js';
import { EcgQuality } from '../signal/quality.js';
import { BeatAssembler } from './beat-assembler.js';
import { DevicePath } from './device-path.js';
import { QualityMerge } from './quality-merge.js';

/** How readings become beats; which one serves a sensor depends on what its format carries. */
export interface BeatPath {
  readonly heartRateBpm: number | null;
  sample(value: number, valid: boolean): void;
  /** This many samples never came: the counter goes on without them. */
  skip(samples: number): void;
  deviceBeat(tMs: StreamMs, sample: number): void;
  /** A beat known beforehand (replay with reference beats). */
  referenceBeat(sample: number): void;
  deviceRr(arrivedAtMs: StreamMs, rrMs: number): void;
  deviceHeartRate(tMs: StreamMs, hrBpm: number): void;
  contact(on: boolean, tMs: StreamMs): void;
  gap(tMs: StreamMs): void;
  tick(tMs: StreamMs): void;
  flush(): void;
}

export interface BeatPathOptions {
  readonly carries: Carries;
  readonly rateHz: number;
  readonly sampleClock: SampleClock;
  /** false: no beats of our own finding. */
  readonly detect: boolean;
  onBeat(beat: Beat): void;
  onQuality(quality: Quality): void;
  onDeviceHeartRate(tMs: StreamMs, hrBpm: number): void;
}

/** Beats out of doubtful signal are kept, marked with at most this trust. */
const POOR_QUALITY = 0.3;

/**
 * ECG and pleth are looked at by our own detectors; a device's intervals or beat flags serve where there is no ECG
 * (a pulse wave is a worse clock than the device that filtered it); a bare rate is passed on as it is.
 */
export function createBeatPath(options: BeatPathOptions): BeatPath {
  const { carries } = options;
  if (carries.waveform?.kind === 'ecg') return new WaveformPath(options, 'ecg');
  if (carries.rr) return new DevicePath(options, 'rr');
  if (carries.beatFlags) return new DevicePath(options, 'flags');
  if (carries.waveform) return new WaveformPath(options, 'ppg');
  return new DevicePath(options, 'rate');
}

/** Beats that we find in a waveform. */
class WaveformPath implements BeatPath {
  private readonly detector: EcgBeatDetector | PulseDetector;
  private readonly gate: EcgQuality | PulseQuality;
  private readonly beats: BeatAssembler;
  private readonly rate = new HeartRate();
  private readonly quality: QualityMerge;
  private count = 0;
  private skipped = 0;
  private state: QualityState = 'none';
  /** The device's own word on contact. */
  private touching = true;

  constructor(
    private readonly options: BeatPathOptions,
    kind: 'ecg' | 'ppg',
  ) {
    const { rateHz, carries } = options;
    this.beats = new BeatAssembler(kind);
    const onBeat = (sample: number, decidedAtSample: number, confidence: number) =>
      this.found(sample + this.skipped, decidedAtSample + this.skipped, confidence);
    this.quality = new QualityMerge((quality) => {
      this.state = quality.state;
      options.onQuality(quality);
    });
    const onChange = (quality: Quality) => this.quality.set(quality);
    const range = carries.waveform?.range;
    this.detector = kind === 'ecg' ? new EcgBeatDetector({ rateHz, onBeat }) : new PulseDetector({ rateHz, onBeat });
    this.gate =
      kind === 'ecg' ? new EcgQuality({ rateHz, range, onChange }) : new PulseQuality({ rateHz, range, onChange });
  }

  get heartRateBpm(): number | null {
    return this.rate.bpm;
  }

  sample(value: number, valid: boolean): void {
    this.gate.push(valid ? value : Number.NaN, this.options.sampleClock.timeOf(this.count + this.skipped));
    this.count++;
    if (this.options.detect) this.detector.push(value);
  }

  referenceBeat(sample: number): void {
    this.found(sample, this.count + this.skipped, 1);
  }

  skip(samples: number): void {
    this.skipped += samples;
  }

  deviceBeat(): void {}

  deviceRr(): void {}

  deviceHeartRate(tMs: StreamMs, hrBpm: number): void {
    this.quality.deviceRate(hrBpm, tMs);
  }

  contact(on: boolean, tMs: StreamMs): void {
    this.touching = on;
    this.gate.contact(on, tMs);
    if (!on) {
      this.beats.gap();
      this.rate.clear();
      this.quality.clear();
    }
  }

  gap(tMs: StreamMs): void {
    this.detector.gap();
    this.gate.gap(tMs);
    this.beats.gap();
    this.quality.clear();
  }

  tick(tMs: StreamMs): void {
    this.gate.tick(tMs);
    this.rate.tick(tMs);
    this.quality.ownRate(this.rate.bpm, tMs);
  }

  flush(): void {
    this.detector.flush();
  }

  private found(sample: number, decidedAtSample: number, confidence: number): void {
    // What a detector finds in a signal from open leads is the leads, not a heart. Where we alone hold an ECG's lead for
    // open, a beat speaks against it: it is kept, doubted.
    if (this.state === 'contact-off' && !(this.touching && this.gate instanceof EcgQuality)) return;
    const { sampleClock, onBeat } = this.options;
    const quality = this.state === 'good' ? confidence : Math.min(confidence, POOR_QUALITY);
    const found = this.beats.at(sampleClock.timeOf(sample), sample, sampleClock.timeOf(decidedAtSample), quality);
    // The gate counts the samples that came; the newest of them is the one before `count`.
    const back = this.count - 1 - (sample - this.skipped);
    const beat = this.gate instanceof EcgQuality ? { ...found, shape: this.gate.shapeAt(back) } : found;
    this.rate.beat(beat);
    onBeat(beat);
  }
}
