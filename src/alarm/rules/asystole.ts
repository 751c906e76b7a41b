import type { AlarmSettings } from '../../config/alarms.js';
import type { Beat } from '../../domain/beat.js';
import type { StreamMs } from '../../domain/clock.js';
import type { ShockableVerdict } from '../../domain/shockable.js';
import type { BeatHistory } from '../beats.js';
import { RecentBeats, showsHeart } from '../heart-seen.js';
import type { Finding, Rule, RuleState } from '../rule.js';
import type { AlarmView } from '../view.js';

/**
 * A line that stays below this share of the height this heart usually draws holds no QRS, whatever the detector makes of
 * the waves that are left. In the windows of vfdb and svdb without asystole 0.02 % are so low (the fine end of fibrillation
 * and electrodes that come off), of those in asystole 16 %: the others are taller than a quarter, and left to the beats.
 */
const QUIET = { share: 0.25, looks: 2, freshMs: 2_500 } as const;
/** What is usual must be a heart's: so many beats that show one, drawn near that height. */
const TALL_BEATS = 10;
/** Silence after "beats" of which none was seen to be a heart's must last longer by this: what noise leaves behind is learnt by then. */
const UNPROVEN_MS = 6_000;
/**
 * What is usual may have been learnt from noise: when that ends, the heart itself is the low line. Then its beats are there, and
 * repeat one another, though the signal is not called good yet.
 */
const SEEN = { beats: 3, repeat: 0.95 } as const;
/** A line with one of these faults is no line of a heart. */
const NO_SIGNAL = /flat|clipped|not-a-number|gap/;

/**
 * "No QRS for at least four seconds": Clifford et al., The PhysioNet/Computing in Cardiology Challenge 2015. Counted on
 * the data and not on the clock, so that a link that stops is never a heart that stops; counted from the last beat, or
 * from the moment the signal became good when there was no beat since.
 */
export class Asystole implements Rule {
  readonly kind = 'asystole';
  readonly needs = 'good-signal';
  readonly clearMs: number;
  private saidAtMs: StreamMs | null = null;
  private saidOnsetMs: StreamMs = 0;
  private withdrawn = false;
  private quietLooks = 0;
  private quietSinceMs: StreamMs = 0;
  private quietLookMs: StreamMs = 0;
  private lastLookMs: StreamMs = Number.NEGATIVE_INFINITY;
  private lastShare = 1;
  private readonly tallBeats = new RecentBeats();

  constructor(private readonly settings: AlarmSettings['asystole']) {
    this.clearMs = settings.clearMs;
  }

  beat(beat: Beat, view: AlarmView): void {
    const isTall = this.quietLooks === 0 && this.lastShare >= QUIET.share;
    if (isTall && view.signalGood && showsHeart(view.beats)) this.tallBeats.add(beat.tMs);
    // A beat that the detector told of too late: it lies in the very silence that was called asystole.
    if (this.saidAtMs === null) return;
    const isLate = beat.tMs - this.saidOnsetMs < this.settings.afterMs && beat.tMs > this.saidOnsetMs;
    if (isLate && this.quietLooks === 0) this.withdrawn = true;
    this.saidAtMs = null;
  }

  shockable({ tMs, windowStartMs, heightShare }: ShockableVerdict, view: AlarmView): void {
    if (tMs < this.lastLookMs || heightShare === undefined) return;
    const isHeart = this.tallBeats.count(tMs) >= TALL_BEATS;
    const isLine = view.hasContact && windowStartMs >= view.contactSinceMs && !NO_SIGNAL.test(view.qualityReasons);
    const isQuiet = heightShare < QUIET.share && isHeart && isLine;
    this.lastShare = heightShare;
    if (!isQuiet || tMs - this.lastLookMs > QUIET.freshMs) this.quietLooks = 0;
    this.lastLookMs = tMs;
    if (isQuiet && this.quietLooks++ === 0) {
      this.quietSinceMs = windowStartMs;
      this.quietLookMs = tMs;
    }
  }

  /**
   * A quiet line is one in poor signal too: whatever disturbs it is smaller than a QRS. A beat out of good signal after
   * the first low window ends the silence, though the height of the next may still be small.
   */
  seesThrough(view: AlarmView): boolean {
    if (this.quietLooks < QUIET.looks || view.nowMs - this.lastLookMs > QUIET.freshMs) return false;
    if (hasHeart(view.beats, this.quietSinceMs)) return false;
    return view.beats.countSince(this.quietLookMs) === 0 && view.hasContact && view.silenceIsEvidence;
  }

  state(view: AlarmView): RuleState {
    if (this.seesThrough(view)) return 'present';
    if (this.withdrawn) {
      this.withdrawn = false;
      return 'withdrawn';
    }
    const goodSinceMs = view.goodSinceMs ?? view.nowMs;
    const beatSince = view.lastBeatMs >= goodSinceMs;
    const { afterMs, startGraceMs } = this.settings;
    const unprovenMs = beatSince && !view.hasSeenHeart ? UNPROVEN_MS : 0;
    const neededMs = afterMs + (beatSince ? view.detectorDelayMs + unprovenMs : startGraceMs);
    if (!view.silenceIsEvidence) return 'blind';
    if (view.deviceClaimsBeats) return 'absent';
    if (view.dataUntilMs - Math.max(view.lastBeatMs, goodSinceMs) < neededMs) return beatSince ? 'absent' : 'holding';
    if (this.saidAtMs === null) {
      this.saidAtMs = view.nowMs;
      this.saidOnsetMs = Math.max(view.lastBeatMs, goodSinceMs);
    }
    return 'present';
  }

  finding(view: AlarmView): Finding {
    if (this.seesThrough(view)) {
      const onsetMs = this.quietSinceMs;
      return { onsetMs, values: { noBeatForMs: Math.round(view.dataUntilMs - onsetMs), by: 'height' } };
    }
    const onsetMs = Math.max(view.lastBeatMs, view.goodSinceMs ?? view.nowMs);
    return { onsetMs, values: { noBeatForMs: Math.round(view.dataUntilMs - onsetMs) } };
  }

  reset(): void {
    this.saidAtMs = null;
    this.withdrawn = false;
    this.quietLooks = 0;
  }
}

/** Whether the beats since a time show a heart by themselves: so many that repeat the outline of one before them. */
function hasHeart(beats: BeatHistory, sinceMs: StreamMs): boolean {
  let seen = 0;
  for (let back = 0; back < beats.length && beats.tMs(back) > sinceMs; back++) {
    if (beats.bestAlike(back) > SEEN.repeat) seen++;
  }
  return seen >= SEEN.beats;
}
