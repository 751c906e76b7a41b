import { MovingMean } from '../moving-mean.js';
import { MovingMinimum } from '../moving-minimum.js';
import { PulseBand } from './band.js';
import { PulsePeriod } from './period.js';

/**
 * Elgendi et al. 2013 ("Systolic peak detection in acceleration photoplethysmograms measured from emergency responders
 * in tropical conditions", PLoS ONE 8:e76585): two event-related moving averages of 111 ms (a systolic peak) and 667 ms
 * (a beat), with an offset by the mean of the last seconds. The paper takes them of the squared, clipped wave, in which a weak
 * pulse soon after a strong one (bigeminy) is lost; here they are of the rise of the light within 200 ms, as in the
 * slope sum of Zong et al. 2003 ("An open-source algorithm to detect onset of arterial blood pressure pulses", Computers
 * in Cardiology 30:259-262), the base of qppg. The offset was set on simulated hearts with noise.
 */
const PEAK_WINDOW_MS = 111;
const BEAT_WINDOW_MS = 667;
const RISE_MS = 200;
const OFFSET = 0.4;
/** The paper takes the mean of the whole record; here it is that of the last seconds. */
const MEAN_MS = 6670;
/** 240 beats a minute and a little more. */
const REFRACTORY_MS = 240;
/** Pulses below this share of the usual height are dicrotic waves or tremor; the share falls while none comes. */
const LEAST_HEIGHT = 0.25;
const HEIGHT_STEP = 0.2;
/** One jerk must not raise the bar for what follows. */
const HEIGHT_JUMP = 2;
/** With no pulse for this long, the usual height is forgotten: the finger was moved. */
const FORGET_MS = 3000;
/**
 * A pulse this much sooner than the wave's own period, and lower than the one before, is its dicrotic wave, which follows
 * the systolic one by 200 to 400 ms. Later, it is an early beat's weak pulse.
 */
const EARLY_SHARE = 0.65;
const DICROTIC_MS = 420;
/** The slower the heart, the later the reflected wave; but what comes half a second after a pulse is another. */
const DICROTIC_SHARE = 0.37;
const LATEST_DICROTIC_MS = 470;
/** Without a sure period, a pulse in that time must be this high against the one before. */
const DICROTIC_HEIGHT = 0.5;
const EARLY_HEIGHT = 0.8;
/** What is taken for the period while it is not sure: of a slow heart. */
const UNSURE_PERIOD_MS = 1500;
/** A period less certain than this corrects nothing. */
const SURE_PERIOD = 0.5;
/** What the band's low-pass delays a systolic wave by, ms (group delay of a 2nd-order Butterworth at 8 Hz). */
const BAND_DELAY_MS = 28;

export interface PulseDetectorOptions {
  /** 20 to 1000 samples per second. */
  readonly rateHz: number;
  /**
   * @param sample index of the systolic peak, counted from the first `push`
   * @param decidedAtSample index of the newest sample when it was decided
   * @param confidence 0 to 1: how like the usual pulse it is in height
   */
  onBeat(sample: number, decidedAtSample: number, confidence: number): void;
}

/**
 * Online pulse (PPG) beat detector after Elgendi et al. 2013, made causal: blocks of interest where the short average of
 * the wave's rise exceeds the long one centred on it; the beat is the greatest value of a block. A dicrotic
 * wave counted as a beat (double rate) is told by the period that the autocorrelation sees. Works on any unit and offset,
 * with peaks upward; a beat is decided about 0.45 s after its peak. Nothing is allocated per sample.
 */
export class PulseDetector {
  private readonly band: PulseBand;
  private readonly period: PulsePeriod;
  private readonly foot: MovingMinimum;
  private readonly peakMean: MovingMean;
  private readonly beatMean: MovingMean;
  private readonly slowMean: MovingMean;
  /** Band signal, rise and short mean of the last second, to look back half a beat window. */
  private readonly levels: Float64Array;
  private readonly shorts: Float64Array;
  private readonly rises: Float64Array;
  private readonly mask: number;
  private readonly lookBack: number;
  private readonly shortBack: number;
  private readonly bandDelay: number;
  private readonly refractory: number;
  private readonly forget: number;
  private readonly shortestBlock: number;
  private count = 0;
  /** Samples since the signal began anew. */
  private fresh = 0;
  private blockStart = -1;
  private blockMax = 0;
  private blockMaxAt = -1;
  private blockRise = 0;
  private lastBeat = -1;
  private lastHeight = 0;
  private height = 0;

