import type { AlarmSettings } from '../config/alarms.js';
import type { Beat, BeatSource } from '../domain/beat.js';
import type { StreamMs } from '../domain/clock.js';
import type { Quality, QualityState } from '../domain/quality.js';
import { RHYTHM_VERDICT_BEATS, type Rhythm } from '../domain/rhythm.js';
import { BeatHistory } from './beats.js';
import { RecentBeats, showsHeart } from './heart-seen.js';
import type { Witness } from './peers.js';

/** The detector's delay is believed up to this, so that asystole is told within 4.3 s of the last beat. */
const LONGEST_DELAY_MS = 200;
const DELAY_FADE = 0.9;
/** A longer interval that nothing vouches for is a hole, as the rhythm model takes it too. */
const LONGEST_BARE_RR_MS = 3_000;
/** Ticks come every 100 ms: a step this long means that we did not run, not that the sensor was silent. */
const STALL_MS = 5_000;
/** A sensor bears witness for others of its person once its own signal has been good for this long. */
const WITNESS_AFTER_MS = 10_000;
/** What it says rests on so many of its last intervals, the newest beat no older than this. */
const WITNESS_INTERVALS = 6;
const WITNESS_FRESH_MS = 3_000;
/** Below this the intervals are even: sinus rhythm at rest varies by 2 to 8 %, a pulse that drops beats by far more. */
const STEADY_VARIATION = 0.1;
const WITNESS_RHYTHM_MS = 30_000;

/** So many beats that show a heart make one: the first three that noise made alike by chance do not come soon. */
const HEART_BEATS = 3;

/** A device's own rate is renewed about once a second. */
const DEVICE_RATE_FRESH_MS = 5_000;

