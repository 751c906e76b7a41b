import { readFileSync } from 'node:fs';
import type { IPublishPacket } from 'mqtt';
import { ConfigError, parseConfig } from '../../config/load.js';
import { Commands } from '../../delivery/commands.js';
import { BundleError, parseManifest } from '../../inference/bundle/manifest.js';
import { type Random, seededRandom } from '../random.js';

export const INPUT_TARGETS = ['config', 'commands', 'bundle'] as const;
export type InputTarget = (typeof INPUT_TARGETS)[number];

export interface InputFuzzReport {
  readonly target: InputTarget;
  tried: number;
  accepted: number;
  refused: number;
  /** Anything but acceptance or the documented refusal, and what took longer than SLOW_MS. */
  readonly faults: string[];
}

const SLOW_MS = 2000;
const MOST_KEPT_FAULTS = 20;
const MOST_MUTATIONS = 4;
const LONGEST_SLICE = 200;
const COMMAND = '{"sensor":"chest","kind":"tachycardia","minutes":30,"requestId":"a1"}';
/** Pieces that mean something to YAML, JSON or JavaScript. */
const TELLING = [
  ...[
    '*a',
    '&a ',
    '<<: *a\n',
    '? ',
    '!!binary ',
    '!!set ',
    '%YAML 1.1\n',
    '---\n',
    '...\n',
    '\t',
    '\n',
    '  ',
    '- ',
    ': ',
  ],
  ...[
    'null',
    '~',
    'true',
    '[]',
    '{}',
    '[[',
    '}',
    '"',
    "'",
    ',',
    '-1',
    '1e999',
    '.nan',
    '0x7fffffffffffffff',
    '9'.repeat(30),
  ],
  ...['"__proto__":', '__proto__: ', 'constructor: ', 'version: 99\n', '../../etc/passwd', '\0', '\ud800', '\ufeff'],
];

/**
 * Damages a sound config, command or bundle manifest in a few places and hands it to the code that reads it in the
 * daemon. Only acceptance or the documented refusal may come of it: a ConfigError, an answer, a BundleError.
 * Paths are relative to the project's folder.
 */
export async function fuzzInputs(target: InputTarget, count: number, seed = 1): Promise<InputFuzzReport> {
  const random = seededRandom(seed);
  const report: InputFuzzReport = { target, tried: 0, accepted: 0, refused: 0, faults: [] };
  const source = sound(target);
  const take = taker(target);
  for (; report.tried < count; report.tried++) {
    const input = damaged(source, random);
    const startedMs = performance.now();
    try {
      if (await take(input)) report.accepted++;
      else report.refused++;
    } catch (error) {
      fault(report, `case ${report.tried} of seed ${seed}: ${String(error).slice(0, 200)}`);
    }
    const tookMs = performance.now() - startedMs;
    if (tookMs > SLOW_MS) fault(report, `case ${report.tried} of seed ${seed}: took ${tookMs.toFixed(0)} ms`);
  }
  return report;
}

function fault(report: InputFuzzReport, text: string): void {
  if (report.faults.length < MOST_KEPT_FAULTS) report.faults.push(text);
}

function sound(target: InputTarget): string {
  if (target === 'config') return readFileSync('config/slothd.example.yaml', 'utf8');
  if (target === 'commands') return COMMAND;
  return readFileSync('models/rhythm-rr/manifest.json', 'utf8');
}

/** What reads the input: true where accepted, false where refused as documented; throws on anything else. */
function taker(target: InputTarget): (input: string) => boolean | Promise<boolean> {
  if (target === 'config') return (input) => refusedBy(ConfigError, () => parseConfig(input, 'fuzz.yaml'));
  if (target === 'commands') return answered;
  return (input) => {
    let manifest: unknown;
    try {
      manifest = JSON.parse(input);
    } catch {
      return false;
    }
    return refusedBy(BundleError, () => parseManifest(manifest));
  };
}

function refusedBy(Refusal: new (...args: never[]) => Error, read: () => unknown): boolean {
  try {
    read();
    return true;
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

/** One command, alone: it must get exactly one answer. */
async function answered(input: string): Promise<boolean> {
  const answers: string[] = [];
  const commands = new Commands({
    clock: { monotonicMs: () => 0, wallMs: () => 0 } as never,
    log: { warn() {}, debug() {}, info() {}, error() {} } as never,
    isSpokenFor: () => false,
    responseTopic: (verb) => `slothd/fuzz/response/${verb}`,
    reply: (_, payload) => answers.push(payload),
  });
  commands.onCommand((_, args) => args);
  commands.take('ack', Buffer.from(input), { retain: false } as IPublishPacket);
  await Promise.resolve();
  await Promise.resolve();
  if (answers.length !== 1) throw new Error(`${answers.length} answers`);
  return (JSON.parse(answers[0]!) as { ok: boolean }).ok;
}

function damaged(source: string, random: Random): string {
  let text = source;
  const below = (n: number) => Math.floor(random() * n);
  for (let left = 1 + below(MOST_MUTATIONS); left > 0; left--) {
    const at = below(text.length + 1);
    const end = Math.min(text.length, at + below(LONGEST_SLICE));
    const piece = TELLING[below(TELLING.length)]!;
    switch (below(5)) {
      case 0: // a telling piece in between
        text = text.slice(0, at) + piece + text.slice(at);
        break;
      case 1: // in place of what follows a colon
        text = text.slice(0, at) + text.slice(at).replace(/: ?[^\n,}]*/, () => `: ${piece}`);
        break;
      case 2: // cut out
        text = text.slice(0, at) + text.slice(end);
        break;
      case 3: // repeat
        text = text.slice(0, end) + text.slice(at);
        break;
      default: // any character
        text = text.slice(0, at) + String.fromCharCode(below(random() < 0.9 ? 128 : 65_536)) + text.slice(at + 1);
    }
  }
  return text;
}
