import { createHash } from 'node:crypto';
import { type Bundle, loadBundle } from '../../inference/bundle/load.js';
import { standardise } from '../../inference/windows/beat-ecg.js';
import { detectBeats } from '../beats/run.js';
import { beatArrays, CLASSES, FEATURE_COUNT, WINDOW_VALUES } from '../data/beat-records.js';
import { type BeatClassReport, newClassMatrix, reportOf } from '../evaluation/beat-classes.js';
import { matchBeats } from '../evaluation/beat-match.js';
import { type ExportVariant, exportBundle } from '../export/index.js';
import { spread } from '../export/read-variants.js';
import { decodeModel, type OnnxModel } from '../onnx/index.js';
import type { ModelItem } from '../quantize/runtime.js';
import type { Annotation } from '../wfdb/index.js';
import { PersonalizeError } from './error.js';
import { type HiddenLayer, hiddenLayer, logitsOf, trainHead, withHead } from './head.js';
import { estimatePriors, likelihoodGain } from './priors.js';

/** A person's own recording: one ECG lead and its beats. */
export interface OwnRecording {
  /** For the card. */
  readonly name: string;
  readonly rateHz: number;
  readonly samples: ArrayLike<number>;
  /** Beats in order of time; their symbols count where they were reviewed. */
  readonly beats: readonly Annotation[];
  /** Whether the symbols are a person's judgement; else only the places of the beats are used. */
  readonly labelled: boolean;
}

export interface PersonalizeOptions {
  /** The bundle to start from. */
  readonly bundleFolder: string;
  readonly recording: OwnRecording;
  /** Where the personal bundle goes; the one it was made from stays as it is. */
  readonly outDir: string;
  onStage?(stage: string, done: number, of: number): void;
}

export interface PersonalizeResult {
  /** `head`: the last layer was trained on labels. `recalibrate`: without labels, the offsets follow the person's class shares. */
  readonly method: 'head' | 'recalibrate';
  readonly trainedBeats: number;
  readonly heldOutBeats: number;
  /** On the held-out beats of the default variant, with labels. */
  readonly before: BeatClassReport | null;
  readonly after: BeatClassReport | null;
  /** Without labels: gain in mean log likelihood of the held-out beats. */
  readonly likelihoodGain: number | null;
  readonly version: string;
  readonly logitOffsets: readonly number[];
}

/** Share of the recording, from its start, that is trained on; the rest is held out. */
const TRAIN_SHARE = 0.6;
const MIN_BEATS = 300;
/** A class with fewer held-out beats is too rare to be judged by its own figure. */
const MIN_CLASS_BEATS = 5;
/** Pulls tried; the last quarter of the training beats chooses. */
const PULLS = [0.3, 0.1, 0.03, 0.01, 0.003, 0.001] as const;
const LABELS = 3;
/** By chance a quarter of the beats of another recording stands this near to one of these. */
const BEAT_TOLERANCE_MS = 100;
const MIN_BEATS_FOUND = 0.6;

/**
 * Fits a shipped beat model to one person: with reviewed beats its head is trained on them, without it is recalibrated.
 * The last 40 % of the recording are never trained on; a model that is no better there is refused.
 * @throws PersonalizeError: too few beats, a model without a head, or no better on the held-out beats
 */
