import { PulseEvenness } from './evenness.js';

/** The stretch of a pulse that is compared: its rise, and its fall up to where the dicrotic wave varies. */
const BEFORE_MS = 250;
const AFTER_MS = 350;
/** Correlations that the agreement is the mean of. */
const PULSES = 6;
const FEWEST = 3;
/** How fast the average pulse follows. */
const STEP = 0.15;
/** The detector decides up to this long after a peak. */
const HISTORY_MS = 1600;

/** The band's peak lies within this time of where the detector saw it. */
const PEAK_REACH_MS = 80;

/** How like each other the last pulses are in shape: the mean correlation of each with the running average pulse. */
export class PulseTemplate {
  private readonly history: Float64Array;
  private readonly mask: number;
  private readonly before: number;
  private readonly length: number;
  private readonly average: Float64Array;
  private readonly pulse: Float64Array;
  private readonly likeness = new Float64Array(PULSES);
  /** How even the pulses are. */
  readonly evenness = new PulseEvenness();
  private readonly reach: number;
  private beats = 0;
  private count = 0;
  private freshFrom = 0;
  /** Samples after which, without a pulse, the last agreement is old. */
  private readonly stale: number;
  private lastBeat = 0;

  constructor(rateHz: number) {
    const samples = (ms: number) => Math.max(1, Math.round((ms * rateHz) / 1000));
    this.before = samples(BEFORE_MS);
    this.length = this.before + samples(AFTER_MS);
    this.reach = samples(PEAK_REACH_MS);
    this.average = new Float64Array(this.length);
    this.pulse = new Float64Array(this.length);
    const size = 2 ** Math.ceil(Math.log2(samples(HISTORY_MS)));
    this.history = new Float64Array(size);
    this.mask = size - 1;
    this.stale = samples(3000);
  }

  /** Whether enough pulses were seen for `agreement` to mean something. */
  get known(): boolean {
    return this.beats > FEWEST;
  }

  /** Mean correlation, -1 to 1; 0 while there are too few pulses to tell. */
  get agreement(): number {
    const count = Math.min(this.beats - 1, PULSES);
    if (count < FEWEST || this.count - this.lastBeat > this.stale) return 0;
    let sum = 0;
    for (let i = 0; i < count; i++) sum += this.likeness[i]!;
    return sum / count;
  }

  /** One value of the band-passed wave. */
  push(value: number): void {
    this.history[this.count++ & this.mask] = value;
  }

  /** A pulse with its peak at this sample, counted by `push`. */
  beat(sample: number): void {
    const start = sample - this.before;
    if (start < this.freshFrom || this.count - start > this.mask || start + this.length > this.count) return;
    this.lastBeat = sample;
    const { pulse, average, length } = this;
    let mean = 0;
    for (let i = 0; i < length; i++) mean += this.history[(start + i) & this.mask]!;
    mean /= length;
    let power = 0;
    for (let i = 0; i < length; i++) {
      const value = this.history[(start + i) & this.mask]! - mean;
      pulse[i] = value;
      power += value * value;
    }
    this.evenness.push(Math.sqrt(power), this.peakNear(sample));
    const scale = power > 0 ? 1 / Math.sqrt(power) : 0;
    // A plain mean of the first pulses, then a running one.
    const step = Math.max(STEP, 1 / (this.beats + 1));
    let cross = 0;
    let norm = 0;
    for (let i = 0; i < length; i++) {
      const value = pulse[i]! * scale;
      cross += value * average[i]!;
      norm += average[i]! * average[i]!;
      average[i] = average[i]! + step * (value - average[i]!);
    }
    if (this.beats > 0) this.likeness[(this.beats - 1) % PULSES] = norm > 0 ? cross / Math.sqrt(norm) : 0;
    this.beats++;
  }

  /** Where the wave is highest near a sample, between samples by a parabola. */
  private peakNear(sample: number): number {
    const { history, mask } = this;
    let at = sample;
    for (let i = sample - this.reach; i <= sample + this.reach; i++) {
      if (history[i & mask]! > history[at & mask]!) at = i;
    }
    const left = history[(at - 1) & mask]!;
    const right = history[(at + 1) & mask]!;
    const curve = left - 2 * history[at & mask]! + right;
    return curve < 0 ? at + (0.5 * (left - right)) / curve : at;
  }

  clear(): void {
    this.beats = 0;
    this.evenness.clear();
    this.freshFrom = this.count;
    this.average.fill(0);
  }
}
