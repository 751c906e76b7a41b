import { DETECTOR_RATE_HZ, type FrontEnd, HISTORY } from './front-end.js';

const MASK = HISTORY - 1;

/** A shape is this many samples on each side of its centre (78 ms). */
const HALF = 10;
export const SHAPE_LENGTH = 2 * HALF + 1;
/** The centre is the largest |a| within this many samples of the candidate. */
const CENTRE_REACH = 9;
/** Shapes are compared at shifts of up to this many samples. */
const SHIFTS = 2;
/** A neighbour that may be the beat instead is sought this many samples before and after. */
const BEFORE = [50, 13] as const;
const AFTER = [13, 38] as const;
/** The sharp band's energy is taken as its greatest within this many samples. */
const SHARP_REACH = 8;
/** Steepness is sought this far around the candidate. */
const STEEP_REACH = 10;

/** Index of the largest |a| from `from` to `to`. */
export function centreOf(front: FrontEnd, from: number, to: number): number {
  const a = front.a;
  let best = from;
  let top = -1;
  for (let k = from; k <= to; k++) {
    const v = Math.abs(a[k & MASK]!);
    if (v > top) {
      top = v;
      best = k;
    }
  }
  return best;
}

/**
 * The outline of a stretch of the filtered lead, for comparing with templates of unit norm. Reused for every candidate.
 */
export class Outline {
  private readonly wide = new Float64Array(SHAPE_LENGTH + 2 * SHIFTS);
  private readonly scale = new Float64Array(2 * SHIFTS + 1);
  /** Shift at which the last `match` was best. */
  bestShift = 0;

  /** Reads `a` of the front end, or another of its histories, around `centre`. */
  read(front: FrontEnd, centre: number, a = front.a): void {
    const { wide, scale } = this;
    const start = centre - HALF - SHIFTS;
    for (let i = 0; i < wide.length; i++) wide[i] = a[(start + i) & MASK]!;
    let squares = 0;
    for (let i = 0; i < SHAPE_LENGTH; i++) squares += wide[i]! * wide[i]!;
    scale[0] = inverseRoot(squares);
    for (let s = 1; s <= 2 * SHIFTS; s++) {
      const gone = wide[s - 1]!;
      const come = wide[s + SHAPE_LENGTH - 1]!;
      squares += come * come - gone * gone;
      scale[s] = inverseRoot(squares);
    }
  }

  /** Best correlation with `template` over shifts of up to 2 samples; keeps the shift in `bestShift`. */
  match(template: Float64Array): number {
    const { wide, scale } = this;
    // The five shifts side by side: their sums do not wait for one another.
    let first = 0;
    let second = 0;
    let third = 0;
    let fourth = 0;
    let fifth = 0;
    for (let i = 0; i < SHAPE_LENGTH; i++) {
      const t = template[i]!;
      first += t * wide[i]!;
      second += t * wide[i + 1]!;
      third += t * wide[i + 2]!;
      fourth += t * wide[i + 3]!;
      fifth += t * wide[i + 4]!;
    }
    first *= scale[0]!;
    second *= scale[1]!;
    third *= scale[2]!;
    fourth *= scale[3]!;
    fifth *= scale[4]!;
    const best = Math.max(first, second, third, fourth, fifth);
    this.bestShift = best === third ? 0 : best === second ? -1 : best === fourth ? 1 : best === first ? -2 : 2;
    return best;
  }

  /** The same over shifts of up to 1 sample. */
  matchClosely(template: Float64Array): number {
    const { wide, scale } = this;
    let second = 0;
    let third = 0;
    let fourth = 0;
    for (let i = 0; i < SHAPE_LENGTH; i++) {
      const t = template[i]!;
      second += t * wide[i + 1]!;
      third += t * wide[i + 2]!;
      fourth += t * wide[i + 3]!;
    }
    return Math.max(second * scale[1]!, third * scale[2]!, fourth * scale[3]!);
  }

  /** Blends the outline (unit norm, at `shift`) into `template` with weight `step`; 1 replaces it. */
  blendInto(template: Float64Array, step: number, shift: number): void {
    const from = shift + SHIFTS;
    const scale = this.scale[from]!;
    let squares = 0;
    for (let i = 0; i < SHAPE_LENGTH; i++) {
      const v = template[i]! + step * (this.wide[from + i]! * scale - template[i]!);
      template[i] = v;
      squares += v * v;
    }
    const back = inverseRoot(squares);
    for (let i = 0; i < SHAPE_LENGTH; i++) template[i] = template[i]! * back;
  }
}

