import type { AlarmSettings } from '../../config/alarms.js';
import type { Beat, BeatScores } from '../../domain/beat.js';
import type { StreamMs } from '../../domain/clock.js';
import type { ShockableVerdict } from '../../domain/shockable.js';
import type { BeatHistory } from '../beats.js';
import { type Finding, type Rule, type RuleState, round1, round3 } from '../rule.js';
import { ShockableEvidence } from '../shockable-evidence.js';
import type { AlarmView } from '../view.js';
import { type HeartWave, waveformBearsOut } from '../waveform.js';

/**
 * Consecutive intervals of a ventricular tachycardia are alike, in the polymorphic kind too; a missed beat doubles one
 * and a T wave taken for a beat halves one. What noise makes is far less even: an interval beyond this factor of the
 * stretch's median is no part of a run.
 */
const EVENNESS = 2.2;
/**
 * In a run of alternating intervals (bigeminal, or an exit block) the long ones are at most so much longer. Beats made of noise, or of
 * QRS and T wave by turns, alternate more: 1.9 in nstdb at -6 dB, 1.4 in the slow tachycardia of mitdb 223, where this was chosen.
 */
const ALTERNATING = 1.6;
/**
 * Noise has fooled both detector and model before; the waveform itself must look like a tachycardia as well. Either the beats of
 * the stretch repeat one another's outline (the middle of their pairs' correlations), as those of one origin do, or the
 * last four seconds come near a sine wave, as they do where the shape turns (torsades) or the rate leaves no baseline.
 * Chosen on mitdb DS1 with nstdb's noise added, vfdb and svdb (`docs/alarms.md`): runs of "ventricular beats" in noise have
 * neither, no true run that was found before is lost.
 */
const VENTRICULAR_WAVE: HeartWave = { sameOrigin: 0.9, nearSine: 0.65 };
/** Without a classified beat for this long there is no evidence of anything: the model is away. */
const FRESH_MS = 10_000;

/**
 * "5 or more ventricular beats with heart rate higher than 100 bpm": Clifford et al., The PhysioNet/Computing in
 * Cardiology Challenge 2015. Consecutive beats, every one from good signal and called ventricular by the model: a single
 * one never alarms. The rate is that of the intervals inside the run; more than half of them must be that short by
 * themselves (see `ALTERNATING`), they must be alike, and the model must be sure of the beats on the whole: five doubtful words in
 * noise are no run. And the waveform must bear it out, see `VENTRICULAR_WAVE`.
 *
 * A fast tachycardia of changing shape hides its beats from any detector: there the shockable model's word on the wave
 * itself is as good, and then the rate is where its spectrum peaks.
 */
export class VentricularTachycardia implements Rule {
  readonly kind = 'ventricular-tachycardia';
  readonly needs = 'contact';
  readonly clearMs: number;
  /** A run was found since `state` was last asked. */
  private found = false;
  /** The newest classified beat ends such a run. */
  private running = false;
  private newestScoredMs: StreamMs = Number.NEGATIVE_INFINITY;
  private newestIsVentricular = false;
  private onsetMs: StreamMs = 0;
  private beats = 0;
  private rateBpm = 0;
  private score = 0;

  private readonly wave: ShockableEvidence;
  /** What the last `present` rested on. */
  private byWave = false;

  constructor(
    private readonly settings: AlarmSettings['ventricular-tachycardia'],
    shockable: AlarmSettings['ventricular-fibrillation'],
  ) {
    this.clearMs = settings.clearMs;
    this.wave = new ShockableEvidence(shockable);
  }

  shockable(verdict: ShockableVerdict, view: AlarmView): void {
    this.wave.take(verdict, view);
  }