export async function personalize(options: PersonalizeOptions): Promise<PersonalizeResult> {
  const { recording, onStage } = options;
  const bundle = await loadBundle(options.bundleFolder);
  const { manifest } = bundle;
  if (manifest.task !== 'beat-ecg') {
    throw new PersonalizeError(`${manifest.name} is a model for ${manifest.task}; beat-ecg models can be personalized`);
  }
  onStage?.('reading beats', 0, 4);
  const own = itemsOf(recording, manifest.preprocessing as unknown as Parameters<typeof standardise>[1]);
  if (own.items.length < MIN_BEATS) {
    throw new PersonalizeError(
      `${recording.name}: ${own.items.length} beats can be judged, at least ${MIN_BEATS} are needed (about five minutes)`,
    );
  }
  refuseStrangeBeats(recording);
  const cut = Math.floor(own.items.length * TRAIN_SHARE);
  const offsets = manifest.output.logitOffsets ?? new Array<number>(LABELS).fill(0);
  const ids = [...new Set(['fp32', manifest.defaultVariant])].filter((id) => bundle.files.has(id));
  const models = new Map(ids.map((id) => [id, decodeModel(bundle.files.get(id)!)]));
  const made = recording.labelled
    ? await trainHeads(models, manifest.defaultVariant, own, cut, offsets, onStage)
    : await recalibrate(models, manifest.defaultVariant, own, cut, offsets, trainedShares(manifest.training));
  onStage?.('checking the bundle', 3, 4);
  const version = await write(options, bundle, own, cut, made);
  onStage?.('done', 4, 4);
  const { method, before, after, gain, logitOffsets } = made;
  return {
    ...{ method, before, after, likelihoodGain: gain, version, logitOffsets },
    ...{ trainedBeats: cut, heldOutBeats: own.items.length - cut },
  };
}

/** Beats of another recording, or counted at another rate, stand anywhere. @throws PersonalizeError */
function refuseStrangeBeats({ name, samples, rateHz, beats }: OwnRecording): void {
  const seen = detectBeats(samples, rateHz).samples;
  const places = beats.map(({ sample }) => sample);
  const pairs = matchBeats(places, seen, (BEAT_TOLERANCE_MS * rateHz) / 1000);
  const found = pairs.filter((at) => at >= 0).length / places.length;
  if (found >= MIN_BEATS_FOUND) return;
  throw new PersonalizeError(
    `${name}: only ${(found * 100).toFixed(0)} % of the ${places.length} annotated beats stand where the recording has one: are they of this recording, in order, and at its rate?`,
  );
}

interface OwnItems {
  readonly items: readonly ModelItem[];
  /** Index into CLASSES. */
  readonly truth: readonly number[];
}

/** The person's beats as the model takes them, those without a window left out. */
function itemsOf(recording: OwnRecording, constants: Parameters<typeof standardise>[1]): OwnItems {
  const { windows, features, classes, count } = beatArrays(recording.samples, recording.rateHz, recording.beats);
  const items: ModelItem[] = [];
  const truth: number[] = [];
  for (let beat = 0; beat < count; beat++) {
    const window = windows.slice(beat * WINDOW_VALUES, (beat + 1) * WINDOW_VALUES);
    const vector = features.slice(beat * FEATURE_COUNT, (beat + 1) * FEATURE_COUNT);
    if (window.every((value) => value === 0) || !window.every(Number.isFinite)) continue;
    standardise(vector, constants);
    if (!vector.every(Number.isFinite)) continue;
    items.push([window, vector]);
    truth.push(classes[beat]!);
  }
  return { items, truth };
}

interface Made {
  readonly method: 'head' | 'recalibrate';
  readonly models: ReadonlyMap<string, OnnxModel>;
  readonly logitOffsets: readonly number[];
  readonly before: BeatClassReport | null;
  readonly after: BeatClassReport | null;
  readonly gain: number | null;
  readonly how: Readonly<Record<string, unknown>>;
}

