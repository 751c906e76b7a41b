import type { StreamMs } from '../../domain/clock.js';
import type { Quality, QualityReason, QualityState } from '../../domain/quality.js';
import { PulseBand } from './band.js';
import { PulseDetector } from './detector.js';
import { PulsePeriod } from './period.js';
import { PulseTemplate } from './template.js';

const WINDOW_MS = 1000;
/** Fewer changes of value than this in a second is no pulse wave. */
const LEAST_CHANGES = 2;
const CLIPPED_SHARE = 0.2;
const INVALID_SHARE = 0.1;
/** Seconds in a row before noise is called and before it is over: one movement is not a storm of changes. */
const TO_POOR = 2;
const TO_GOOD = 3;
/** No word before this: the filters and the first pulses need it. */
const FIRST_WORD_S = 6;
/** A slow heart has shown too few pulses by then; noise is not called before this. */
const PATIENCE_S = 12;
/** No samples for this long: there is no signal to judge. */
const SILENT_MS = 2000;

/**
 * Template agreement (Orphanidou et al. 2015, "Signal-quality indices for the electrocardiogram and photoplethysmogram",
 * IEEE JBHI 19:832-838: a mean correlation of 0.86 with the average pulse), with hysteresis.
 */
const AGREES = 0.86;
const STILL_AGREES = 0.8;
/** Broadband against pulse band, RMS: an open sensor hisses, a pulse is smooth. */
const HISS = 1;
/**
 * A pure sine repeats at half its period with the sign turned; a pulse does not, it has harmonics. Mains hum that the
 * sampling folds into the pulse band looks like 150 to 230 beats a minute.
 */
const SINE = -0.93;
const SINE_STRENGTH = 0.9;
/**
 * Flicker with harmonics (a dimmed lamp) repeats like a pulse. It is told by being evener in size and time than any heart: the
 * size of pulses changes with every breath. Only where a rule could take it for a fast or a slow heart: a pacemaker is
 * even as well, at the rates between.
 */
const TOO_EVEN_SIZE = 0.022;
const STILL_TOO_EVEN = 0.03;
const EVEN_INTERVAL = 0.06;
const NO_ALARM_MS = [600, 1500] as const;
/** Below this share of the usual height the pulse is gone; whether the heart stopped or the finger left, it is no noise. */
const QUIET = 0.2;
/** A finger that leaves moves the light level by many pulse heights. */
const LEVEL_JUMP = 12;
/** Larger than this many usual heights: no heart pulses so much stronger, a movement does. */
const LARGER = 4;
const USUAL_STEP = 0.1;

export interface PulseQualityOptions {
  readonly rateHz: number;
  readonly range?: { readonly min: number; readonly max: number } | undefined;
  /** Called when state or reasons change, with the time from which they hold. */
  onChange(quality: Quality): void;
}

/**
 * Says whether a pulse wave can be trusted: flat, clipped, missing values, motion and noise (pulses unlike each other),
 * mains hum folded into the pulse band, no finger (by hiss, by the light level, or by the device's own flag). What it
 * judges is the shape of the pulses, not their rhythm: atrial fibrillation is no noise. Any unit and offset.
 */
export class PulseQuality {
  private readonly band: PulseBand;
  private readonly period: PulsePeriod;
  private readonly template: PulseTemplate;
  private readonly detector: PulseDetector;
  private readonly windowSamples: number;
  private state: QualityState = 'none';
  private said = '';
  private touching = true;
  private lastMs: StreamMs = Number.NEGATIVE_INFINITY;
  private seconds = 0;
  private bad = 0;
  private calm = 0;
  private noisy: QualityReason | null = null;
  /** RMS of the band while the signal is good, and the light level then. */
  private usual = 0;
  private usualLevel = Number.NaN;

  private count = 0;
  private invalid = 0;
  private clipped = 0;
  private changes = 0;
  private level = 0;
  private bandSquares = 0;
  private hissSquares = 0;
  private last = Number.NaN;

  constructor(private readonly options: PulseQualityOptions) {
    const { rateHz } = options;
    this.windowSamples = Math.round((WINDOW_MS * rateHz) / 1000);
    this.band = new PulseBand(rateHz);
    this.period = new PulsePeriod(rateHz);
    this.template = new PulseTemplate(rateHz);
    this.detector = new PulseDetector({ rateHz, onBeat: (sample) => this.template.beat(sample) });
  }

  /** One sample; NaN where the device has no value. */
  push(value: number, tMs: StreamMs): void {
    if (tMs - this.lastMs > SILENT_MS) this.restart();
    this.lastMs = tMs;
    if (!this.touching) return;
    this.count++;
    const valid = Number.isFinite(value);
    if (!valid) this.invalid++;
    else {
      const { range } = this.options;
      if (range && (value <= range.min || value >= range.max)) this.clipped++;
      if (value !== this.last) this.changes++;
      this.last = value;
    }
    // A hole is bridged for the filters.
    const bridged = valid ? value : Number.isFinite(this.last) ? this.last : 0;
    const level = this.band.push(bridged);
    this.level += bridged;
    this.bandSquares += level * level;
    this.hissSquares += this.band.hiss * this.band.hiss;
    this.template.push(level);
    this.detector.push(bridged);
    this.period.push(level);
    if (this.count >= this.windowSamples) this.judge(tMs);
  }