/** What is read off the filters at one candidate, before any comparison with the state. Reused for every candidate. */
export class Measurement {
  /** Natural logs: energy, slow energy, greatest |difference of a|, roughness. */
  eA = 0;
  eB = 0;
  eS = 0;
  eHf = 0;
  /** The same of the sharp band: at most 8 samples from the candidate, and the greatest before and after (ln, against that). */
  eC = 0;
  sharpBefore = 0;
  sharpAfter = 0;
  /** Energy itself. */
  energy = 0;
  /** The greatest energy shortly before: where, and how much (ln) above the candidate's. */
  beforeAt = 0;
  beforeEnergy = 0;
  /** The same shortly after. */
  afterAt = 0;
  afterEnergy = 0;
  /** Where |a| is largest. */
  centre = 0;
  readonly outline = new Outline();
  /** The sharp band's outline around the same centre. */
  readonly sharpOutline = new Outline();
  /** m3 - m33 around the centre, unit norm: the outline with its slow part. */
  readonly slowOutline = new Float64Array(SHAPE_LENGTH);

  /** Reads the energy and what was before: enough to tell a T wave. */
  readEnergy(front: FrontEnd, c: number): void {
    this.energy = front.energy[c & MASK]!;
    this.eA = logOf(this.energy);
    this.beforeAt = peakWithin(front.energy, c - BEFORE[0], c - BEFORE[1]);
    this.beforeEnergy = logOf(front.energy[this.beforeAt & MASK]!) - this.eA;
  }

  /** Reads all of candidate `c`. Needs `c + 52 <= front.n`. */
  read(front: FrontEnd, c: number): void {
    const { a, z, m33 } = front;
    this.readEnergy(front, c);
    this.afterAt = peakWithin(front.energy, c + AFTER[0], c + AFTER[1]);
    this.afterEnergy = logOf(front.energy[this.afterAt & MASK]!) - this.eA;
    this.eB = logOf(front.slow[c & MASK]!);
    this.eHf = logOf(front.roughness(c));
    let steep = 0;
    let before = a[(c - STEEP_REACH - 1) & MASK]!;
    for (let k = c - STEEP_REACH; k <= c + STEEP_REACH; k++) {
      const here = a[k & MASK]!;
      const step = here > before ? here - before : before - here;
      if (step > steep) steep = step;
      before = here;
    }
    this.eS = logOf(steep);
    this.centre = centreOf(front, c - CENTRE_REACH, c + CENTRE_REACH);
    this.outline.read(front, this.centre);

    const { sharp } = front;
    this.eC = logOf(greatestWithin(sharp, c - SHARP_REACH, c + SHARP_REACH));
    this.sharpBefore = logOf(greatestWithin(sharp, c - BEFORE[0], c - BEFORE[1])) - this.eC;
    this.sharpAfter = logOf(greatestWithin(sharp, c + AFTER[0], c + AFTER[1])) - this.eC;
    this.sharpOutline.read(front, this.centre, front.b);

    const slow = this.slowOutline;
    let squares = 0;
    for (let i = 0; i < SHAPE_LENGTH; i++) {
      const k = this.centre - HALF + i;
      const v = (z[(k - 1) & MASK]! + z[k & MASK]! + z[(k + 1) & MASK]!) / 3 - m33[k & MASK]!;
      slow[i] = v;
      squares += v * v;
    }
    const scale = inverseRoot(squares);
    for (let i = 0; i < SHAPE_LENGTH; i++) slow[i] = slow[i]! * scale;
  }
}

const single = new Float32Array(1);
const singleBits = new Int32Array(single.buffer);

/**
 * Natural log to 1e-4, at a third of Math.log's cost; about 50 are taken for each candidate. From the bits of the 32-bit
 * float: the exponent, and a polynomial of degree 4, exact at 1 and 2, for the mantissa. A floor gives silence a number.
 */
export function logOf(x: number): number {
  single[0] = Math.max(x, 1e-30);
  const bits = singleBits[0]!;
  singleBits[0] = (bits & 0x7fffff) | 0x3f800000;
  const m = single[0]!;
  const log2 = (m - 1) * (1 + (m - 2) * (-0.7599141 + m * (0.40331885 - m * 0.08213044)));
  return (log2 + (bits >> 23) - 127) * Math.LN2;
}

function inverseRoot(squares: number): number {
  return squares > 1e-60 ? 1 / Math.sqrt(squares) : 0;
}

/** Index of the ring's greatest value from `from` to `to`. */
export function peakWithin(ring: Float64Array, from: number, to: number): number {
  let best = from;
  let top = ring[from & MASK]!;
  for (let k = from + 1; k <= to; k++) {
    const value = ring[k & MASK]!;
    if (value > top) {
      top = value;
      best = k;
    }
  }
  return best;
}

function greatestWithin(ring: Float64Array, from: number, to: number): number {
  let top = 0;
  for (let k = from; k <= to; k++) {
    const value = ring[k & MASK]!;
    if (value > top) top = value;
  }
  return top;
}

export function correlation(x: Float64Array, y: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < SHAPE_LENGTH; i++) sum += x[i]! * y[i]!;
  return sum;
}

/** Seconds to detector samples. */
export function steps(seconds: number): number {
  return seconds * DETECTOR_RATE_HZ;
}