  scores(beat: Beat, scores: BeatScores, view: AlarmView): void {
    const back = view.beats.backOf(beat.tMs);
    if (back < 0) return;
    const newest = beat.tMs >= this.newestScoredMs;
    if (newest) {
      this.newestScoredMs = beat.tMs;
      this.newestIsVentricular = scores.class === 'V';
      this.running = false;
    }
    if (!isEvidence(view.beats, back)) return;
    // Answers may come out of order: the run is looked for on both sides of the beat they are about.
    let first = back;
    while (view.beats.hasInterval(first) && isEvidence(view.beats, first + 1)) first++;
    let last = back;
    while (last > 0 && view.beats.hasInterval(last - 1) && isEvidence(view.beats, last - 1)) last--;
    const beats = first - last + 1;
    if (beats < this.settings.beats) return;
    const span = this.settings.beats - 1;
    // Somewhere around this beat there must be a stretch of the defined length that is a run in itself.
    let found = false;
    for (let newest = Math.max(last, back - span); newest + span <= first && newest <= back; newest++) {
      found ||= this.isRun(view.beats, newest, newest + span);
    }
    if (!found) return;
    this.found = true;
    this.running = view.beats.tMs(last) >= this.newestScoredMs;
    this.onsetMs = view.beats.tMs(first);
    this.beats = beats;
    this.rateBpm = ((beats - 1) * 60_000) / (view.beats.tMs(last) - view.beats.tMs(first));
    this.score = meanScore(view.beats, last, first);
  }

  /** Whether the beats from `oldest` to `newest` (both beats back) are fast, even and surely ventricular. */
  private isRun(beats: BeatHistory, newest: number, oldest: number): boolean {
    const { aboveBpm, minScore } = this.settings;
    const intervals = oldest - newest;
    const rateBpm = (intervals * 60_000) / (beats.tMs(newest) - beats.tMs(oldest));
    if (!(rateBpm > aboveBpm) || meanScore(beats, newest, oldest) < minScore) return false;
    const rrMs = Array.from({ length: intervals }, (_, i) => beats.rrMs(newest + i)).sort((a, b) => a - b);
    const [shortest, longest] = [rrMs[0]!, rrMs[intervals - 1]!];
    // The upper middle one of an even number: more than half are shorter. Where intervals alternate that is the longer kind.
    const upperMs = rrMs[intervals >> 1]!;
    const middleMs = (rrMs[(intervals - 1) >> 1]! + upperMs) / 2;
    const medianMs = longest <= shortest * ALTERNATING ? middleMs : upperMs;
    const even = shortest * EVENNESS >= medianMs && longest <= medianMs * EVENNESS;
    return medianMs * aboveBpm < 60_000 && even && waveformBearsOut(beats, newest, oldest, VENTRICULAR_WAVE);
  }

  state(view: AlarmView): RuleState {
    const byBeats = view.signalGood ? this.stateByBeats(view) : 'blind';
    this.byWave = byBeats !== 'present' && this.wave.found(view) === 'vt';
    if (this.byWave) return 'present';
    if (byBeats === 'present' || this.wave.isStale(view)) return byBeats;
    return this.wave.isRising || byBeats === 'holding' ? 'holding' : 'absent';
  }

  private stateByBeats(view: AlarmView): RuleState {
    if (this.found) {
      this.found = false;
      return 'present';
    }
    if (!(view.nowMs - this.newestScoredMs <= FRESH_MS)) return 'blind';
    if (this.running) return 'present';
    return this.newestIsVentricular ? 'holding' : 'absent';
  }

  finding(): Finding {
    if (this.byWave) {
      const { onsetMs, ratePerMinute, score } = this.wave;
      return {
        onsetMs,
        values: { rateBpm: Math.round(ratePerMinute), by: 'wave' },
        score: round3(score),
        slot: 'shockable',
      };
    }
    return {
      onsetMs: this.onsetMs,
      values: { beats: this.beats, rateBpm: round1(this.rateBpm) },
      score: round3(this.score),
    };
  }

  reset(): void {
    this.found = false;
    this.running = false;
    this.wave.reset();
  }
}

function meanScore(beats: BeatHistory, newest: number, oldest: number): number {
  let sum = 0;
  for (let at = newest; at <= oldest; at++) sum += beats.ventricularScore(at);
  return sum / (oldest - newest + 1);
}

function isEvidence(beats: BeatHistory, back: number): boolean {
  return back < beats.length && beats.isTrusted(back) && beats.classOf(back) === 'V';
}
