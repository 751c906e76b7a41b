import { alarmSettingsSchema } from '../../../config/alarms.js';
import { type AlertKind, HEALTH_KINDS } from '../../../domain/alert.js';
import { type Annotation, aamiClass, isBeatSymbol } from '../../wfdb/index.js';

/** A stretch of a record, seconds from its start. */
export interface Span {
  readonly startS: number;
  readonly endS: number;
}

/** What a reference says of one record. */
export interface Truth {
  readonly hours: number;
  /** Where an alert of the kind is right: the definition with a little room (a beat, 5/min), so that no hair is split. */
  readonly right: Partial<Record<AlertKind, readonly Span[]>>;
  /** Where an alert of the kind is false by its name alone: the reference has a rhythm there that is its next of kin. */
  readonly akin?: Partial<Record<AlertKind, readonly Span[]>>;
  /** What must be found, by the definition itself. */
  readonly episodes: Partial<Record<AlertKind, readonly Span[]>>;
  /** Kinds the reference can say "false" of. */
  readonly judged: ReadonlySet<AlertKind>;
  /** Normal rhythm throughout: its false alerts are those of a healthy day. */
  readonly normal: boolean;
}

export interface ReferenceBeat {
  readonly tS: number;
  /** AAMI class, or its absence where only times are known. */
  readonly aami: string | null;
}

/** The shipped limits, which the reference goes by as well. */
export const limits = alarmSettingsSchema.parse({});
/** Room of the rates, beats per minute. */
export const NEAR_BPM = 5;
/** A longer interval in a list of beats without a signal is a hole of the annotation. */
const LONGEST_BARE_RR_S = 3;
/** Most ectopic beats of a record that still counts as normal rhythm. */
const NORMAL_ECTOPIC_SHARE = 0.05;
export const AF_EPISODE_S = 120;
const VF_EPISODE_S = 4;

