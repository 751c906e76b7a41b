import type { StreamMs } from '../domain/clock.js';
import type { Quality, QualityState } from '../domain/quality.js';
import { HeartRate } from '../signal/heart-rate.js';
import { PulseDetector } from '../signal/ppg/detector.js';
import { PulseQuality } from '../signal/ppg/quality.js';
import { MAX_RR_MS } from '../signal/rr.js';
import { RrTrust } from '../signal/rr-trust.js';
import { BeatAssembler } from './beat-assembler.js';
import type { BeatPath, BeatPathOptions } from './beat-paths.js';
import { QualityMerge } from './quality-merge.js';

/** A beat that ends a doubtful interval is told, with a trust below what any rule believes. */
const DOUBTFUL = 0.3;

/**
 * Beats, intervals or rates that the device itself reports. Where it sends its pulse wave too, the wave is judged: a
 * sensor that nobody touches reports rates of 150 to 230 all the same. Where it does not, the intervals must vouch for
 * themselves.
 */
export class DevicePath implements BeatPath {
  private readonly beats = new BeatAssembler('rr');
  private readonly rate = new HeartRate();
  private readonly trust = new RrTrust();
  private readonly quality: QualityMerge;
  /** Judge of the device's wave, and our own count of it to compare with; null without a wave. */
  private readonly wave: { gate: PulseQuality; detector: PulseDetector; rate: HeartRate } | null;
  private state: QualityState = 'none';
  private deviceBpm: number | null = null;
  private touching: boolean | null = null;
  private seen = false;
  private doubted = false;
  private lastPulseMs: StreamMs | null = null;
  private count = 0;
  private skipped = 0;

  constructor(
    private readonly options: BeatPathOptions,
    private readonly mode: 'rr' | 'flags' | 'rate',
  ) {
    this.quality = new QualityMerge((quality) => {
      this.state = quality.state;
      options.onQuality(quality);
    });
    this.wave = options.carries.waveform ? this.judgeOfWave() : null;
  }

  get heartRateBpm(): number | null {
    return this.rate.bpm ?? this.deviceBpm;
  }

  sample(value: number, valid: boolean): void {
    if (!this.wave) return;
    const tMs = this.options.sampleClock.timeOf(this.count + this.skipped);
    this.count++;
    this.wave.gate.push(valid ? value : Number.NaN, tMs);
    this.wave.detector.push(value);
  }

  skip(samples: number): void {
    this.skipped += samples;
  }

  deviceBeat(tMs: StreamMs, sample: number): void {
    if (this.mode !== 'flags' || this.touching === false) return;
    this.alive(tMs);
    const beat = this.beats.at(tMs, sample, tMs, 1);
    this.emit(beat.rrMs === null ? beat : { ...beat, quality: this.judge(beat.rrMs, tMs) });
  }

  referenceBeat(): void {}

  deviceRr(arrivedAtMs: StreamMs, rrMs: number): void {
    if (this.mode !== 'rr' || this.touching === false) return;
    this.alive(arrivedAtMs);
    const quality = this.judge(rrMs, arrivedAtMs);
    // No heart is this slow: the strap lost contact in between, and the beat at its end has no neighbour.
    if (!(rrMs <= MAX_RR_MS)) this.beats.gap();
    const beat = this.beats.afterInterval(rrMs, arrivedAtMs, quality);
    this.emit(rrMs <= MAX_RR_MS ? beat : { ...beat, rrMs: null });
  }

  deviceHeartRate(tMs: StreamMs, hrBpm: number): void {
    const valid = Number.isFinite(hrBpm) && hrBpm > 0;
    this.deviceBpm = valid ? hrBpm : null;
    if (this.mode !== 'rate') this.quality.deviceRate(hrBpm, tMs);
    if (!valid) return;
    this.alive(tMs);
    this.options.onDeviceHeartRate(tMs, hrBpm);
  }

  contact(on: boolean, tMs: StreamMs): void {
    if (on === this.touching) return;
    this.touching = on;
    this.seen = true;
    if (!on) {
      this.beats.gap();
      this.trust.gap();
      this.rate.clear();
      this.quality.clear();
    }
    if (this.wave) this.wave.gate.contact(on, tMs);
    else this.quality.set({ tMs, state: on ? 'good' : 'contact-off', reasons: on ? [] : ['leads-off'] });
  }

  gap(tMs: StreamMs): void {
    this.beats.gap();
    this.trust.gap();
    this.quality.clear();
    this.wave?.gate.gap(tMs);
    this.wave?.detector.gap();
  }

  tick(tMs: StreamMs): void {
    this.rate.tick(tMs);
    this.quality.ownRate(this.rate.bpm, tMs);
    if (!this.wave) return;
    this.wave.gate.tick(tMs);
    this.wave.rate.tick(tMs);
    // Of a device that sends no rate of its own, our count of its wave is the other witness.
    if (!this.options.carries.heartRate) this.quality.deviceRate(this.wave.rate.bpm ?? Number.NaN, tMs);
  }

  flush(): void {}

  private emit(beat: Parameters<BeatPathOptions['onBeat']>[0]): void {
    this.rate.beat(beat);
    this.options.onBeat(this.state === 'good' ? beat : { ...beat, quality: Math.min(beat.quality, DOUBTFUL) });
  }

  /** How far an interval can be believed; a stream that is mostly junk makes the whole signal poor. */
  private judge(rrMs: number, tMs: StreamMs): number {
    const believed = this.trust.push(rrMs);
    if (this.trust.unreliable !== this.doubted && !this.wave && this.touching !== false) {
      this.doubted = this.trust.unreliable;
      const reasons: Quality['reasons'] = this.doubted ? ['noise'] : [];
      this.quality.set({ tMs, state: this.doubted ? 'poor' : 'good', reasons });
    }
    return believed ? 1 : DOUBTFUL;
  }

  private judgeOfWave() {
    const { rateHz, carries, sampleClock } = this.options;
    const rate = new HeartRate();
    const detector = new PulseDetector({
      rateHz,
      onBeat: (sample) => {
        const tMs = sampleClock.timeOf(sample + this.skipped);
        rate.beat({ tMs, rrMs: this.lastPulseMs === null ? null : tMs - this.lastPulseMs });
        this.lastPulseMs = tMs;
      },
    });
    const gate = new PulseQuality({
      rateHz,
      range: carries.waveform?.range,
      onChange: (quality) => {
        this.seen = true;
        this.quality.set(quality);
      },
    });
    return { gate, detector, rate };
  }

  /** A device that never speaks of contact and sends no wave is taken to touch once it reports anything. */
  private alive(tMs: StreamMs): void {
    if (this.seen || this.wave) return;
    this.seen = true;
    this.quality.set({ tMs, state: 'good', reasons: [] });
  }
}
