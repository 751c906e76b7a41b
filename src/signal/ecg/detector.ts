import { FeatureMaker, LOOK_AHEAD } from './features.js';
import { Fiducial } from './fiducial.js';
import { FrontEnd, HISTORY, SILENCE } from './front-end.js';
import type { BeatJudge } from './judge.js';
import { Lead } from './lead.js';
import { isOvershadowed, isTheUsualBeat, standsAlone } from './plain-cases.js';
import { RapidTrain } from './rapid-train.js';
import { SearchBack } from './search-back.js';
import { logOf, Measurement, steps } from './shape.js';
import { BeatState } from './state.js';
import { shippedVerifier } from './verifier.js';

const MASK = HISTORY - 1;

/** Housekeeping (roughness, decay, search-back) every 125 ms. */
const TICK = 16;
/** No two beats within 156 ms. */
const REFRACTORY = 20;
/** Levels come from the greatest values of the first 2 s. */
const LEARN_FOR = steps(2);
/** Candidates that may wait for their look-ahead or for the first levels. At most one in 11 samples. */
const QUEUE = 64;
/** A candidate is dropped unheard when both its energies are this far (ln) below the usual beat's. */
const HOPELESS = Math.exp(-2.7);
const HOPELESS_SLOW = Math.exp(-2);
/** What is reported of a beat that the network was not asked about. */
const USUAL_CONFIDENCE = 0.99;
/** What is reported of a beat that only the train it stands in speaks for. */
const TRAIN_CONFIDENCE = 0.6;
/** What the network all but excludes is not accepted for standing alone. */
const NOT_OUT_OF_THE_QUESTION = 1e-3;
/** Two R peaks are at least this many detector samples apart. */
const PEAKS_APART = 13;
/** Levels sink after 2.5 s and 1.9 RR without a beat, by 1.2 (ln) a second. */
const DECAY_AFTER = steps(2.5);
const DECAY_AFTER_RR = 1.9;
const DECAY_PER_TICK = (1.2 * TICK) / 128;

export interface EcgBeatDetectorOptions {
  /** Samples per second of the lead, 50 to 8000 (made for 100 to 1000). */
  readonly rateHz: number;
  /** Called for each beat, in time order. See `BeatHandler`. */
  readonly onBeat: BeatHandler;
  /** Who decides on a candidate. Left out: the trained verifier. */
  readonly judge?: BeatJudge;
}

/**
 * @param sample index of the R peak, counted from the first `push`
 * @param decidedAtSample index of the newest sample when it was decided
 * @param confidence the judge's probability, 0 to 1; at or below 0.5 when found by looking back
 */
export type BeatHandler = (sample: number, decidedAtSample: number, confidence: number) => void;

/**
 * A causal detector of heart beats in one ECG lead, of any unit, offset and polarity.
 *
 * The lead is brought to 128 Hz; nearly every bump of 5-20 Hz energy is a candidate; 0.41 s after it a small network says
 * from its ratios to the running state whether it is a beat. When a beat is overdue, rejected candidates get a second
 * hearing. Nothing is allocated per sample, and the output cannot depend on how the caller chunks its input: there is only
 * `push` of one value.
 */
export class EcgBeatDetector {
  private readonly onBeat: BeatHandler;
  private readonly judge: BeatJudge;
  private readonly lead: Lead;
  private readonly front = new FrontEnd();
  private readonly state = new BeatState();
  private readonly measurement = new Measurement();
  private readonly features = new FeatureMaker();
  private readonly fiducial = new Fiducial();
  private readonly searchBack = new SearchBack();
  private readonly train = new RapidTrain();
  private readonly waiting = new Float64Array(QUEUE);
  private waitingFrom = 0;
  private waitingTo = 0;
  /** Times of candidates heard, for counting those of the last 2 s. */
  private readonly heard = new Float64Array(QUEUE);
  private heardFrom = 0;
  private heardTo = 0;
  /** Greatest energy of each 125 ms, for the last 2 s. */
  private readonly greatest = new Float64Array(TICK);
  /** Where this session's signal first was more than silence; -1: not yet. */
  private soundSince = -1;
  private hopeless = 0;
  private hopelessSlow = 0;
  private lastPeak = -1;

