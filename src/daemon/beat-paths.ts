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
  private count = 0;
  private skipped = 0;
  private state: QualityState = 'none';

  constructor(
    private readonly options: BeatPathOptions,
    kind: 'ecg' | 'ppg',
  ) {
    const { rateHz, carries } = options;
    this.beats = new BeatAssembler(kind);
    const onBeat = (sample: number, decidedAtSample: number, confidence: number) =>
      this.found(sample + this.skipped, decidedAtSample + this.skipped, confidence);
    const onChange = (quality: Quality) => {
      this.state = quality.state;
      options.onQuality(quality);
    };
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

  deviceHeartRate(): void {}

  contact(on: boolean, tMs: StreamMs): void {
    this.gate.contact(on, tMs);
    if (!on) {
      this.beats.gap();
      this.rate.clear();
    }
  }

  gap(tMs: StreamMs): void {
    this.detector.gap();
    this.gate.gap(tMs);
    this.beats.gap();
  }

  tick(tMs: StreamMs): void {
    this.gate.tick(tMs);
    this.rate.tick(tMs);
  }

  flush(): void {
    this.detector.flush();
  }

  private found(sample: number, decidedAtSample: number, confidence: number): void {
    // What a detector finds in a signal from open leads is the leads, not a heart.
    if (this.state === 'contact-off') return;
    const { sampleClock, onBeat } = this.options;
    const quality = this.state === 'good' ? confidence : Math.min(confidence, POOR_QUALITY);
    const beat = this.beats.at(sampleClock.timeOf(sample), sample, sampleClock.timeOf(decidedAtSample), quality);
    this.rate.beat(beat);
    onBeat(beat);
  }
}

/** Beats, intervals or rates that the device itself reports. */
class DevicePath implements BeatPath {
  private readonly beats = new BeatAssembler('rr');
  private readonly rate = new HeartRate();
  private deviceBpm: number | null = null;
  private touching: boolean | null = null;
  private seen = false;

  constructor(
    private readonly options: BeatPathOptions,
    private readonly mode: 'rr' | 'flags' | 'rate',
  ) {}

  get heartRateBpm(): number | null {
    return this.rate.bpm ?? this.deviceBpm;
  }

  sample(): void {
    this.alive(this.options.sampleClock.timeOf(0));
  }

  skip(): void {}

  deviceBeat(tMs: StreamMs, sample: number): void {
    if (this.mode !== 'flags') return;
    this.emit(this.beats.at(tMs, sample, tMs, 1));
  }

  referenceBeat(): void {}

  deviceRr(arrivedAtMs: StreamMs, rrMs: number): void {
    if (this.mode !== 'rr') return;
    this.emit(this.beats.afterInterval(rrMs, arrivedAtMs, 1));
  }

  deviceHeartRate(tMs: StreamMs, hrBpm: number): void {
    const valid = Number.isFinite(hrBpm) && hrBpm > 0;
    this.deviceBpm = valid ? hrBpm : null;
    if (!valid) return;
    this.alive(tMs);
    this.options.onDeviceHeartRate(tMs, hrBpm);
  }

  contact(on: boolean, tMs: StreamMs): void {
    this.seen = true;
    if (on === this.touching) return;
    this.touching = on;
    if (!on) {
      this.beats.gap();
      this.rate.clear();
    }
    this.options.onQuality({ tMs, state: on ? 'good' : 'contact-off', reasons: on ? [] : ['leads-off'] });
  }

  gap(): void {
    this.beats.gap();
  }

  tick(tMs: StreamMs): void {
    this.rate.tick(tMs);
  }

  flush(): void {}

  private emit(beat: Beat): void {
    if (this.touching === false) return;
    this.alive(beat.tMs);
    this.rate.beat(beat);
    this.options.onBeat(beat);
  }

  /** A device that never speaks of contact is taken to touch once it reports anything. */
  private alive(tMs: StreamMs): void {
    if (this.seen) return;
    this.seen = true;
    this.options.onQuality({ tMs, state: 'good', reasons: [] });
  }
}
