import type { BeatShape } from '../domain/beat.js';
import type { StreamMs } from '../domain/clock.js';
import type { Quality, QualityReason, QualityState } from '../domain/quality.js';
import { ContactLoss } from './contact-loss.js';
import { Likeness } from './ecg/likeness.js';
import { NoiseMeter, WINDOW_BLOCKS } from './noise-meter.js';

export interface EcgQualityOptions {
  readonly rateHz: number;
  /** What the device can send at most; at these values the signal is clipped. */
  readonly range?: { readonly min: number; readonly max: number } | undefined;
  /** Called when state or reasons change, with the time from which they hold. */
  onChange(quality: Quality): void;
}

/** Faults that are counted sample by sample are judged over blocks of a quarter second, the last eight of them. */
const BLOCK_MS = 250;
const BLOCKS = 8;
/** A QRS complex may touch the rail (80 ms, three times a second at most); more is a saturated amplifier. */
const CLIPPED_SHARE = 0.25;
const INVALID_SHARE = 0.1;
/** Live amplifiers show noise of some steps; this many steps of the converter, peak to peak, is a dead one. */
const FLAT_STEPS = 2;
/** Share of the usual QRS height below which a line is flat whatever the converter; asystole keeps more than that. */
const FLAT_SHARE = 0.005;
/** No samples for this long: there is no signal to judge. */
const SILENT_MS = 2000;

/**
 * Noise index: logit of "this is noise" from two ratios to the QRS height, what remains above 20 Hz between beats and
 * how far the half-second means swing. Fitted by us by logistic regression on one half of nstdb, vfdb's NOISE and
 * cinc2017's "~" against mitdb, svdb and cinc2017's N, A and O; the other half: 67 % of 118e_6's noisy seconds and 99 %
 * of pure muscle noise are found, 1.2 % of mitdb and 0.7 % of cinc2017's N taken for noise (single seconds, before
 * hysteresis).
 */
const INDEX = { high: 1.0, swing: 1.1, constant: 4.1 };
const NOISE_ABOVE = Math.log(0.65 / 0.35);
const CALM_BELOW = 0;
/** Alone these are noise, too: hiss over a steady baseline, and a baseline that takes the amplifier along. */
const HIGH_ALONE = 0.12;
const SWING_ALONE = 8;
/**
 * Fibrillation, flutter and wide-complex tachycardia come near a sine wave, and noise does not: VF leakage below this at
 * 2 to 9 Hz keeps a rhythm from being called noise (95 % of vfdb's VF and VT seconds lie below it, 1 % of 118e_6's).
 */
const WAVE = { leak: 0.65, lowestHz: 2, highestHz: 9 };
/** RMS of 50 or 60 Hz against the QRS height, and against everything above 1 Hz; hysteresis in between. */
const MAINS = { ofPeak: 0.25, ofTotal: 0.6, calm: 0.6 };
/** Larger than this many times the usual height: no heart grows so fast, an electrode that is pulled does. */
const LARGER = 3;
/** Smaller than this share of the usual height: no beat in sight, nothing to learn that height from. */
const QUIET = 0.35;
/** The usual height follows within about this many seconds while the signal is good, and far slower while it is not. */
const USUAL = { goodS: 20, poorS: 60, quietS: 300 };

const EVALUATE_BLOCKS = 10;
/** Evaluations in a row (one a second) before noise is called and before it is over. */
const TO_POOR = 2;
const TO_GOOD = 3;

const REASONS: readonly QualityReason[] = ['not-a-number', 'flat', 'clipped', 'mains', 'baseline', 'noise', 'gap'];
const bit = (reason: QualityReason) => 1 << REASONS.indexOf(reason);
const NOT_A_NUMBER = bit('not-a-number');
const FLAT = bit('flat');
const CLIPPED = bit('clipped');
const MAINS_BIT = bit('mains');
const BASELINE = bit('baseline');
const NOISE = bit('noise');
const GAP = bit('gap');

/** Counts of one quarter second. */
interface Counts {
  samples: number;
  invalid: number;
  clipped: number;
  low: number;
  high: number;
}

/**
 * Says whether an ECG can be trusted, sample by sample, at any rate from 100 Hz and in any unit. Slow to blame (two bad
 * seconds) and slow to forgive (three calm ones), so that one movement is not a storm of changes. It allocates only when
 * the verdict changes.
 */