async function trainHeads(
  models: ReadonlyMap<string, OnnxModel>,
  defaultId: string,
  { items, truth }: OwnItems,
  cut: number,
  offsets: readonly number[],
  onStage: PersonalizeOptions['onStage'],
): Promise<Made> {
  const classes = [0, 1, 2].map((k) => truth.slice(0, cut).filter((label) => label === k).length);
  if (classes.filter((count) => count >= 2 * MIN_CLASS_BEATS).length < 2) {
    throw new PersonalizeError(
      `the first ${cut} beats are ${classes.map((count, k) => `${count} ${CLASSES[k]}`).join(', ')}: to train a head at least two classes of ${2 * MIN_CLASS_BEATS} beats are needed. Recalibrate without labels instead`,
    );
  }
  const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
  const inner = Math.floor(cut * 0.75);
  const personal = new Map<string, OnnxModel>();
  let report: Pick<Made, 'before' | 'after'> = { before: null, after: null };
  let how: Record<string, unknown> = {};
  let pull: number | null = null;
  // The default variant first: it chooses the pull for all.
  for (const id of [defaultId, ...[...models.keys()].filter((other) => other !== defaultId)]) {
    const model = models.get(id)!;
    onStage?.(`training the head of ${id}`, 1, 4);
    const layer = await hiddenLayer(model, items);
    const judge = (head: HiddenLayer['head'], from: number, to: number) =>
      figures(logitsOf(layer, head), truth, offsets, from, to);
    if (pull === null) {
      let best = Number.NEGATIVE_INFINITY;
      for (const tried of PULLS) {
        const own = score(judge(trainHead(layer, { truth, pull: tried, offsets, items: range(0, inner) }), inner, cut));
        // A weaker pull must be clearly better.
        if (own > best + 1e-3) [best, pull] = [own, tried];
      }
    }
    const head = trainHead(layer, { truth, pull: pull!, offsets, items: range(0, cut) });
    personal.set(id, withHead(model, head));
    if (id !== defaultId) continue;
    report = { before: judge(layer.head, cut, items.length), after: judge(head, cut, items.length) };
    how = { pull, classesTrained: Object.fromEntries(classes.map((count, k) => [CLASSES[k]!, count])) };
  }
  const { before, after } = report;
  const problem = worse(before!, after!);
  if (problem)
    throw new PersonalizeError(
      `not better on the ${items.length - cut} held-out beats, so nothing was written: ${problem}`,
    );
  return { method: 'head', models: personal, logitOffsets: offsets, before, after, gain: null, how };
}

async function recalibrate(
  models: ReadonlyMap<string, OnnxModel>,
  defaultId: string,
  { items }: OwnItems,
  cut: number,
  offsets: readonly number[],
  trained: readonly number[],
): Promise<Made> {
  const layer = await hiddenLayer(models.get(defaultId)!, items);
  const logits = logitsOf(layer, layer.head);
  const { offsets: moved, shares } = estimatePriors(logits.slice(0, cut * LABELS), trained, offsets);
  const gain = likelihoodGain(logits.slice(cut * LABELS), trained, offsets, moved);
  if (!(gain > 0)) {
    throw new PersonalizeError(
      `not better on the ${items.length - cut} held-out beats, so nothing was written: log likelihood of a beat changes by ${gain.toFixed(4)}`,
    );
  }
  const how = { sharesEstimated: shares.map((share) => Number(share.toFixed(4))), sharesTrained: trained };
  return { method: 'recalibrate', models, logitOffsets: moved, before: null, after: null, gain, how };
}

/** Shares of N, S and V that the training sampled; the recipe of slothd's own model where a manifest does not say. */
function trainedShares(training: Readonly<Record<string, unknown>>): readonly number[] {
  const recipe = training.recipe as { classShares?: unknown } | undefined;
  const shares = recipe?.classShares;
  return Array.isArray(shares) && shares.length === LABELS ? shares.map(Number) : [0.7, 0.15, 0.15];
}

function figures(
  logits: Float32Array,
  truth: readonly number[],
  offsets: readonly number[],
  from: number,
  to: number,
): BeatClassReport {
  const matrix = newClassMatrix();
  for (let i = from; i < to; i++) {
    let best = 0;
    for (let c = 1; c < LABELS; c++) {
      if (logits[i * LABELS + c]! + offsets[c]! > logits[i * LABELS + best]! + offsets[best]!) best = c;
    }
    matrix[truth[i]!]![best]!++;
  }
  return reportOf(matrix);
}

