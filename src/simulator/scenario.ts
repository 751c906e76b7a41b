import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';

/** Every rhythm the synthetic heart knows. */
export const RHYTHMS = [
  'sinus',
  'sinus-tachycardia',
  'sinus-bradycardia',
  'atrial-fibrillation',
  'pac',
  'pvc',
  'bigeminy',
  'ventricular-tachycardia',
  'ventricular-fibrillation',
  'pause',
  'asystole',
] as const;
export type Rhythm = (typeof RHYTHMS)[number];

/** Short names a person types. */
const ALIASES: Readonly<Record<string, Rhythm>> = {
  normal: 'sinus',
  tachycardia: 'sinus-tachycardia',
  bradycardia: 'sinus-bradycardia',
  af: 'atrial-fibrillation',
  afib: 'atrial-fibrillation',
  vt: 'ventricular-tachycardia',
  vf: 'ventricular-fibrillation',
};

/** What an episode is when it says no more than its rhythm. */
const DEFAULTS: Readonly<Record<Rhythm, { bpm: number; seconds: number; rampSeconds: number }>> = {
  sinus: { bpm: 68, seconds: 30, rampSeconds: 5 },
  'sinus-tachycardia': { bpm: 165, seconds: 45, rampSeconds: 8 },
  'sinus-bradycardia': { bpm: 36, seconds: 45, rampSeconds: 8 },
  'atrial-fibrillation': { bpm: 110, seconds: 90, rampSeconds: 0 },
  pac: { bpm: 70, seconds: 60, rampSeconds: 5 },
  pvc: { bpm: 70, seconds: 60, rampSeconds: 5 },
  bigeminy: { bpm: 72, seconds: 30, rampSeconds: 5 },
  'ventricular-tachycardia': { bpm: 175, seconds: 8, rampSeconds: 0 },
  'ventricular-fibrillation': { bpm: 0, seconds: 12, rampSeconds: 0 },
  pause: { bpm: 0, seconds: 3.3, rampSeconds: 0 },
  asystole: { bpm: 0, seconds: 8, rampSeconds: 0 },
};

/** What disturbs the signal, all in the waveform's unit (mV for ECG); `contact` false: electrodes or finger off. */
export interface Conditions {
  readonly contact: boolean;
  readonly mainsMv: number;
  readonly mainsHz: number;
  readonly baselineMv: number;
  readonly muscleMv: number;
  readonly motionMv: number;
}

/** One stretch of one rhythm. */
export interface Episode extends Conditions {
  readonly rhythm: Rhythm;
  /** For `pause` and `asystole`: the length of the RR interval, beat to beat. */
  readonly seconds: number;
  /** Mean rate; 0 where the rhythm has no beats. */
  readonly bpm: number;
  /** Sinus rhythms: how long the rate takes from where it was to `bpm`. */
  readonly rampSeconds: number;
  /** `pac`, `pvc`: early beats per minute. */
  readonly perMinute: number;
  readonly spo2: number;
  readonly label: string;
}

export interface Scenario {
  readonly name: string;
  readonly episodes: readonly Episode[];
  /** After the last episode: keep it on, begin again, or end the stream. */
  readonly atEnd: 'hold' | 'repeat' | 'stop';
}

const millivolt = z.number().min(0).max(10);

const episodeSchema = z
  .strictObject({
    rhythm: z.preprocess((value) => (typeof value === 'string' ? (ALIASES[value] ?? value) : value), z.enum(RHYTHMS)),
    seconds: z.number().positive().max(604_800).optional(),
    /** `ventricular-tachycardia`: its length in beats instead of seconds. */
    beats: z.number().int().min(3).max(1000).optional(),
    bpm: z.number().min(15).max(300).optional(),
    rampSeconds: z.number().min(0).max(3600).optional(),
    perMinute: z.number().positive().max(60).default(8),
    spo2: z.number().min(50).max(100).default(97),
    label: z.string().max(100).optional(),
    contact: z.boolean().default(true),
    mainsMv: millivolt.default(0),
    mainsHz: z.union([z.literal(50), z.literal(60)]).default(50),
    baselineMv: millivolt.default(0.04),
    muscleMv: millivolt.default(0.008),
    motionMv: millivolt.default(0),
  })
  .superRefine((episode, context) => {
    if (episode.beats === undefined) return;
    if (episode.rhythm !== 'ventricular-tachycardia') {
      context.addIssue({
        code: 'custom',
        path: ['beats'],
        message: 'only a ventricular-tachycardia is given in beats',
      });
    } else if (episode.seconds !== undefined) {
      context.addIssue({ code: 'custom', path: ['beats'], message: 'give either seconds or beats, not both' });
    }
  })
  .transform(({ beats, ...given }): Episode => {
    const defaults = DEFAULTS[given.rhythm];
    const bpm = defaults.bpm === 0 ? 0 : (given.bpm ?? defaults.bpm);
    // Half a beat on top: the run's last beat shall not fall off its end by the jitter of its intervals.
    const seconds = beats === undefined ? (given.seconds ?? defaults.seconds) : ((beats + 0.5) * 60) / bpm;
    return {
      ...given,
      bpm,
      seconds,
      rampSeconds: given.rampSeconds ?? defaults.rampSeconds,
      label: given.label ?? (given.contact ? given.rhythm.replaceAll('-', ' ') : 'contact lost'),
    };
  });

const scenarioSchema = z.strictObject({
  name: z.string().max(60).default('scenario'),
  atEnd: z.enum(['hold', 'repeat', 'stop']).default('hold'),
  episodes: z.array(episodeSchema).min(1).max(10_000),
});