  constructor(options: EcgBeatDetectorOptions) {
    this.onBeat = options.onBeat;
    this.judge = options.judge ?? shippedVerifier();
    this.lead = new Lead(options.rateHz);
  }

  /** Takes the next sample. One that is not finite counts, but is replaced by the last one that was. */
  push(value: number): void {
    if (!this.lead.push(value)) return;
    while (this.lead.next()) this.step();
  }

  /**
   * Samples were lost, or contact came back: what waits is forgotten, what was learnt is kept, and the next sample has no
   * past. Sample numbers go on counting pushes only.
   */
  gap(): void {
    this.endSession();
  }

  /** The lead has ended: decides at once on what still waits, as if the last value went on. A later `push` begins anew. */
  flush(): void {
    if (this.front.n >= 0) {
      const out = this.lead.out;
      out[0] = this.front.z[this.front.n & MASK]!;
      const extra = LOOK_AHEAD + 36 + (this.state.ready ? 0 : LEARN_FOR);
      for (let i = 0; i < extra; i++) this.step();
    }
    this.endSession();
  }

  private endSession(): void {
    this.lead.restart();
    this.front.restart();
    this.state.restart();
    this.searchBack.forget();
    this.train.forget();
    this.soundSince = -1;
    this.waitingFrom = 0;
    this.waitingTo = 0;
    this.heardFrom = 0;
    this.heardTo = 0;
    this.greatest.fill(0);
  }

  /** Takes the 128 Hz value in `lead.out`. */
  private step(): void {
    const front = this.front;
    const candidate = front.push(this.lead.out);
    if (candidate >= 0) this.enqueue(candidate);
    const n = front.n;
    if (!this.state.ready) this.learnLevels();
    if (this.state.ready) {
      while (this.waitingFrom !== this.waitingTo) {
        const c = this.waiting[this.waitingFrom & (QUEUE - 1)]!;
        if (c + LOOK_AHEAD > n) break;
        this.waitingFrom++;
        this.hear(c);
      }
    }
    if ((n & (TICK - 1)) === 0) this.tick();
  }

  private enqueue(c: number): void {
    if (this.waitingTo - this.waitingFrom === QUEUE) this.waitingFrom++;
    this.waiting[this.waitingTo++ & (QUEUE - 1)] = c;
  }

  /** First levels, from the first 2 s that are not silent. */
  private learnLevels(): void {
    const front = this.front;
    const n = front.n;
    if (this.soundSince < 0 && front.energy[(n - 21) & MASK]! > SILENCE) this.soundSince = n;
    if (this.soundSince < 0 || n - this.soundSince < LEARN_FOR - 21) return;
    let energy = 0;
    let slow = 0;
    let steep = 0;
    let sharp = 0;
    for (let k = n - LEARN_FOR; k <= n - 21; k++) {
      energy = Math.max(energy, front.energy[k & MASK]!);
      slow = Math.max(slow, front.slow[k & MASK]!);
      sharp = Math.max(sharp, front.sharp[k & MASK]!);
      steep = Math.max(steep, Math.abs(front.a[k & MASK]! - front.a[(k - 1) & MASK]!));
    }
    const roughness = logOf(front.roughness(n - LEARN_FOR / 2));
    this.state.begin(logOf(energy), logOf(slow), logOf(steep), logOf(sharp), roughness);
    this.levelsChanged();
  }