  constructor(private readonly options: PulseDetectorOptions) {
    const { rateHz } = options;
    const samples = (ms: number) => Math.max(1, Math.round((ms * rateHz) / 1000));
    this.band = new PulseBand(rateHz);
    this.period = new PulsePeriod(rateHz);
    this.foot = new MovingMinimum(samples(RISE_MS));
    this.peakMean = new MovingMean(samples(PEAK_WINDOW_MS));
    this.beatMean = new MovingMean(samples(BEAT_WINDOW_MS));
    this.slowMean = new MovingMean(samples(MEAN_MS));
    this.lookBack = samples(BEAT_WINDOW_MS) >> 1;
    this.shortBack = Math.max(0, this.lookBack - (samples(PEAK_WINDOW_MS) >> 1));
    const size = 2 ** Math.ceil(Math.log2(this.lookBack + 2));
    this.levels = new Float64Array(size);
    this.shorts = new Float64Array(size);
    this.rises = new Float64Array(size);
    this.mask = size - 1;
    this.bandDelay = Math.round((BAND_DELAY_MS * rateHz) / 1000);
    this.refractory = samples(REFRACTORY_MS);
    this.forget = samples(FORGET_MS);
    this.shortestBlock = Math.max(1, Math.floor(samples(PEAK_WINDOW_MS) / 2));
  }

  /** One sample, any unit; must be finite. */
  push(value: number): void {
    const n = this.count++;
    const level = this.band.push(value);
    this.period.push(level);
    const { smooth } = this.band;
    const rise = smooth - this.foot.push(smooth);
    this.levels[n & this.mask] = level;
    this.rises[n & this.mask] = rise;
    this.shorts[n & this.mask] = this.peakMean.push(rise);
    const long = this.beatMean.push(rise) + OFFSET * this.slowMean.push(rise);
    if (++this.fresh <= this.lookBack) return;
    if (this.lastBeat >= 0 && n - this.lastBeat > this.forget) this.height = 0;
    if (this.shorts[(n - this.shortBack) & this.mask]! > long) {
      const centre = n - this.lookBack;
      const here = this.levels[centre & this.mask]!;
      if (this.blockStart < 0) {
        this.blockStart = n;
        this.blockMax = Number.NEGATIVE_INFINITY;
        this.blockRise = 0;
      }
      if (this.rises[centre & this.mask]! > this.blockRise) this.blockRise = this.rises[centre & this.mask]!;
      if (here > this.blockMax) {
        this.blockMax = here;
        this.blockMaxAt = centre;
      }
    } else if (this.blockStart >= 0) {
      this.closeBlock(n);
    }
  }

  /** Samples were lost or contact was: nothing before has to do with what comes. */
  gap(): void {
    this.blockStart = -1;
    this.fresh = 0;
    this.lastBeat = -1;
    this.height = 0;
    this.lastHeight = 0;
    this.band.clear();
    this.period.clear();
    this.foot.clear();
    this.peakMean.clear();
    this.beatMean.clear();
    this.slowMean.clear();
  }

  /** The stream ends: a peak that is being looked at is decided. */
  flush(): void {
    if (this.blockStart >= 0) this.closeBlock(this.count - 1);
  }

  private closeBlock(now: number): void {
    const wide = now - this.blockStart >= this.shortestBlock;
    this.blockStart = -1;
    const peak = Math.max(0, this.blockMaxAt - this.bandDelay);
    const height = this.blockRise;
    if (!wide || !(height > 0)) return;
    if (this.lastBeat >= 0) {
      const since = peak - this.lastBeat;
      if (since < this.refractory) return;
      const sinceMs = (since * 1000) / this.options.rateHz;
      const { periodMs, strength } = this.period;
      const sure = strength >= SURE_PERIOD && periodMs > 0;
      const notchLimitMs = sure
        ? Math.min(EARLY_SHARE * periodMs, LATEST_DICROTIC_MS, Math.max(DICROTIC_MS, DICROTIC_SHARE * periodMs))
        : DICROTIC_MS;
      if (sinceMs < notchLimitMs && height < (sure ? EARLY_HEIGHT : DICROTIC_HEIGHT) * this.lastHeight) return;
      // The longer none came, the less a pulse needs to be one: the hand may lie differently now.
      const overdue = sinceMs / (sure ? periodMs : UNSURE_PERIOD_MS);
      const share = LEAST_HEIGHT / Math.max(1, overdue * overdue);
      if (height < share * this.height) return;
    }
    const grown = this.height === 0 ? height : Math.min(height, HEIGHT_JUMP * this.height);
    const likeness = this.height === 0 ? 0.5 : Math.min(height, this.height) / Math.max(height, this.height);
    this.height = this.height === 0 ? height : this.height + HEIGHT_STEP * (grown - this.height);
    this.lastBeat = peak;
    this.lastHeight = height;
    this.options.onBeat(peak, now, likeness);
  }
}
