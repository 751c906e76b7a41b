import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { bundleFolder } from '../../daemon/models.js';
import type { OwnRecording } from '../../lab/personalize/index.js';
import { positive } from '../arguments.js';
import { ProgressBar } from '../progress.js';
import { captureSamples } from '../replay/capture-samples.js';
import { ReplayError } from '../replay/source.js';
import { isCaptureFile } from '../replay/source-capture.js';
import { UsageError } from '../usage-error.js';
import { say } from './model.js';

interface PersonalizeArguments {
  readonly from: string;
  readonly out?: string;
  readonly beats?: string;
  readonly unlabelled?: boolean;
  readonly signal?: string;
  readonly rate?: number;
}

const HELP = `
With beats that somebody reviewed the model's last layer is trained on them; with --unlabelled, where nobody did, only its
offsets follow the person's own mix of beats. The last 40 % of the recording are held out: a model that is no better on them is
refused and nothing is written. The model it came from stays; \`slothd model rollback\` returns to it.

  slothd record --port /dev/ttyUSB0 --out night.cap            # or any WFDB record
  slothd replay night.cap --annotations night.atr               # the beats; review them in any WFDB viewer
  slothd lab personalize night.cap --beats night.atr
  slothd model install .slothd/personal/beat-ecg --activate     # and: slothd model rollback beat-ecg`;

export function personalizeCommand(): Command {
  return new Command('personalize')
    .description("Fit a beat model to one person's own recording; in seconds, without TensorFlow.")
    .argument('<recording>', 'capture of `slothd record`, or a WFDB record')
    .option('--beats <file>', "annotation file with the recording's beats (a WFDB record's own .atr)")
    .option('--unlabelled', 'nobody reviewed the classes of the beats: use their places alone')
    .option('--signal <name>', 'which signal of a WFDB record, by name or number (the first)')
    .option('--rate <hz>', "a capture's sample rate, where it does not say", positive)
    .option('--from <bundle>', 'the model to start from: folder, or name of a shipped one', 'beat-ecg')
    .option('--out <dir>', 'where the personal model goes (.slothd/personal/<name>)')
    .addHelpText('after', HELP)
    .action(run);
}

async function run(path: string, options: PersonalizeArguments): Promise<void> {
  const { personalize, PersonalizeError } = await import('../../lab/personalize/index.js');
  const { WfdbError } = await import('../../lab/wfdb/index.js');
  const bar = new ProgressBar();
  try {
    const recording = await read(path, options);
    const folder = await bundleFolder(options.from);
    const outDir = options.out ?? join('.slothd', 'personal', 'beat-ecg');
    const startedMs = performance.now();
    const result = await personalize({
      ...{ bundleFolder: folder, recording, outDir },
      onStage: (stage, done, of) => bar.show(stage, done, of),
    });
    bar.end();
    const percent = (value: number) => `${(value * 100).toFixed(2)} %`.padStart(9);
    say(
      `${outDir}: ${result.method === 'head' ? 'head trained' : 'recalibrated'} on ${result.trainedBeats} beats in ${((performance.now() - startedMs) / 1000).toFixed(1)} s, version ${result.version}`,
    );
    const { before, after } = result;
    if (before && after) {
      say(`on ${result.heldOutBeats} held-out beats   accuracy      N F1      S F1      V F1`);
      for (const [name, { accuracy, N, S, V }] of [
        ['before', before],
        ['after', after],
      ] as const) {
        say(`  ${name.padEnd(22)} ${[accuracy, N.f1, S.f1, V.f1].map(percent).join(' ')}`);
      }
    } else {
      say(
        `on ${result.heldOutBeats} held-out beats log likelihood of a beat rises by ${result.likelihoodGain?.toFixed(4)}; offsets ${result.logitOffsets.join(', ')}`,
      );
    }
    say(`Let it run: slothd model install ${outDir} --activate    Return: slothd model rollback beat-ecg`);
  } catch (error) {
    bar.end();
    if (error instanceof PersonalizeError || error instanceof WfdbError || error instanceof ReplayError)
      throw new UsageError(error.message);
    throw error;
  }
}

async function read(path: string, options: PersonalizeArguments): Promise<OwnRecording> {
  const { isBeatSymbol, readAnnotations, readRecord } = await import('../../lab/wfdb/index.js');
  const labelled = options.unlabelled !== true;
  if (await isCaptureFile(path)) {
    if (!options.beats) {
      throw new UsageError(
        `${path} is a capture: give its beats with --beats FILE (slothd replay ${path} --annotations FILE finds them)`,
      );
    }
    const { samples, rateHz } = await captureSamples(path, options.rate);
    const beats = (await readAnnotations(options.beats)).filter(({ symbol }) => isBeatSymbol(symbol));
    return { name: path, rateHz, samples, beats, labelled };
  }
  const bare = path.replace(/\.(hea|dat)$/, '');
  if (!existsSync(`${bare}.hea`)) {
    throw new UsageError(
      `${path} is neither a capture of \`slothd record\` nor a WFDB record (there is no ${bare}.hea)`,
    );
  }
  const record = await readRecord(bare);
  const key = options.signal ?? '0';
  const signal = record.signals.find(({ name }) => name === key) ?? record.signals[Number(key)];
  if (!signal)
    throw new UsageError(`${path} has no signal '${key}'; it has ${record.signals.map(({ name }) => name).join(', ')}`);
  if (signal.checksumOk === false) {
    process.stderr.write(`note: ${signal.name} of ${path} does not add up to its checksum; the file may be damaged\n`);
  }
  const beats = (await readAnnotations(options.beats ?? `${bare}.atr`)).filter(({ symbol }) => isBeatSymbol(symbol));
  return { name: record.name, rateHz: record.rateHz, samples: signal.samples, beats, labelled };
}
