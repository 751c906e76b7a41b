import { Aftermath } from './aftermath.js';
import type { FrontEnd } from './front-end.js';
import { correlation, logOf, type Measurement, SHAPE_LENGTH, steps } from './shape.js';

/** How many recent beats' outlines are kept beside the templates. */
export const RECENT = 3;
/** Levels and templates learn fast for this many beats. */
const YOUNG_BEATS = 8;
/** So many beats in a row this far (ln) above the level mean another gain or a lead that was off: levels are set anew. */
const LOUDER = 1.5;
const LOUDER_BEATS = 4;
/** A beat belongs to the main template from this correlation on. */
const SAME_SHAPE = 0.8;
/** After so many beats that do not match it, the other template becomes the main one. */
const SWAP_AFTER = 12;
/**
 * Two beats may follow one another this closely, but not as every other interval, beat after beat, with a sharp and a blunt
 * wave taking turns: then the blunt one is a P or T wave counted with each beat.
 */
const TOO_CLOSE = steps(0.25);
const TAKES_TURNS = 8;
/** The blunt wave has this much less of the sharp band (ln). */
const BLUNTER = 0.2;
/** Correlation from which an outline is the blunt wave's. */
const SAME_WAVE = 0.8;
/** How long it is remembered, in beats. */
const ECHO_BEATS = 200;

/**
 * What the detector has learnt of this heart and this lead: levels (natural logs) of its beats and of what is not a beat,
 * the rhythm, and the beats' outlines. Candidates are judged by ratios to it, so that gain, offset, polarity and rate of
 * the lead drop out.
 */
export class BeatState {
  /** Levels of accepted beats: energy, slow and sharp energy, steepness; and the energy of the last one alone. */
  energy = 0;
  slow = 0;
  steep = 0;
  sharp = 0;
  lastEnergy = 0;
  /** Energy of the one before, and the last one's sharp energy. */
  energyBefore = 0;
  lastSharp = 0;
  /** `energy` as it was when the last beat was accepted, before any decay. */
  energyAtBeat = 0;
  /** Energy of rejected candidates. */
  other = 0;
  roughness = 0;
  /** Running RR interval and the last three, in detector samples. */
  rr = steps(0.8);
  rr0 = this.rr;
  rr1 = this.rr;
  rr2 = this.rr;
  /** Index of the last beat; at the start of a session a made-up one, one `rr` before it. */
  lastBeat = -this.rr;
  /** Accepted beats of this session. */
  beats = 0;
  /** Running mean of the judge's doubt. */
  doubt = 0;
  /** Whether levels have ever been set. */
  ready = false;
  readonly aftermath = new Aftermath();
  readonly main = new Float64Array(SHAPE_LENGTH);
  readonly mainSharp = new Float64Array(SHAPE_LENGTH);
  readonly mainSlow = new Float64Array(SHAPE_LENGTH);
  readonly odd = new Float64Array(SHAPE_LENGTH);
  readonly recent = [new Float64Array(SHAPE_LENGTH), new Float64Array(SHAPE_LENGTH), new Float64Array(SHAPE_LENGTH)];
  /** How often the main outline has become another one. */
  swaps = 0;
  /** How far the levels have sunk of late for want of beats, and beats since. */
  private sunk = 0;
  private sinceSunk = 0;
  /** Beats in a row that took turns with another wave too close to them; the false wave's outline, and beats it is still known for. */
  private turns = 0;
  private readonly echo = new Float64Array(SHAPE_LENGTH);
  private echoKnownFor = 0;
  /** Half-way between the two waves' sharp energies, and the last change of it. */
  private echoSharp = 0;
  private lastChange = 0;
  private louder = 0;
  private hasMain = false;
  private hasOdd = false;
  private sinceMain = 0;
  private turn = 0;

  /** A new session: positions start at 0 again; levels, rhythm and shapes stay, and are corrected quickly. */
  restart(): void {
    this.lastBeat = -this.rr;
    this.rr0 = this.rr;
    this.rr1 = this.rr;
    this.rr2 = this.rr;
    this.beats = 0;
    this.turns = 0;
    this.echoKnownFor = 0;
  }

  /** First guess from the greatest values of the first seconds (logs). 0.2 below: the greatest is above the usual beat. */
  begin(
    greatestEnergy: number,
    greatestSlow: number,
    greatestSteep: number,
    greatestSharp: number,
    roughness: number,
  ): void {
    this.energy = greatestEnergy - 0.2;
    this.slow = greatestSlow - 0.2;
    this.steep = greatestSteep - 0.2;
    this.sharp = greatestSharp - 0.2;
    this.sunk = 0;
    this.lastEnergy = this.energy;
    this.energyBefore = this.energy;
    this.lastSharp = this.sharp;
    this.energyAtBeat = this.energy;
    this.other = this.energy - 2.5;
    this.roughness = roughness;
    this.ready = true;
  }

  /** Takes an accepted beat at index `c`. Returns where its outline lies if it is the usual one, else -1. */
  accept(front: FrontEnd, c: number, m: Measurement): number {
    const young = this.beats < YOUNG_BEATS;
    const step = young ? 0.3 : 0.13;
    this.rise(m.eA);
    this.louder = m.eA - this.energy > LOUDER ? this.louder + 1 : 0;
    if (this.louder >= LOUDER_BEATS) this.begin(m.eA, m.eB, m.eS, m.eC, this.roughness);
    this.energy += step * limit(m.eA - this.energy, -1.5, 0.7);
    this.slow += step * limit(m.eB - this.slow, -1.5, 0.7);
    this.steep += step * limit(m.eS - this.steep, -1.5, 0.7);
    this.sharp += step * limit(m.eC - this.sharp, -1.5, 0.7);
    this.energyBefore = this.lastEnergy;
    this.lastEnergy = m.eA;
    this.takeTurns(c - this.lastBeat, m);
    this.lastSharp = m.eC;
    this.energyAtBeat = this.energy;
    if (this.beats > 0) {
      this.aftermath.learn(front, this.lastBeat, c, this.energy);
      this.takeInterval(c - this.lastBeat);
    }
    this.lastBeat = c;
    this.beats++;
    return this.learnShape(m, young ? 0.3 : 0.1);
  }