export class EcgQuality {
  private readonly meter: NoiseMeter;
  private readonly likeness: Likeness;
  private readonly loss = new ContactLoss();
  private readonly blockSamples: number;
  private readonly counts: Counts[] = Array.from({ length: BLOCKS }, emptyCounts);
  private block = 0;
  private filledBlocks = 0;
  /** Smallest difference between two samples ever seen: the converter's step. */
  private step = Number.POSITIVE_INFINITY;
  private last = Number.NaN;
  private lastMs: StreamMs = Number.NEGATIVE_INFINITY;
  private usual = 0;
  private badSeconds = 0;
  private calmSeconds = 0;
  private touching = true;
  private gapUntilMs: StreamMs = Number.NEGATIVE_INFINITY;

  private state: QualityState = 'none';
  /** Bits of REASONS in force; -1 while nothing has been said. */
  private said = -1;
  private countedReasons = 0;
  private noiseReasons = 0;

  constructor(private readonly options: EcgQualityOptions) {
    this.meter = new NoiseMeter(options.rateHz);
    this.likeness = new Likeness(options.rateHz);
    this.blockSamples = Math.max(1, Math.round((options.rateHz * BLOCK_MS) / 1000));
  }

  /** One sample; NaN where the device has no value. */
  push(value: number, tMs: StreamMs): void {
    if (tMs - this.lastMs > SILENT_MS) this.restart();
    this.lastMs = tMs;
    if (!this.touching) return;
    const counts = this.counts[this.block]!;
    counts.samples++;
    if (Number.isFinite(value)) this.count(counts, value);
    else counts.invalid++;
    // A hole is bridged for the filters: what they would make of a step is not in the signal.
    if (this.meter.push(Number.isFinite(value) ? value : Number.isFinite(this.last) ? this.last : 0)) {
      if (this.meter.blocks >= WINDOW_BLOCKS && this.meter.blocks % EVALUATE_BLOCKS === 0) this.judgeNoise();
      const isQuiet = this.meter.blockPeak < QUIET * this.usual;
      // Told at once: the beat that ends a loss must not be taken for one of open leads.
      if (this.loss.push(this.meter.blockLevel, isQuiet, this.usual)) this.speak(tMs);
    }
    if (counts.samples < this.blockSamples) return;
    this.endBlock();
    this.speak(tMs);
  }

  /** What the device itself says of its contact; may be told with every frame. */
  contact(on: boolean, tMs: StreamMs): void {
    if (on === this.touching) return;
    this.touching = on;
    this.restart();
    this.speak(tMs);
  }

  /** Samples were lost: for a second nothing is good. */
  gap(tMs: StreamMs): void {
    this.gapUntilMs = tMs + 1000;
    this.speak(tMs);
  }

  /** What the waveform shows at a beat `back` samples before the newest one. To be asked once for each beat, in order. */
  shapeAt(back: number): BeatShape {
    const alike = this.likeness.take((offset) => this.meter.waveAtBack(back - offset));
    if (this.meter.blocks < WINDOW_BLOCKS) return { alike, leak: 1 };
    this.meter.measureWave();
    return { alike, leak: this.meter.figures.leak };
  }

  /** Time passes, with or without samples. */
  tick(tMs: StreamMs): void {
    if (this.state === 'none' || !this.touching || tMs - this.lastMs <= SILENT_MS) return;
    this.restart();
    this.set('none', GAP, tMs);
  }

  private restart(): void {
    this.meter.clear();
    this.likeness.forget();
    this.loss.clear();
    for (const counts of this.counts) clearCounts(counts);
    this.block = 0;
    this.filledBlocks = 0;
    this.last = Number.NaN;
    this.badSeconds = 0;
    this.calmSeconds = 0;
    this.countedReasons = 0;
    this.noiseReasons = 0;
  }

  private count(counts: Counts, value: number): void {
    const { range } = this.options;
    if (range && (value <= range.min || value >= range.max)) counts.clipped++;
    const difference = Math.abs(value - this.last);
    if (difference > 0 && difference < this.step) this.step = difference;
    if (value < counts.low) counts.low = value;
    if (value > counts.high) counts.high = value;
    this.last = value;
  }

  private endBlock(): void {
    this.filledBlocks++;
    this.countedReasons = this.filledBlocks >= BLOCKS ? this.judgeCounts() : 0;
    this.block = (this.block + 1) % BLOCKS;
    clearCounts(this.counts[this.block]!);
  }