const present = ({ matrix }: BeatClassReport, k: number) => matrix[k]!.reduce((a, b) => a + b, 0) >= MIN_CLASS_BEATS;

/** Mean F1 of the classes that are there in number. */
function score(report: BeatClassReport): number {
  const all = [report.N, report.S, report.V].filter((_, k) => present(report, k));
  return all.length === 0 ? report.accuracy : all.reduce((sum, { f1 }) => sum + f1, 0) / all.length;
}

/** Why the new figures must not replace the old ones; null where they may. */
function worse(before: BeatClassReport, after: BeatClassReport): string | null {
  const percent = (value: number) => `${(value * 100).toFixed(2)} %`;
  const [was, is] = [score(before), score(after)];
  if (!(is > was)) return `mean F1 of the classes present was ${percent(was)} and is ${percent(is)}`;
  if (after.accuracy < before.accuracy - 0.002) {
    return `accuracy was ${percent(before.accuracy)} and is ${percent(after.accuracy)}`;
  }
  // Ventricular beats raise alarms: none may be lost for a better mean.
  if (present(before, 2) && after.V.sensitivity < before.V.sensitivity - 0.01) {
    return `sensitivity to V was ${percent(before.V.sensitivity)} and is ${percent(after.V.sensitivity)}`;
  }
  return null;
}

async function write(
  options: PersonalizeOptions,
  bundle: Bundle,
  own: OwnItems,
  cut: number,
  made: Made,
): Promise<string> {
  const { manifest } = bundle;
  const { recording } = options;
  const base = manifest.version.replace(/\+.*$/, '');
  const identity = createHash('sha256').update(Float32Array.from(recording.samples)).digest('hex');
  const version = `${base}+personal.${identity.slice(0, 8)}`;
  const heldOut = own.items.slice(cut);
  const variants: ExportVariant[] = [...made.models].map(([id, model]) => ({
    ...{ id, model, precision: manifest.variants.find((variant) => variant.id === id)!.precision },
    // Each variant is held against its own former self on the person's beats, not against fp32's opinion of them.
    ...(id === 'fp32' ? {} : { float: model }),
  }));
  const personal = {
    ...{
      method: made.method,
      recording: recording.name,
      recordingSha256: identity,
      trainedBeats: cut,
      heldOutBeats: heldOut.length,
    },
    ...made.how,
    ...(made.before
      ? { heldOutBefore: brief(made.before), heldOutAfter: brief(made.after!) }
      : { likelihoodGain: made.gain }),
    parent: {
      name: manifest.name,
      version: manifest.version,
      sha256: manifest.variants.find(({ id }) => id === manifest.defaultVariant)!.sha256,
    },
  };
  await exportBundle({
    ...{ outDir: options.outDir, name: manifest.name, task: manifest.task, version, labels: manifest.output.labels },
    ...{
      logitOffsets: made.logitOffsets,
      thresholds: manifest.output.thresholds,
      preprocessing: manifest.preprocessing,
    },
    ...{ training: { ...manifest.training, personal }, calibration: manifest.calibration },
    ...{
      variants,
      defaultVariant: manifest.defaultVariant,
      golden: spread(heldOut, 4),
      evaluationItems: () => heldOut,
    },
    gate: { maxSlowdown: 2 },
    about: `${manifest.name} ${manifest.version}, ${made.method === 'head' ? 'its head trained on' : 'recalibrated to'} one person's own recording (${recording.name}). For that person alone. Held-out figures are under Training.`,
  });
  return version;
}

function brief({ accuracy, N, S, V, matrix }: BeatClassReport) {
  const round = (value: number) => Number(value.toFixed(4));
  return {
    accuracy: round(accuracy),
    N: round(N.f1),
    S: round(S.f1),
    V: round(V.f1),
    vSensitivity: round(V.sensitivity),
    matrix,
  };
}