  /** Judges candidate `c`, whose look-ahead is complete. */
  private hear(c: number): void {
    const { front, state, measurement: m } = this;
    if (c - state.lastBeat <= REFRACTORY) return;
    if (front.energy[c & MASK]! < this.hopeless && front.slow[c & MASK]! < this.hopelessSlow) return;
    while (this.heardFrom !== this.heardTo && this.heard[this.heardFrom & (QUEUE - 1)]! < c - LEARN_FOR)
      this.heardFrom++;
    const crowd = this.heardTo - this.heardFrom;
    this.heard[this.heardTo++ & (QUEUE - 1)] = c;
    m.readEnergy(front, c);
    if (isOvershadowed(state, m)) {
      state.feelDoubt(0);
      state.reject(m.eA);
      return;
    }
    m.read(front, c);
    const inTrain = this.train.hear(state, c, m);
    if (state.isEcho(m)) {
      state.feelDoubt(0);
      state.reject(m.eA);
      return;
    }
    const likeness = m.outline.match(state.main);
    if (isTheUsualBeat(state, c, m, likeness)) {
      state.feelDoubt(1);
      this.accept(c, USUAL_CONFIDENCE);
      return;
    }
    this.features.make(front, state, c, m, likeness, crowd, this.greatestRecently());
    const p = this.judge.judge(this.features.values, this.nativeOf(c));
    state.feelDoubt(p);
    if (p > 0.5) {
      this.accept(c, p);
    } else if (p > NOT_OUT_OF_THE_QUESTION && standsAlone(state, c, m)) {
      this.accept(c, 0.5);
    } else if (inTrain) {
      this.acceptTrain();
    } else {
      state.reject(m.eA);
      this.searchBack.remember(c, p, m.eA);
    }
  }

  /** The network says no to the last wave of a train: it and those before it that are still out are beats all the same. */
  private acceptTrain(): void {
    const { waves, size } = this.train;
    for (let i = 0; i < size; i++) {
      const wave = waves[i]!;
      if (wave - this.state.lastBeat <= REFRACTORY) continue;
      // The measurement holds the last wave, unless an earlier one was read over it.
      if (size > 1) this.measurement.read(this.front, wave);
      this.accept(wave, TRAIN_CONFIDENCE);
    }
  }

  /** `measurement` holds candidate `c`. */
  private accept(c: number, p: number): void {
    const swaps = this.state.swaps;
    const place = this.state.accept(this.front, c, this.measurement);
    if (this.state.swaps !== swaps) this.fiducial.forgetVotes();
    this.levelsChanged();
    this.searchBack.passed(c);
    this.fiducial.find(this.front, c, this.state.beats > 1 ? this.lastPeakStep + PEAKS_APART : 0, place);
    this.lastPeakStep = this.fiducial.at;
    const per = this.lead.samplesPerStep;
    const centre = this.lead.start + this.fiducial.at * per;
    let sample = this.lead.extremum(centre, 1.2 * per, this.fiducial.up);
    if (sample <= this.lastPeak) sample = Math.min(this.lastPeak + 1, this.lead.pushed - 1);
    this.lastPeak = sample;
    this.onBeat(sample, this.lead.pushed - 1, p);
  }

  private lastPeakStep = 0;

  private nativeOf(c: number): number {
    return this.lead.start + Math.round(c * this.lead.samplesPerStep);
  }

  private levelsChanged(): void {
    this.hopeless = Math.exp(this.state.energy) * HOPELESS;
    this.hopelessSlow = Math.exp(this.state.slow) * HOPELESS_SLOW;
  }

  private greatestRecently(): number {
    let top = 0;
    for (let i = 0; i < TICK; i++) if (this.greatest[i]! > top) top = this.greatest[i]!;
    return top;
  }

  /** Every 125 ms. Candidates up to `now` have been judged. */
  private tick(): void {
    const { front, state } = this;
    const now = front.n - LOOK_AHEAD;
    let top = 0;
    for (let k = now; k > now - TICK; k--) if (front.energy[k & MASK]! > top) top = front.energy[k & MASK]!;
    this.greatest[(front.n / TICK) & (TICK - 1)] = top;
    if (!state.ready || now < 0) return;
    state.feelRoughness(front.roughness(now));
    const since = now - state.lastBeat;
    if (since > DECAY_AFTER && since > DECAY_AFTER_RR * state.rr) {
      state.decay(DECAY_PER_TICK);
      this.levelsChanged();
    }
    const c = this.searchBack.find(state, now);
    if (c < 0) return;
    this.measurement.read(front, c);
    this.accept(c, this.searchBack.found);
  }
}