  /** Takes a rejected candidate's energy (ln). */
  reject(eA: number): void {
    this.other += 0.1 * limit(eA - this.other, -2, 1);
  }

  /** The judge's doubt about a candidate with probability `p`. */
  feelDoubt(p: number): void {
    this.doubt += 0.12 * (2 * (p < 0.5 ? p : 1 - p) - this.doubt);
  }

  feelRoughness(value: number): void {
    this.roughness += 0.03 * (logOf(value) - this.roughness);
  }

  /** No beat for long: beats may have become smaller. Levels sink by `by`, down to a little above what is not a beat. */
  decay(by: number): void {
    if (this.energy <= this.other + 0.5) return;
    this.sink(by);
    this.sunk += by;
    this.sinceSunk = 0;
  }

  /**
   * A beat with energy `eA`, soon after levels have sunk. If it is as large as beats were before, these have not become
   * smaller: the lead was off, or the heart paused.
   */
  private rise(eA: number): void {
    if (this.sunk === 0) return;
    if (eA > this.energy + this.sunk / 2) {
      this.sink(-this.sunk);
      this.sunk = 0;
    } else if (++this.sinceSunk >= YOUNG_BEATS) this.sunk = 0;
  }

  private sink(by: number): void {
    this.energy -= by;
    this.slow -= by;
    this.steep -= by;
    this.sharp -= by;
  }

  /** Whether a candidate is the blunt wave that was found to be counted with every beat. */
  isEcho(m: Measurement): boolean {
    return this.echoKnownFor > 0 && m.eC < this.echoSharp && m.outline.match(this.echo) > SAME_WAVE;
  }

  /** Looks for waves that take turns. `m` is the beat being accepted, `interval` the time since the last. */
  private takeTurns(interval: number, m: Measurement): void {
    if (this.echoKnownFor > 0) this.echoKnownFor--;
    const change = m.eC - this.lastSharp;
    const turned =
      Math.min(interval, this.rr0) < TOO_CLOSE && Math.abs(change) > BLUNTER && change > 0 !== this.lastChange > 0;
    this.lastChange = change;
    this.turns = turned ? this.turns + 1 : 0;
    if (this.turns < TAKES_TURNS || change > 0) return;
    m.outline.blendInto(this.echo, 1, 0);
    this.echoSharp = (m.eC + this.lastSharp) / 2;
    this.echoKnownFor = ECHO_BEATS;
    this.turns = 0;
  }

  /** Outline of the `back`th beat counted back, 1 the last, at most `RECENT`. */
  outlineBack(back: number): Float64Array {
    return this.recent[(this.turn + RECENT - back) % RECENT]!;
  }

  private takeInterval(interval: number): void {
    this.rr2 = this.rr1;
    this.rr1 = this.rr0;
    this.rr0 = interval;
    if (interval >= steps(2.2)) return;
    const rr = this.rr + 0.15 * (limit(interval, 0.6 * this.rr, 1.6 * this.rr) - this.rr);
    this.rr = limit(rr, steps(0.25), steps(1.8));
  }

  private learnShape(m: Measurement, step: number): number {
    const outline = m.outline;
    const recent = this.recent[this.turn]!;
    this.turn = (this.turn + 1) % RECENT;
    const likeness = this.hasMain ? outline.match(this.main) : -1;
    let place = -1;
    if (!this.hasMain || likeness >= SAME_SHAPE) {
      const shift = this.hasMain ? outline.bestShift : 0;
      place = m.centre + shift;
      outline.blendInto(this.main, this.hasMain ? step : 1, shift);
      m.sharpOutline.blendInto(this.mainSharp, this.hasMain ? step : 1, shift);
      this.learnSlow(m, this.hasMain ? step : 1);
      this.hasMain = true;
      this.sinceMain = 0;
    } else {
      this.sinceMain++;
      if (this.hasOdd) outline.match(this.odd);
      outline.blendInto(this.odd, this.hasOdd ? 0.35 : 1, this.hasOdd ? outline.bestShift : 0);
      this.hasOdd = true;
      if (this.sinceMain >= SWAP_AFTER) {
        this.swapShapes(m);
      }
    }
    outline.blendInto(recent, 1, 0);
    return place;
  }

  private learnSlow(m: Measurement, step: number): void {
    const t = this.mainSlow;
    for (let i = 0; i < SHAPE_LENGTH; i++) t[i] = t[i]! + step * (m.slowOutline[i]! - t[i]!);
    const norm = Math.sqrt(correlation(t, t));
    if (norm > 0) for (let i = 0; i < SHAPE_LENGTH; i++) t[i] = t[i]! / norm;
  }

  private swapShapes(m: Measurement): void {
    for (let i = 0; i < SHAPE_LENGTH; i++) {
      const t = this.main[i]!;
      this.main[i] = this.odd[i]!;
      this.odd[i] = t;
    }
    m.sharpOutline.blendInto(this.mainSharp, 1, 0);
    this.learnSlow(m, 1);
    this.sinceMain = 0;
    this.swaps++;
  }
}

export function limit(x: number, low: number, high: number): number {
  return Math.min(Math.max(x, low), high);
}