/** What every rule may look at: the last beats, the signal's state, and time. Only the engine writes to it. */
export class AlarmView {
  readonly beats = new BeatHistory();
  /** Newest stream time heard of; never goes back. */
  nowMs: StreamMs = Number.NEGATIVE_INFINITY;
  /** How far the data reaches; -Infinity before the first. */
  dataUntilMs: StreamMs = Number.NEGATIVE_INFINITY;
  /** Since when the absence of data may be blamed on the sensor. */
  watchedSinceMs: StreamMs = Number.NEGATIVE_INFINITY;
  linkSilent = false;
  quality: QualityState | null = null;
  qualityReasons = '';
  qualitySinceMs: StreamMs = Number.NEGATIVE_INFINITY;
  /** Since when the sensor is on the body, as far as known. */
  contactSinceMs: StreamMs = Number.NEGATIVE_INFINITY;
  /** Since when the signal is good without a hole; null while it is not. */
  goodSinceMs: StreamMs | null = null;
  /** How late the detector tells of a beat, at worst of late. */
  detectorDelayMs = 0;
  /** Where the beats come from; null before the first. */
  lastSource: BeatSource | null = null;
  private readonly heartBeats = new RecentBeats();
  private afibScore = Number.NaN;
  private rhythmAtMs: StreamMs = Number.NEGATIVE_INFINITY;
  private deviceBpm = Number.NaN;
  private deviceBpmAtMs: StreamMs = Number.NEGATIVE_INFINITY;
  private lastTickMs: StreamMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly settings: AlarmSettings['signal'],
    private readonly vouched?: boolean,
  ) {}

  /** Good signal, with no hole up to now. */
  get signalGood(): boolean {
    return this.goodSinceMs !== null && !this.linkSilent && this.nowMs - this.dataUntilMs <= this.settings.staleMs;
  }

  /** Signal of whatever worth from a sensor on the body, with no hole up to now. */
  get hasContact(): boolean {
    return !isOff(this.quality) && !this.linkSilent && this.nowMs - this.dataUntilMs <= this.settings.staleMs;
  }

  get lastBeatMs(): StreamMs {
    return this.beats.length > 0 ? this.beats.tMs(0) : Number.NEGATIVE_INFINITY;
  }

  /** Whether some beats of the last minutes, out of good signal, were a heart's: a silence after noise says little of a heart. */
  get hasSeenHeart(): boolean {
    return this.heartBeats.count(this.nowMs) >= HEART_BEATS;
  }

  /**
   * Heart rate over the last `n` intervals, or the device's own where there are no beats; NaN where neither is known
   * or both are old (no beat within `freshMs`).
   */
  rateBpm(n: number, freshMs: number): number {
    if (this.dataUntilMs - this.lastBeatMs <= freshMs) return 60_000 / this.beats.meanRrMs(n);
    return this.nowMs - this.deviceBpmAtMs <= DEVICE_RATE_FRESH_MS ? this.deviceBpm : Number.NaN;
  }

  /** Whether `rateBpm` speaks of beats and not of the device's word. */
  rateIsFromBeats(freshMs: number): boolean {
    return this.dataUntilMs - this.lastBeatMs <= freshMs;
  }

  /** A witness for other sensors of the person; null while the signal is not good, or not yet for long enough. */
  witness(sensor: string): Witness | null {
    const { beats, lastSource, goodSinceMs } = this;
    if (!this.signalGood || goodSinceMs === null || lastSource === null) return null;
    if (this.nowMs - goodSinceMs < WITNESS_AFTER_MS) return null;
    const rateBpm = this.rateIsFromBeats(WITNESS_FRESH_MS) ? 60_000 / beats.meanRrMs(WITNESS_INTERVALS) : Number.NaN;
    return {
      sensor,
      source: lastSource,
      rateBpm,
      steady: beats.variation(WITNESS_INTERVALS) < STEADY_VARIATION,
      beatsWithin: (withinMs) => beats.countSince(this.dataUntilMs - withinMs),
      longestRrMs: beats.longestRrMs(WITNESS_INTERVALS),
      afibScore: this.nowMs - this.rhythmAtMs <= WITNESS_RHYTHM_MS ? this.afibScore : Number.NaN,
    };
  }

  /**
   * The device tells a rate while no interval comes: a chest strap may leave its intervals out and a strap that never
   * had any looks the same. A waveform in which we see no beat is not overruled by the device.
   */
  get deviceClaimsBeats(): boolean {
    const rateIsFresh = this.nowMs - this.deviceBpmAtMs <= DEVICE_RATE_FRESH_MS && !Number.isNaN(this.deviceBpm);
    return rateIsFresh && (this.lastSource === null || this.lastSource === 'rr');
  }

  /**
   * Whether a silence of beats says anything of the heart. Not where intervals are all there is: nothing vouches for the
   * signal they came from, and a long interval is more likely a few beats that were lost.
   */
  get silenceIsEvidence(): boolean {
    return this.vouched ?? this.lastSource !== 'rr';
  }

  // --- for the engine ---

  /** False: the time is no number, and what came with it must not be used. */
  advance(tMs: StreamMs): boolean {
    if (!Number.isFinite(tMs)) return false;
    if (this.nowMs === Number.NEGATIVE_INFINITY) this.watchedSinceMs = tMs;
    if (tMs > this.nowMs) this.nowMs = tMs;
    return true;
  }

  tick(tMs: StreamMs): boolean {
    if (!this.advance(tMs)) return false;
    if (tMs - this.lastTickMs > STALL_MS) this.watchedSinceMs = tMs;
    this.lastTickMs = Math.max(this.lastTickMs, tMs);
    return true;
  }

  data(tMs: StreamMs): void {
    if (tMs <= this.dataUntilMs) return;
    const hole = tMs - this.dataUntilMs > this.settings.staleMs;
    this.dataUntilMs = tMs;
    if (hole && this.goodSinceMs !== null) this.goodSinceMs = tMs;
  }

  silent(): void {
    this.linkSilent = true;
    if (this.goodSinceMs !== null) this.goodSinceMs = this.nowMs;
  }

  /** A state may be told late: a loss counts from the moment it is known, for what was decided before stands. */
  setQuality(quality: Quality): void {
    if (quality.state !== this.quality) this.qualitySinceMs = Math.min(quality.tMs, this.nowMs);
    if (isOff(this.quality)) this.contactSinceMs = this.qualitySinceMs;
    if (quality.state !== 'good') this.goodSinceMs = null;
    else this.goodSinceMs ??= Math.min(quality.tMs, this.nowMs);
    this.quality = quality.state;
    this.qualityReasons = quality.reasons.join(',');
  }

  addBeat(beat: Beat): void {
    this.lastSource = beat.source;
    // A source that never speaks of quality (a bare list of intervals) vouches for its beats by sending them.
    if (this.quality === null) this.goodSinceMs ??= beat.tMs;
    const start = beat.rrMs === null ? beat.tMs : beat.tMs - beat.rrMs;
    const trusted =
      beat.quality >= this.settings.minBeatQuality && this.goodSinceMs !== null && this.goodSinceMs <= beat.tMs;
    // An interval that began before the signal was good, or over a hole, is no interval.
    const lost = !this.silenceIsEvidence && (beat.rrMs ?? 0) > LONGEST_BARE_RR_MS;
    const whole = !lost && trusted && this.goodSinceMs !== null && this.goodSinceMs <= start;
    this.beats.push(whole ? beat : { ...beat, rrMs: null }, trusted);
    if (trusted && showsHeart(this.beats)) this.heartBeats.add(beat.tMs);
    const delay = Math.min(LONGEST_DELAY_MS, Math.max(0, beat.decidedAtMs - beat.tMs));
    this.detectorDelayMs = Math.max(delay, this.detectorDelayMs * DELAY_FADE);
  }

  setRhythm({ tMs, label, score, windowBeats }: Rhythm): void {
    if (label === 'unknown' || windowBeats < RHYTHM_VERDICT_BEATS) return;
    this.afibScore = score;
    this.rhythmAtMs = tMs;
  }

  setDeviceRate(tMs: StreamMs, hrBpm: number): void {
    if (this.quality === null) this.goodSinceMs ??= tMs;
    this.deviceBpm = hrBpm;
    this.deviceBpmAtMs = tMs;
  }
}

const isOff = (state: QualityState | null): boolean => state === 'contact-off' || state === 'none';
