import { basename } from 'node:path';
import { Command, Option } from 'commander';
import { loadConfig } from '../config/load.js';
import { configSchema } from '../config/schema.js';
import type { AlertDetails } from '../daemon/alert-history.js';
import { decodeCapture } from '../sensor/capture/container.js';
import { type Daemon, daemonOf, idOf } from './alerts.js';
import { collectOption, positive } from './arguments.js';
import { type ExportRecording, Gatherer } from './export/recording.js';
import { type ExportFormat, writeExport } from './export/write.js';
import { flightOrigin, replayFlight } from './replay/flight.js';
import { replaySource } from './replay/run.js';
import { type Flight, loadModels, modelsForReplay, openRecord, type RecordOptions } from './replay.js';
import { UsageError } from './usage-error.js';
import { VERSION } from './version.js';

interface Flags extends RecordOptions {
  readonly to: ExportFormat;
  readonly out: string;
  readonly alert?: string;
  readonly config?: string;
}

const SYSTEM_CONFIG = '/etc/slothd/slothd.yaml';

/** `slothd export`: for a cardiologist's viewer. */
export function exportCommand(): Command {
  return new Command('export')
    .description(
      'Turn a recording, or the evidence of an alert of the running daemon, into WFDB, EDF+ or CSV, with beats and alerts as annotations.',
    )
    .argument('[record]', 'what `slothd replay` plays: WFDB, CSV, a capture, a stretch saved by `alerts show --save`')
    .option('--alert <id>', 'of the running daemon, by its id or the first letters of it')
    .addOption(
      new Option('--to <format>', 'wfdb, edf (EDF+) or csv').choices(['wfdb', 'edf', 'csv']).makeOptionMandatory(),
    )
    .requiredOption('-o, --out <file>', 'the file; for wfdb the record, without extension')
    .option('--signal <n|name>', 'which signal or column; the first where left out')
    .option('--format <id>', 'the record is raw bytes of this wire format')
    .option('--option <key=value>', "the format's own option, repeatable", collectOption, {})
    .option('--beats-from <file>', 'take the beats of this annotation file instead of detecting them')
    .option('--rate <hz>', 'samples or ticks per second, where the record does not say', positive)
    .option(
      '-c, --config <file>',
      `thresholds and models from this config; with --alert the daemon's (${SYSTEM_CONFIG})`,
    )
    .action(async (record: string | undefined, flags: Flags) => {
      const recording = await recordingOf(record, flags);
      const files = await writeExport(recording, flags.to, flags.out, `slothd ${VERSION}`).catch((error: Error) => {
        throw new UsageError(`${flags.out} could not be written: ${error.message}`);
      });
      const { beats, marks, signal, rateHz } = recording;
      const lasts = Math.round((10 * signal.samples.length) / rateHz) / 10;
      process.stdout.write(`${files.join(', ')}: ${lasts} s, ${beats.length} beats, ${marks.length} alerts\n`);
    });
}

async function recordingOf(record: string | undefined, flags: Flags): Promise<ExportRecording> {
  if ((record === undefined) === (flags.alert === undefined)) throw new UsageError('name a record, or an --alert');
  if (flags.alert !== undefined) return alertRecording(await daemonOf(flags.config ?? SYSTEM_CONFIG), flags.alert);
  const opened = await openRecord(record!, flags);
  return 'content' in opened ? flightRecording(opened) : playedRecording(opened, flags);
}

async function playedRecording(source: Parameters<typeof replaySource>[0], flags: Flags): Promise<ExportRecording> {
  const config = flags.config
    ? await loadConfig(flags.config)
    : configSchema.parse({
        sensors: [{ name: 'export', format: 'none', link: { type: 'tcp', host: 'none', port: 1 } }],
      });
  const models = await loadModels(config.inference);
  const gatherer = new Gatherer();
  try {
    await replaySource(source, {
      ...modelsForReplay(models),
      alarms: config.alarms,
      version: VERSION,
      speed: null,
      write: () => {},
      tap: gatherer,
    });
  } finally {
    await models.stop();
  }
  const { record: name, rateHz, carries } = source;
  return gatherer.recording({ name: plainName(name), startedAt: null, rateHz, carries });
}

/** The stretch an alert was decided on, or where there is none any more, the seconds that were sent with it. */
export async function alertRecording(daemon: Daemon, id: string): Promise<ExportRecording> {
  const found = await idOf(daemon.ask, id);
  try {
    const bytes = await daemon.download(`alerts/${found}/recording`);
    return await flightRecording({ file: found, content: decodeCapture(bytes) });
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return evidenceRecording((await daemon.ask(`alerts/${found}`)) as AlertDetails);
  }
}

async function flightRecording({ file, content }: Flight): Promise<ExportRecording> {
  const gatherer = new Gatherer();
  await replayFlight(content, { record: file, version: VERSION, write: () => {}, tap: gatherer });
  const { carries, rateHz, sensor } = flightOrigin(content);
  const startedAt = new Date(content.header.startedAt);
  return gatherer.recording({ name: plainName(`${sensor}-${basename(file)}`), startedAt, rateHz, carries });
}

function evidenceRecording(alert: AlertDetails): ExportRecording {
  const { signal } = alert.evidence;
  if (!signal) throw new UsageError(`of alert ${alert.id} neither a recording nor a waveform is kept`);
  const endS = signal.samples.length / signal.rateHz;
  return {
    name: plainName(alert.id),
    // Where in the evidence the alert began is not kept; it was raised at its end.
    startedAt: new Date(Date.parse(alert.raisedAt) - endS * 1000),
    rateHz: signal.rateHz,
    signal: { name: 'ECG', unit: signal.unit, samples: Float32Array.from(signal.samples) },
    beats: [],
    marks: [{ atS: endS, text: `alert ${alert.kind} (${alert.priority})` }],
  };
}

const plainName = (text: string) => text.replace(/\.\w+$/, '').replace(/[^A-Za-z0-9_-]+/g, '-');
