import type { AlarmSettings } from '../../config/alarms.js';
import type { Beat, BeatScores } from '../../domain/beat.js';
import type { StreamMs } from '../../domain/clock.js';
import type { BeatHistory } from '../beats.js';
import { type Finding, type Rule, type RuleState, round3 } from '../rule.js';
import type { AlarmView } from '../view.js';
import { median } from '../waveform.js';

/** The window slides in steps of a thirtieth of itself. */
const BUCKETS = 30;
/**
 * A beat counts only among beats of a heart: of the last so many, the middle one repeats the outline of one of the four before it
 * this well. An ectopic beat repeats none of its neighbours, they repeat one another; in noise none does. Chosen on mitdb DS1 with
 * the first halves of nstdb's noise added: of 18 false alerts 5 are left, all of the 24 episodes found before are found. (nstdb's
 * own 6 stay. To count only where the signal has been good for 5 or 10 s on both sides was tried: it adds nothing. That ectopic beats
 * leave no more beats than usual was tried in two ways: each loses true episodes, see docs/alarms.md.)
 */
const AMONG = { beats: 8, repeat: 0.9 } as const;

/**
 * Share of ectopic beats among the classified beats of a window. More than 15 % is what the 2017 AHA/ACC/HRS guideline
 * on ventricular arrhythmias calls frequent premature ventricular complexes (the level that may weaken the heart).
 */
export class FrequentEctopy implements Rule {
  readonly kind = 'frequent-ectopy';
  readonly needs = 'good-signal';
  readonly clearMs: number;
  private readonly bucketMs: number;
  /** Number of the bucket each slot holds now; slots are reused as time goes on. */
  private readonly numbers = new Float64Array(BUCKETS).fill(-1);
  private readonly all = new Float64Array(BUCKETS);
  private readonly ventricular = new Float64Array(BUCKETS);
  private readonly supraventricular = new Float64Array(BUCKETS);
  private readonly firstEctopicMs = new Float64Array(BUCKETS);
  private originMs: StreamMs | null = null;

  constructor(private readonly settings: AlarmSettings['frequent-ectopy']) {
    this.clearMs = settings.clearMs;
    this.bucketMs = settings.windowMs / BUCKETS;
  }

  scores(beat: Beat, scores: BeatScores, view: AlarmView): void {
    const back = view.beats.backOf(beat.tMs);
    if (!view.signalGood || back < 0 || !view.beats.isTrusted(back) || !isAmongBeats(view.beats, back)) return;
    this.originMs ??= beat.tMs;
    const number = Math.floor((beat.tMs - this.originMs) / this.bucketMs);
    if (number < 0) return;
    const slot = number % BUCKETS;
    if (number < this.numbers[slot]!) return;
    if (this.numbers[slot] !== number) {
      this.numbers[slot] = number;
      this.all[slot] = 0;
      this.ventricular[slot] = 0;
      this.supraventricular[slot] = 0;
      this.firstEctopicMs[slot] = Number.POSITIVE_INFINITY;
    }
    this.all[slot]!++;
    const ventricular = scores.class === 'V';
    const supraventricular = scores.class === 'S';
    if (ventricular) this.ventricular[slot]!++;
    if (supraventricular) this.supraventricular[slot]!++;
    if (ventricular || (supraventricular && this.settings.countSupraventricular)) {
      this.firstEctopicMs[slot] = Math.min(this.firstEctopicMs[slot]!, beat.tMs);
    }
  }

  state(view: AlarmView): RuleState {
    const { all, share } = this.sum(view.nowMs);
    if (all < this.settings.minBeats) return 'blind';
    if (share >= this.settings.on) return 'present';
    return share < this.settings.off ? 'absent' : 'holding';
  }

  finding(view: AlarmView): Finding {
    const { all, share, ventricular, supraventricular, firstMs } = this.sum(view.nowMs);
    return {
      onsetMs: Number.isFinite(firstMs) ? firstMs : view.nowMs,
      values: { share: round3(share), beats: all, ventricular, supraventricular },
    };
  }

  reset(): void {
    this.numbers.fill(-1);
  }

  private sum(nowMs: StreamMs) {
    const newest = this.originMs === null ? 0 : Math.floor((nowMs - this.originMs) / this.bucketMs);
    let all = 0;
    let ventricular = 0;
    let supraventricular = 0;
    let firstMs = Number.POSITIVE_INFINITY;
    for (let slot = 0; slot < BUCKETS; slot++) {
      if (this.numbers[slot]! < 0 || this.numbers[slot]! <= newest - BUCKETS) continue;
      all += this.all[slot]!;
      ventricular += this.ventricular[slot]!;
      supraventricular += this.supraventricular[slot]!;
      firstMs = Math.min(firstMs, this.firstEctopicMs[slot]!);
    }
    const ectopic = ventricular + (this.settings.countSupraventricular ? supraventricular : 0);
    return { all, share: all === 0 ? 0 : ectopic / all, ventricular, supraventricular, firstMs };
  }
}

/** Whether the beats up to this one are of a heart: most repeat the outline of one before them. */
function isAmongBeats(beats: BeatHistory, back: number): boolean {
  if (Number.isNaN(beats.leak(back))) return true;
  const best: number[] = [];
  for (let earlier = back; earlier < Math.min(back + AMONG.beats, beats.length); earlier++) {
    const alike = beats.bestAlike(earlier);
    if (!Number.isNaN(alike)) best.push(alike);
  }
  return median(best) > AMONG.repeat;
}