  private judgeCounts(): number {
    let samples = 0;
    let invalid = 0;
    let clipped = 0;
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (const counts of this.counts) {
      samples += counts.samples;
      invalid += counts.invalid;
      clipped += counts.clipped;
      low = Math.min(low, counts.low);
      high = Math.max(high, counts.high);
    }
    let reasons = 0;
    if (invalid > INVALID_SHARE * samples) reasons |= NOT_A_NUMBER;
    if (clipped > CLIPPED_SHARE * samples) reasons |= CLIPPED;
    const steps = Number.isFinite(this.step) ? FLAT_STEPS * this.step : 0;
    if (invalid < samples && high - low <= Math.max(steps, FLAT_SHARE * this.usual)) reasons |= FLAT;
    return reasons;
  }

  private judgeNoise(): void {
    this.meter.measure();
    const f = this.meter.figures;
    // Between the beats of a slow heart, and in asystole, what is small is measured by what used to be there.
    const height = Math.max(f.peak, this.usual);
    if (!(height > 0)) return;
    const high = f.highRest / height;
    const swing = f.swing / height;
    const isWave = f.leak < WAVE.leak && f.waveHz > WAVE.lowestHz && f.waveHz < WAVE.highestHz && high < HIGH_ALONE;
    const index =
      INDEX.high * Math.log(Math.max(high, 1e-4)) + INDEX.swing * Math.log(Math.max(swing, 1e-4)) + INDEX.constant;
    const tooLarge = this.usual > 0 && f.peak > LARGER * this.usual;
    const quiet = f.peak < QUIET * this.usual;
    const isCalm = this.state === 'good' && !quiet && !this.countedReasons;

    const was = this.noiseReasons;
    const mainsFactor = was & MAINS_BIT ? MAINS.calm : 1;
    // Broad noise has its share at 50 Hz, too: hum is what stands out of its surroundings.
    const mains =
      f.mains > f.highRest &&
      (f.mains > MAINS.ofPeak * mainsFactor * height ||
        (f.mains > MAINS.ofTotal * mainsFactor * f.total && f.total > FLAT_SHARE * height));
    let found = mains ? MAINS_BIT : 0;
    const limit = was & (NOISE | BASELINE) ? CALM_BELOW : NOISE_ABOVE;
    if (!isWave && (index > limit || high > HIGH_ALONE || swing > SWING_ALONE || tooLarge))
      found |= swing > 2 && high < 0.03 ? BASELINE : NOISE;

    this.loss.judged(isCalm && !found && !isWave, isWave);
    if (found) {
      this.calmSeconds = 0;
      // At the start there is no good name to lose: what begins badly is never called good in between.
      if (++this.badSeconds >= TO_POOR || was || this.meter.blocks === WINDOW_BLOCKS) this.noiseReasons = found;
    } else {
      this.badSeconds = 0;
      if (++this.calmSeconds >= TO_GOOD) this.noiseReasons = 0;
    }
    // While it is bad the usual height follows slowly, and in silence slower still: it must learn neither the noise nor
    // the silence, nor be wrong for ever.
    const seconds = quiet ? USUAL.quietS : found || this.countedReasons ? USUAL.poorS : USUAL.goodS;
    if (this.usual > 0) this.usual += (f.peak - this.usual) / seconds;
    else if (!found && !this.countedReasons) this.usual = f.peak;
  }

  private speak(tMs: StreamMs): void {
    if (!this.touching || this.loss.isLost) {
      this.set('contact-off', 0, tMs);
      return;
    }
    const gap = tMs < this.gapUntilMs && this.state !== 'none' ? GAP : 0;
    const reasons = this.countedReasons | this.noiseReasons | gap;
    if (reasons) this.set('poor', reasons, tMs);
    else this.set(this.meter.blocks >= WINDOW_BLOCKS ? 'good' : 'none', 0, tMs);
  }

  private set(state: QualityState, reasons: number, tMs: StreamMs): void {
    if (state === this.state && reasons === this.said) return;
    this.state = state;
    this.said = reasons;
    let words: QualityReason[] = REASONS.filter((_, at) => reasons & (1 << at));
    if (state === 'contact-off') words = ['leads-off'];
    if (state === 'none' && reasons === 0) words = ['starting'];
    this.options.onChange({ tMs, state, reasons: words });
  }
}

function emptyCounts(): Counts {
  return { samples: 0, invalid: 0, clipped: 0, low: Number.POSITIVE_INFINITY, high: Number.NEGATIVE_INFINITY };
}

function clearCounts(counts: Counts): void {
  counts.samples = 0;
  counts.invalid = 0;
  counts.clipped = 0;
  counts.low = Number.POSITIVE_INFINITY;
  counts.high = Number.NEGATIVE_INFINITY;
}