const VF_WORDS = /^\((VF|VFL|VFIB)\b/;
const VT_WORDS = /^\(VT\b/;
/** vfdb: high-grade ventricular ectopic activity, whose runs it does not mark one by one. */
const ECTOPIC_WORDS = /^\(HGEA\b/;

/** Truth from annotated beats and rhythm changes. @param rhythm null: none is annotated */
export function truthOf(
  beats: readonly ReferenceBeat[],
  rhythm: readonly Annotation[] | null,
  options: { rateHz: number; endS: number; signal: boolean; afJudged: boolean; normalByDatabase?: boolean },
): Truth {
  const { rateHz, endS, signal } = options;
  const spans = rhythm ? rhythmSpans(rhythm, rateHz, endS) : [];
  const words = (pattern: RegExp) => merge(spans.filter(({ aux }) => pattern.test(aux)));
  const rr = intervals(beats, signal);
  const vf = words(VF_WORDS);
  const vt = words(VT_WORDS);
  const asystoleWords = words(/^\(ASYS/);
  const afib = words(/^\(AFIB/);
  const afAny = words(/^\((AFIB|AFL)/);
  const tachy = limits['extreme-tachycardia'];
  const brady = limits['extreme-bradycardia'];
  const rate = (n: number, bpm: number, side: 1 | -1) => rateSpans(rr, n, bpm, side);
  const sustained = (all: Span[], ms: number) => all.filter(({ startS, endS: e }) => e - startS >= ms / 1000);
  const lethal = [...vf, ...vt, ...asystoleWords];
  const long = (afterS: number, beforeS = Infinity) =>
    rr.filter(({ rrS }) => rrS >= afterS && rrS < beforeS).map(({ startS, endS: e }) => ({ startS, endS: e }));
  const runs = ventricularRuns(
    beats,
    limits['ventricular-tachycardia'].beats,
    limits['ventricular-tachycardia'].aboveBpm,
  );
  const nearRuns = ventricularRuns(
    beats,
    limits['ventricular-tachycardia'].beats - 1,
    limits['ventricular-tachycardia'].aboveBpm - NEAR_BPM,
  );
  const ectopy = limits['frequent-ectopy'];
  const pauseS = limits.pause.afterMs / 1000;
  const asystoleS = limits.asystole.afterMs / 1000;
  const ectopic = beats.filter(({ aami }) => aami !== null && aami !== 'N').length;
  const rhythmNormal = spans.every(({ aux }) => /^\((N|SBR|NSR)\b/.test(aux));
  const fast = (n: number, bpm: number) => rate(n, bpm, 1);
  const slow = (n: number, bpm: number) => rate(n, bpm, -1);
  return {
    hours: endS / 3600,
    right: {
      asystole: signal ? [...long(asystoleS - 0.5), ...asystoleWords] : [],
      pause: signal ? [...long(pauseS - 0.3), ...asystoleWords] : [],
      'extreme-tachycardia': [...fast(tachy.beats - 1, tachy.aboveBpm - NEAR_BPM), ...vt, ...vf],
      tachycardia: [...fast(8, limits.tachycardia.aboveBpm - NEAR_BPM), ...vt, ...vf],
      'extreme-bradycardia': [...slow(brady.beats - 1, brady.belowBpm + NEAR_BPM), ...asystoleWords],
      bradycardia: [...slow(4, limits.bradycardia.belowBpm + NEAR_BPM), ...asystoleWords],
      'ventricular-tachycardia': [...nearRuns, ...vt, ...vf],
      'ventricular-fibrillation': vf,
      'atrial-fibrillation': afAny,
      'frequent-ectopy': ectopySpans(beats, ectopy.windowMs / 1000, ectopy.off, ectopy.minBeats),
    },
    akin: { 'ventricular-fibrillation': vt, 'ventricular-tachycardia': words(ECTOPIC_WORDS) },
    episodes: {
      asystole: signal ? merge([...long(asystoleS), ...asystoleWords.filter(longerThan(asystoleS))]) : [],
      pause: signal ? long(pauseS, asystoleS) : [],
      'extreme-tachycardia': fast(tachy.beats - 1, tachy.aboveBpm),
      tachycardia: sustained(fast(8, limits.tachycardia.aboveBpm), limits.tachycardia.sustainMs),
      'extreme-bradycardia': slow(brady.beats - 1, brady.belowBpm),
      bradycardia: sustained(slow(4, limits.bradycardia.belowBpm), limits.bradycardia.sustainMs),
      'ventricular-tachycardia': merge([...runs, ...vt.filter(longerThan(3))]),
      'ventricular-fibrillation': vf.filter(longerThan(VF_EPISODE_S)),
      'atrial-fibrillation': afib.filter(longerThan(AF_EPISODE_S)),
      'frequent-ectopy': ectopySpans(beats, ectopy.windowMs / 1000, ectopy.on, ectopy.minBeats),
    },
    judged: new Set(HEALTH_KINDS.filter((kind) => kind !== 'atrial-fibrillation' || options.afJudged)),
    normal:
      options.normalByDatabase ??
      (rhythm !== null && rhythmNormal && lethal.length === 0 && ectopic <= NORMAL_ECTOPIC_SHARE * beats.length),
  };
}

/** Truth of a record whose annotations are rhythms alone (vfdb): rates and beats cannot be judged by it. */
export function truthOfRhythm(rhythm: readonly Annotation[], rateHz: number, endS: number): Truth {
  const all = truthOf([], rhythm, { rateHz, endS, signal: true, afJudged: true });
  const judged = ['asystole', 'ventricular-tachycardia', 'ventricular-fibrillation', 'atrial-fibrillation'] as const;
  return { ...all, judged: new Set(judged), normal: false };
}

/** Beats of an annotation file. */
export function referenceBeatsOf(annotations: readonly Annotation[], rateHz: number): ReferenceBeat[] {
  return annotations
    .filter(({ symbol }) => isBeatSymbol(symbol) || symbol === '!')
    .map(({ sample, symbol }) => ({ tS: sample / rateHz, aami: symbol === '!' ? 'V' : aamiClass(symbol) }));
}

interface Interval extends Span {
  readonly rrS: number;
}

function intervals(beats: readonly ReferenceBeat[], signal: boolean): Interval[] {
  const out: Interval[] = [];
  for (let i = 1; i < beats.length; i++) {
    const rrS = beats[i]!.tS - beats[i - 1]!.tS;
    out.push({
      startS: beats[i - 1]!.tS,
      endS: beats[i]!.tS,
      rrS: !signal && rrS > LONGEST_BARE_RR_S ? Number.NaN : rrS,
    });
  }
  return out;
}

/** Where the mean of `n` intervals is beyond a rate (1: above, -1: below). */
function rateSpans(rr: readonly Interval[], n: number, bpm: number, side: 1 | -1): Span[] {
  const out: Span[] = [];
  for (let i = n - 1; i < rr.length; i++) {
    let sum = 0;
    for (let j = i - n + 1; j <= i; j++) sum += rr[j]!.rrS;
    const rate = (60 * n) / sum;
    if ((rate - bpm) * side > 0) out.push({ startS: rr[i - n + 1]!.startS, endS: rr[i]!.endS });
  }
  return merge(out);
}

function ventricularRuns(beats: readonly ReferenceBeat[], least: number, aboveBpm: number): Span[] {
  const out: Span[] = [];
  for (let first = 0; first < beats.length; ) {
    let next = first;
    while (next < beats.length && beats[next]!.aami === 'V') next++;
    const span = { startS: beats[first]!.tS, endS: beats[Math.max(first, next - 1)]!.tS };
    if (next - first >= least && (60 * (next - first - 1)) / (span.endS - span.startS) > aboveBpm) out.push(span);
    first = Math.max(next, first + 1);
  }
  return out;
}

/** Windows in which the share of ventricular beats is at least `share`. */
function ectopySpans(beats: readonly ReferenceBeat[], windowS: number, share: number, least: number): Span[] {
  const out: Span[] = [];
  let first = 0;
  let ventricular = 0;
  for (let i = 0; i < beats.length; i++) {
    if (beats[i]!.aami === 'V') ventricular++;
    while (beats[i]!.tS - beats[first]!.tS > windowS) if (beats[first++]!.aami === 'V') ventricular--;
    const all = i - first + 1;
    if (all >= least && ventricular / all >= share) out.push({ startS: beats[first]!.tS, endS: beats[i]!.tS });
  }
  return merge(out);
}

function rhythmSpans(annotations: readonly Annotation[], rateHz: number, endS: number): (Span & { aux: string })[] {
  const changes = annotations.filter(({ symbol, aux }) => symbol === '+' && aux.startsWith('('));
  const spans = changes.map(({ aux, sample }, i) => ({
    aux,
    startS: sample / rateHz,
    endS: i + 1 < changes.length ? changes[i + 1]!.sample / rateHz : endS,
  }));
  // Flutter between its own marks, where the database has them ([ and ] of mitdb 207).
  let openS: number | null = null;
  for (const { symbol, sample } of annotations) {
    if (symbol === '[') openS = sample / rateHz;
    if (symbol === ']' && openS !== null) {
      spans.push({ aux: '(VFL', startS: openS, endS: sample / rateHz });
      openS = null;
    }
  }
  return spans.sort((a, b) => a.startS - b.startS);
}

/** Overlapping or touching spans as one. */
export function merge(spans: readonly Span[]): Span[] {
  const out: { startS: number; endS: number }[] = [];
  for (const { startS, endS } of [...spans].sort((a, b) => a.startS - b.startS)) {
    const last = out.at(-1);
    if (last && startS <= last.endS + 1e-6) last.endS = Math.max(last.endS, endS);
    else out.push({ startS, endS });
  }
  return out;
}

const longerThan = (leastS: number) => (span: Span) => span.endS - span.startS >= leastS;
