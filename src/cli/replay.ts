import { once } from 'node:events';
import { access, type FileHandle, open as openFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { pino } from 'pino';
import type { InferenceSettings } from '../config/inference.js';
import { loadConfig } from '../config/load.js';
import { configSchema } from '../config/schema.js';
import { BeatClassifier } from '../daemon/beat-classifier.js';
import { createModels, type Models } from '../daemon/models.js';
import { anomalyModelOf, modelInfoOf, rhythmModelOf, shockableModelOf } from '../daemon/station.js';
import type { AlertKind } from '../domain/alert.js';
import type { ModelSlot } from '../domain/inference.js';
import { inProcessHost } from '../inference/host/in-process.js';
import type { SpawnHost } from '../inference/host/spawn.js';
import { readHeader, writeAnnotations } from '../lab/wfdb/index.js';
import type { CaptureContent } from '../sensor/capture/container.js';
import { collectOption, nameAndValue, positive } from './arguments.js';
import { chosenFormat } from './chosen-format.js';
import { EVENT_TYPES } from './replay/events.js';
import { type FlightReplayOptions, replayFlight } from './replay/flight.js';
import { type ReplayOptions, replaySource } from './replay/run.js';
import { ReplayError, type ReplaySource } from './replay/source.js';
import { openBytes } from './replay/source-bytes.js';
import { isCaptureFile, openCapture, readCapture } from './replay/source-capture.js';
import { openTable } from './replay/source-table.js';
import { openBeats, openWfdb, referenceBeats } from './replay/source-wfdb.js';
import { UsageError } from './usage-error.js';
import { VERSION } from './version.js';

/** How a record is to be read. */
export interface RecordOptions {
  readonly signal?: string;
  readonly format?: string;
  readonly option: Readonly<Record<string, string | number | boolean>>;
  readonly beatsFrom?: string;
  readonly rate?: number;
}

interface ReplayArguments extends RecordOptions {
  readonly speed: number | null;
  readonly model: Readonly<Record<string, string>>;
  readonly events: string;
  readonly only: ReadonlySet<string> | null;
  readonly annotations?: string;
  readonly inProcess: boolean;
  readonly config?: string;
}

/** Nobody waits for a replay: an answer that a busy machine gives late must not make it decide otherwise. */
const REPLAY_DEADLINE_MS = 60_000;
const NO_STAGES = { record() {} };
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export function replayCommand(): Command {
  return new Command('replay')
    .description('Run recordings through the very pipeline of the daemon, on recorded time; events as JSON lines.')
    .argument(
      '<record...>',
      'WFDB record (no extension), annotation file, capture of `record`, CSV/JSONL of samples or RR, or bytes (--format)',
    )
    .option('--signal <n|name>', 'which signal or column; the first where left out')
    .option('--format <id>', 'the record is raw bytes of this wire format')
    .option('--option <key=value>', "the format's own option, repeatable", collectOption, {})
    .option('--speed <max|x>', 'recorded seconds per second; max: as fast as the machine can', speed, null)
    .option('--beats-from <file>', 'take the beats of this annotation file instead of detecting them')
    .option('--model <name=dir>', 'use this bundle, such as beat=models/beat-ecg; beat=none for none', collectModel, {})
    .option('--events <file>', 'where the JSON lines go; - is standard output', '-')
    .option('--only <types>', 'print lines of these types alone, such as alert,quality', eventTypes, null)
    .option('--annotations <file>', 'write beats and rhythm as a WFDB annotation file')
    .option('--rate <hz>', 'samples or ticks per second, where the record does not say', positive)
    .option(
      '--in-process',
      'run the models in this process: faster, but a native runtime that is not made for this machine ends it',
      false,
    )
    .option('-c, --config <file>', 'take alarm thresholds and models from this config')
    .action(replay);
}

async function replay(records: string[], options: ReplayArguments): Promise<void> {
  if (options.annotations && records.length > 1) throw new UsageError('--annotations takes one record at a time');
  const config = options.config
    ? await loadConfig(options.config)
    : configSchema.parse({
        sensors: [{ name: 'replay', format: 'none', link: { type: 'tcp', host: 'none', port: 1 } }],
      });
  // Opened before anything is printed: a missing record must not leave half an answer.
  const sources: (ReplaySource | Flight)[] = [];
  for (const record of records) sources.push(await openRecord(record, options));
  if (options.annotations) await (await openForWriting('--annotations', options.annotations)).close();
  const eventsFile = options.events === '-' ? null : await openForWriting('--events', options.events);
  const models = await loadModels(
    withModels(config.inference, options.model),
    options.inProcess ? inProcessHost : undefined,
  );
  const out = eventsFile ? eventsFile.createWriteStream() : process.stdout;
  const abort = new AbortController();
  const stop = () => abort.abort();
  for (const signal of SIGNALS) process.once(signal, stop);
  // A reader that has enough (`| head`) ends the replay, it is no fault; a full disk is one.
  let unwritten: NodeJS.ErrnoException | null = null;
  const onError = (error: NodeJS.ErrnoException) => {
    unwritten ??= error;
    stop();
  };
  out.on('error', onError);
  try {
    for (const source of sources) {
      if ('content' in source) {
        const inference = models.port.state() === 'ready' ? models.port : null;
        const { only } = options;
        await decideAgain(source, { inference, only, write: (line) => out.write(line), signal: abort.signal });
        continue;
      }
      const events = await replaySource(source, {
        ...modelsForReplay(models),
        alarms: config.alarms,
        version: VERSION,
        speed: options.speed,
        only: options.only,
        write: (line) => out.write(line),
        signal: abort.signal,
      });
      if (options.annotations) await writeAnnotations(options.annotations, events.annotations);
      if (abort.signal.aborted) break;
      if (out.writableNeedDrain) await Promise.race([once(out, 'drain'), once(abort.signal, 'abort')]).catch(() => {});
    }
  } finally {
    await models.stop();
    for (const signal of SIGNALS) process.off(signal, stop);
    if (eventsFile) await new Promise<void>((resolve) => out.end(() => resolve()));
    out.off('error', onError);
  }
  const failed = unwritten as NodeJS.ErrnoException | null;
  if (eventsFile && failed) throw new UsageError(`--events ${options.events}: ${failed.message}`);
}

/**
 * The models of a replay, loaded: of each bundle its own default variant.
 * @param spawn how the host is started; left out: as a child of this process
 */
export async function loadModels(inference: InferenceSettings, spawn?: SpawnHost): Promise<Models> {
  const patient = { ...withFixedVariant(inference), deadlineMs: REPLAY_DEADLINE_MS };
  const models = await createModels(patient, NO_STAGES, () => {}, pino({ level: 'silent' }), undefined, spawn);
  await models.startAndWait();
  return models;
}

/** What a replay needs of the models; rules alone where they do not run. */
export function modelsForReplay(models: Models) {
  const { beat, port } = models;
  const ready = port.state() === 'ready';
  const createClassifier: ReplayOptions['createClassifier'] =
    beat && ready
      ? (rateHz, causeMs) =>
          new BeatClassifier({
            rateHz,
            model: beat.name,
            inference: port,
            preprocessing: beat.preprocessing,
            logitOffsets: beat.logitOffsets,
            stages: NO_STAGES,
            nowMs: () => performance.now(),
            causeMs,
          })
      : null;
  return {
    createClassifier,
    rhythmModel: ready ? rhythmModelOf(models) : null,
    shockableModel: ready ? shockableModelOf(models) : null,
    anomalyModel: ready ? anomalyModelOf(models) : null,
    modelInfo: (kind: AlertKind, slot?: ModelSlot) => modelInfoOf(models, kind, slot),
    stages: NO_STAGES,
  };
}

/** A stretch that the flight recorder froze. */
export interface Flight {
  readonly file: string;
  readonly content: CaptureContent;
}

/** Plays a frozen stretch and says whether it was decided alike. */
async function decideAgain(
  { file, content }: Flight,
  options: Pick<FlightReplayOptions, 'inference' | 'only' | 'write' | 'signal'>,
): Promise<void> {
  const verdict = await replayFlight(content, { ...options, record: basename(file), version: VERSION });
  const { identical, decisions, beats, alerts, models } = verdict;
  options.write(`${JSON.stringify({ type: 'verdict', ...verdict })}\n`);
  const again = models.asked === 0 ? '' : `; models asked again: ${models.same} of ${models.asked} answers the same`;
  const absent = models.absent.length === 0 ? '' : `; not here, so taken at their word: ${models.absent.join(', ')}`;
  process.stderr.write(
    identical
      ? `${file}: the same ${decisions} decisions to the last bit (${beats} beats, ${alerts} alert events)${again}${absent}\n`
      : `${file}: decided otherwise than then; the first difference is in the line of type verdict${again}${absent}\n`,
  );
  if (!identical) process.exitCode = 2;
}

/** Decides what a record is by what there is: its options, its name, the files beside it. */
export async function openRecord(record: string, options: RecordOptions): Promise<ReplaySource | Flight> {
  const { signal, rate: rateHz } = options;
  if (await isCaptureFile(record)) {
    const content = await readCapture(record);
    if (content.header.flight !== undefined && !options.format) return { file: record, content };
    return openCapture(record, { format: options.format, options: options.option, rateHz });
  }
  if (options.format) {
    await mustBeFile(record);
    return openBytes(record, chosenFormat(options.format, options.option), options.option, rateHz);
  }
  if (/\.(csv|tsv|jsonl|ndjson|json|txt)$/i.test(record)) {
    await mustBeFile(record);
    const beats = options.beatsFrom ? await referenceBeats(options.beatsFrom) : null;
    return openTable(record, { signal, rateHz, beats });
  }
  const bare = record.replace(/\.(hea|dat|mat)$/i, '');
  if (await exists(`${bare}.hea`)) {
    const header = await readHeader(bare);
    if (header.signals.length > 0) return openWfdb(bare, { signal, beatsFrom: options.beatsFrom });
  }
  if (/\.[a-z0-9]+$/i.test(record) && (await exists(record))) {
    const stem = record.replace(/\.[a-z0-9]+$/i, '');
    const header = (await exists(`${stem}.hea`)) ? await readHeader(stem) : null;
    return openBeats(record, header?.rateHz ?? null, rateHz);
  }
  for (const extension of ['atr', 'qrs', 'ecg']) {
    if (await exists(`${bare}.${extension}`)) return openRecord(`${bare}.${extension}`, options);
  }
  throw new ReplayError(
    `there is no record ${record}: neither ${bare}.hea nor an annotation file, CSV or (with --format) bytes of that name`,
  );
}

/** A model named on the command line stands in for the configured one. */
function withModels<T extends { models: object }>(inference: T, named: Readonly<Record<string, string>>): T {
  const models: Record<string, string | null> = { ...(inference.models as Record<string, string | null>) };
  for (const [name, folder] of Object.entries(named)) {
    if (!(name in models))
      throw new UsageError(`--model: no model is called '${name}'; there are: ${Object.keys(models).join(', ')}`);
    models[name] = folder === 'none' ? null : folder;
  }
  return { ...inference, models };
}

/** `auto` takes what is faster on the day; a replay must say the same each time, so it takes each bundle's own default. */
function withFixedVariant(inference: InferenceSettings): InferenceSettings {
  return inference.variant === 'auto' ? { ...inference, variant: 'default' } : inference;
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}

async function mustBeFile(file: string): Promise<void> {
  const found = await stat(file).catch((error: Error) => {
    throw new ReplayError(`cannot read ${file}: ${error.message}`);
  });
  if (found.isDirectory()) throw new ReplayError(`cannot read ${file}: it is a folder`);
}

/** Opened at once, so that a name that cannot be written to is told before anything is played. @throws UsageError */
async function openForWriting(option: string, file: string): Promise<FileHandle> {
  return openFile(file, 'w').catch((error: Error) => {
    throw new UsageError(`${option} ${file}: ${error.message}`);
  });
}

function collectModel(text: string, sofar: Record<string, string>) {
  const [key, value] = nameAndValue(text);
  return { ...sofar, [key]: value };
}

function eventTypes(text: string): ReadonlySet<string> {
  const types = text.split(',').filter(Boolean);
  const unknown = types.find((type) => !EVENT_TYPES.some((known) => known === type));
  if (unknown !== undefined || types.length === 0)
    throw new InvalidArgumentError(`It takes ${EVENT_TYPES.join(', ')}, separated by commas.`);
  return new Set(types);
}

function speed(text: string): number | null {
  return text === 'max' ? null : positive(text);
}