  /** What the device itself says of its contact; may be told with every frame. */
  contact(on: boolean, tMs: StreamMs): void {
    if (on === this.touching) return;
    this.touching = on;
    this.restart();
    if (on) this.set('none', ['starting'], tMs);
    else this.set('contact-off', ['no-finger'], tMs);
  }

  /** Samples were lost. */
  gap(tMs: StreamMs): void {
    this.restart();
    if (this.touching && this.state !== 'none') this.set('none', ['gap'], tMs);
  }

  /** Time passes, with or without samples. */
  tick(tMs: StreamMs): void {
    if (this.state === 'none' || !this.touching || tMs - this.lastMs <= SILENT_MS) return;
    this.restart();
    this.set('none', ['gap'], tMs);
  }

  private judge(tMs: StreamMs): void {
    this.seconds++;
    const reasons: QualityReason[] = [];
    if (this.invalid > INVALID_SHARE * this.count) reasons.push('not-a-number');
    if (this.clipped > CLIPPED_SHARE * this.count) reasons.push('clipped');
    if (this.invalid < this.count && this.changes < LEAST_CHANGES) reasons.push('flat');
    this.judgeNoise(reasons.length > 0);
    this.startWindow();
    if (this.noisy) reasons.push(this.noisy);
    if (reasons.length > 0) this.set('poor', reasons, tMs);
    else if (this.seconds >= FIRST_WORD_S && this.calm >= TO_GOOD && this.template.known) this.set('good', [], tMs);
    else if (this.state === 'none') this.set('none', ['starting'], tMs);
  }

  private judgeNoise(broken: boolean): void {
    const amplitude = Math.sqrt(this.bandSquares / this.count);
    const hiss = Math.sqrt(this.hissSquares / this.count);
    const level = this.level / this.count;
    const found = broken ? null : this.noise(amplitude, hiss, level);
    // The first pulses still carry the start of the filters: what has no name yet is neither blamed nor trusted.
    const young = this.usual === 0 && this.seconds < PATIENCE_S && (found === 'noise' || !this.template.known);
    if (young && !broken) {
      this.calm = 0;
      return;
    }
    if (found || broken) {
      this.calm = 0;
      if (++this.bad >= TO_POOR) this.noisy = found;
      return;
    }
    this.bad = 0;
    const quiet = this.usual > 0 && amplitude < QUIET * this.usual;
    if (++this.calm < TO_GOOD) return;
    this.noisy = null;
    if (quiet || this.seconds < FIRST_WORD_S) return;
    this.usual = this.usual === 0 ? amplitude : this.usual + USUAL_STEP * (amplitude - this.usual);
    this.usualLevel = level;
  }

  private noise(amplitude: number, hiss: number, level: number): QualityReason | null {
    if (this.seconds < FIRST_WORD_S) return null;
    if (this.usual > 0 && amplitude < QUIET * this.usual) {
      return Math.abs(level - this.usualLevel) > LEVEL_JUMP * this.usual ? 'no-finger' : null;
    }
    const { strength, atHalf } = this.period;
    if (strength > SINE_STRENGTH && atHalf < SINE * strength) return 'mains';
    if (this.tooEven()) return 'mains';
    if (hiss > HISS * amplitude) return 'no-finger';
    if (this.usual > 0 && amplitude > LARGER * this.usual) return 'motion';
    if (this.template.agreement >= (this.state === 'good' ? STILL_AGREES : AGREES)) return null;
    return this.usual > 0 ? 'motion' : 'noise';
  }

  private tooEven(): boolean {
    const { evenness } = this.template;
    if (!evenness.known) return false;
    const intervalMs = (evenness.interval * 1000) / this.options.rateHz;
    if (intervalMs >= NO_ALARM_MS[0] && intervalMs <= NO_ALARM_MS[1]) return false;
    const limit = this.noisy === 'mains' ? STILL_TOO_EVEN : TOO_EVEN_SIZE;
    return evenness.sizeSpread < limit && evenness.intervalSpread < EVEN_INTERVAL;
  }

  private set(state: QualityState, reasons: readonly QualityReason[], tMs: StreamMs): void {
    const said = `${state} ${reasons.join()}`;
    if (said === this.said) return;
    this.state = state;
    this.said = said;
    this.options.onChange({ tMs, state, reasons });
  }

  private restart(): void {
    this.band.clear();
    this.period.clear();
    this.template.clear();
    this.detector.gap();
    this.seconds = 0;
    this.bad = 0;
    this.calm = 0;
    this.noisy = null;
    this.last = Number.NaN;
    this.startWindow();
  }

  private startWindow(): void {
    this.count = 0;
    this.invalid = 0;
    this.clipped = 0;
    this.changes = 0;
    this.level = 0;
    this.bandSquares = 0;
    this.hissSquares = 0;
  }
}