/** What a scenario file may hold, and what code may pass to `makeScenario`: everything but `rhythm` has a default. */
export type ScenarioInput = z.input<typeof scenarioSchema>;
export type EpisodeInput = ScenarioInput['episodes'][number];

/** A scenario that cannot be used; the message names each place and what is allowed there. */
export class ScenarioError extends Error {
  override readonly name = 'ScenarioError';
}

/** Fills defaults and checks. Throws `ScenarioError`. */
export function makeScenario(input: unknown, source = 'scenario', lineOf?: (path: PropertyKey[]) => number): Scenario {
  const result = scenarioSchema.safeParse(input);
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) => {
    const line = lineOf?.(issue.path);
    const place = issue.path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
    const where = place.replace(/^\./, '');
    return `${source}${line === undefined ? '' : `:${line}`}: ${where === '' ? '' : `${where}: `}${issue.message}`;
  });
  throw new ScenarioError(lines.join('\n'));
}

/** Reads a scenario from YAML or JSON text. `source` names it in messages. Throws `ScenarioError` with line numbers. */
export function parseScenario(text: string, source: string): Scenario {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false });
  const broken = document.errors[0];
  if (broken !== undefined) {
    throw new ScenarioError(`${source}:${counter.linePos(broken.pos[0]).line}: ${broken.message}`);
  }
  const lineOf = (path: PropertyKey[]): number => {
    for (let length = path.length; length >= 0; length--) {
      const node = document.getIn(path.slice(0, length), true) as { range?: [number, number, number] } | undefined;
      if (node?.range) return counter.linePos(node.range[0]).line;
    }
    return 1;
  };
  // An alias bomb in a file is refused by yaml itself (maxAliasCount) with an exception.
  let value: unknown;
  try {
    value = document.toJS();
  } catch (error) {
    throw new ScenarioError(`${source}: ${(error as Error).message}`);
  }
  return makeScenario(value, source, lineOf);
}

const calm = (seconds: number): EpisodeInput => ({ rhythm: 'sinus', bpm: 68, seconds, label: 'calm' });

const BUILT_IN: Readonly<Record<string, ScenarioInput>> = {
  calm: { name: 'calm', episodes: [calm(60)] },
  demo: {
    name: 'demo',
    episodes: [
      calm(25),
      { rhythm: 'sinus-tachycardia', bpm: 165, seconds: 40, rampSeconds: 6 },
      { ...calm(15), rampSeconds: 6 },
      { rhythm: 'atrial-fibrillation', bpm: 110, seconds: 90 },
      calm(15),
      { rhythm: 'ventricular-tachycardia', bpm: 175, beats: 24, label: 'ventricular run' },
      calm(12),
      { rhythm: 'pause', seconds: 3.3 },
      calm(12),
      { rhythm: 'ventricular-fibrillation', seconds: 12 },
      calm(25),
      { rhythm: 'sinus', contact: false, seconds: 12 },
      calm(60),
    ],
  },
  vf: { name: 'vf', episodes: [calm(20), { rhythm: 'ventricular-fibrillation', seconds: 15 }, calm(30)] },
  ectopy: {
    name: 'ectopy',
    episodes: [
      calm(20),
      { rhythm: 'pac', seconds: 60 },
      { rhythm: 'pvc', seconds: 60 },
      { rhythm: 'bigeminy', seconds: 40 },
    ],
  },
  noise: {
    name: 'noise',
    episodes: [
      calm(20),
      { rhythm: 'sinus', seconds: 20, mainsMv: 0.3, label: 'mains hum' },
      { rhythm: 'sinus', seconds: 20, baselineMv: 0.8, label: 'baseline wander' },
      { rhythm: 'sinus', seconds: 20, muscleMv: 0.3, label: 'muscle noise' },
      { rhythm: 'sinus', seconds: 20, motionMv: 1, label: 'motion' },
      calm(20),
    ],
  },
  all: {
    name: 'all',
    episodes: [
      calm(30),
      ...RHYTHMS.filter((rhythm) => rhythm !== 'sinus').flatMap((rhythm): EpisodeInput[] => [{ rhythm }, calm(20)]),
      { rhythm: 'sinus', seconds: 15, contact: false },
      { ...calm(20), mainsMv: 0.3, label: 'mains hum' },
      { ...calm(20), muscleMv: 0.3, label: 'muscle noise' },
      { ...calm(20), motionMv: 1, label: 'motion' },
      calm(30),
    ],
  },
};

export const BUILT_IN_SCENARIOS: readonly string[] = Object.keys(BUILT_IN);

/** A built-in scenario, or undefined where there is none of that name. */
export function builtInScenario(name: string): Scenario | undefined {
  const input = Object.hasOwn(BUILT_IN, name) ? BUILT_IN[name] : undefined;
  return input === undefined ? undefined : makeScenario(input, name);
}

/**
 * Scenario of one rhythm for ever, as the command line's flags give it. A pause for ever would be none, so pauses come
 * again and again with ten calm seconds between. Throws `ScenarioError`.
 */
export function singleRhythm(rhythm: string, options: Omit<EpisodeInput, 'rhythm'> = {}): Scenario {
  const episode = { ...options, rhythm };
  return rhythm === 'pause'
    ? makeScenario({ name: rhythm, atEnd: 'repeat', episodes: [calm(10), episode] }, '--rhythm')
    : makeScenario({ name: rhythm, episodes: [episode] }, '--rhythm');
}

/** Length of one pass, seconds (a held last episode counts with its nominal length). */
export function scenarioSeconds(scenario: Scenario): number {
  return scenario.episodes.reduce((sum, episode) => sum + episode.seconds, 0);
}
