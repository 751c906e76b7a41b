import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Dataset, SourceModel, Strategy } from '../../lab/convert/index.js';
import { positive } from '../arguments.js';
import { ProgressBar } from '../progress.js';
import { UsageError } from '../usage-error.js';
import { labImport, say } from './model.js';

interface ConvertArguments {
  readonly out?: string;
  readonly name?: string;
  readonly version: string;
  readonly strategy?: Strategy;
  readonly type?: string;
  readonly data?: string;
  readonly rate?: number;
  readonly step?: number;
  readonly signals?: readonly string[];
  readonly standardize?: boolean;
  readonly maxItems?: number;
  readonly inputShape?: ReadonlyMap<string, readonly number[]>;
  readonly output?: string;
  readonly labels?: readonly string[];
  readonly method?: 'MinMax' | 'Entropy' | 'Percentile';
  readonly percentile?: number;
  readonly minAgreement?: number;
}

const load = () => labImport(() => import('../../lab/convert/index.js'));

const EXAMPLES = `
Six steps: the model, the strategy, the data type, the representative dataset, the conversion, the bundle. What is not given
as an option is asked for on a terminal, and takes its default elsewhere.

  slothd lab convert model.keras
  slothd lab convert model.h5 --strategy static --data recordings/ --rate 128 --labels normal,ectopic
  slothd lab convert tfjs-model/ --strategy dynamic --out models/mine
  slothd lab convert saved_model/ --strategy float16
  slothd lab convert model.onnx --strategy static --data windows.npy`;

export function convertCommand(): Command {
  return new Command('convert')
    .description('Make a bundle of a model from Keras, TensorFlow.js, a TensorFlow SavedModel or ONNX.')
    .argument('<model>', '.keras, .h5 or .onnx file, model.json, or folder of a SavedModel or TensorFlow.js model')
    .addOption(
      new Option('--strategy <name>', 'what to do about size and speed').choices([
        'none',
        'float16',
        'dynamic',
        'static',
      ]),
    )
    .option(
      '--type <name>',
      'data type: dynamic int8-weights or int8; static int8 (7-bit weights) or int8-full (8-bit)',
    )
    .option('--data <path>', 'representative dataset: folder, CSV, JSON, .npy, .npz, or WFDB record(s)')
    .option('--rate <hz>', 'WFDB: bring the signals to this rate', positive)
    .option('--step <s>', 'WFDB: seconds from window to window (one window)', positive)
    .option('--signals <names>', "WFDB: signals for the model's channels, by name or number", commas)
    .option('--standardize', 'WFDB: bring each window to mean 0 and standard deviation 1')
    .option('--max-items <n>', 'most items to use, taken evenly (2000)', positive)
    .option('--input-shape <sizes>', 'shape of an open input without the batch: 128,1 or name=128,1', shape, new Map())
    .option('--output <name>', 'which output the bundle is about (the first, the others stay in the file)')
    .option('--labels <names>', 'names of the output values', commas)
    .addOption(
      new Option('--method <name>', 'how ranges are found (Percentile)').choices(['MinMax', 'Entropy', 'Percentile']),
    )
    .option('--percentile <p>', 'for Percentile: share of values kept, in percent (99.999)', positive)
    .option('--min-agreement <share>', 'refuse below this share of items with the same class', share, 0.99)
    .option('--name <name>', "the bundle's name (the file's)")
    .option('--version <v>', 'version of the model', '1.0.0')
    .option('--out <dir>', 'the bundle (models/<name>)')
    .addHelpText('after', EXAMPLES)
    .action(convert);
}

async function convert(path: string, options: ConvertArguments): Promise<void> {
  const lab = await load();
  const [{ UnsupportedLayerError }, { ExportRefusedError }, { CalibrationError, QuantizationError }] = await labImport(
    () =>
      Promise.all([
        import('../../lab/onnx/index.js'),
        import('../../lab/export/index.js'),
        import('../../lab/quantize/index.js'),
      ]),
  );
  const bar = new ProgressBar();
  const ask = new Questions();
  try {
    const source = await lab.openSource(path, { inputShapes: options.inputShape });
    say(`1/6 model: ${source.description}\n${outline(source, lab.inputsOf(source.onnx))}`);
    const strategy =
      options.strategy ?? (await ask.choice('2/6 strategy', STRATEGY_TEXTS, options.data ? 'static' : 'dynamic'));
    if (options.strategy || !ask.possible) say(`2/6 strategy: ${strategy}`);
    const types = lab.DATA_TYPES[strategy];
    const dataType =
      options.type ??
      (types.length > 1 ? await ask.choice('3/6 data type', pick(TYPE_TEXTS, types), types[0]!) : types[0]!);
    if (!types.includes(dataType)) {
      throw new UsageError(
        `data type ${dataType} does not go with strategy ${strategy}, which has ${types.join(', ')}`,
      );
    }
    if (options.type || types.length === 1 || !ask.possible) say(`3/6 data type: ${dataType}`);
    const dataset = await representative(source, strategy, options, ask);
    say('5/6 convert');
    const name = options.name ?? source.name;
    if (!/^[a-z0-9][a-z0-9._-]{0,59}$/.test(name)) {
      throw new UsageError(`--name ${name}: lower-case letters, digits, dot, dash and underscore only`);
    }
    const outDir = options.out ?? join('models', name);
    mkdirSync(dirname(outDir), { recursive: true });
    const result = await lab.convertModel(source, {
      ...{ outDir, name, version: options.version, strategy, dataType, dataset },
      ...{ labels: options.labels, output: options.output, method: options.method, percentile: options.percentile },
      minAgreement: options.minAgreement,
      onStage: (stage, done, of) => bar.show(`    ${stage}`, done, of),
    });
    bar.end();
    say(`6/6 bundle: ${outDir}\n${summary(result)}\nCheck it with: slothd model verify ${outDir}`);
  } catch (error) {
    bar.end();
    const ours = [lab.ConvertError, UnsupportedLayerError, ExportRefusedError, CalibrationError, QuantizationError];
    if (ours.some((type) => error instanceof type)) throw new UsageError((error as Error).message);
    throw error;
  } finally {
    ask.close();
  }
}

async function representative(
  source: SourceModel,
  strategy: Strategy,
  options: ConvertArguments,
  ask: Questions,
): Promise<Dataset | null> {
  const lab = await load();
  let path = options.data;
  if (path === undefined && strategy === 'static') {
    path = await ask.text('4/6 representative dataset (folder, CSV, JSON, .npy, .npz or WFDB record)');
    if (!path) throw new UsageError('static int8 needs a representative dataset: --data <path>');
  }
  if (path === undefined) {
    say('4/6 representative dataset: none (agreement is shown on seeded noise)');
    return null;
  }
  const dataset = await lab.loadDataset(path, lab.inputsOf(source.onnx), {
    ...{ rateHz: options.rate, stepS: options.step, signals: options.signals },
    ...{ standardize: options.standardize, maxItems: options.maxItems },
  });
  say(`4/6 representative dataset: ${dataset.description}`);
  for (const range of dataset.ranges ?? []) say(`    ${range}`);
  for (const warning of dataset.warnings) say(`    note: ${warning}`);
  return dataset;
}

function outline({ onnx }: SourceModel, inputs: readonly { name: string; shape: readonly number[] }[]): string {
  const { nodes, initializers, outputs } = onnx.graph;
  const values = [...initializers.values()].reduce((sum, { data }) => sum + data.length, 0);
  return [
    ...inputs.map(({ name, shape }) => `    input ${name}: ${shape.join(' x ')}`),
    ...outputs.map(({ name, shape }) => `    output ${name}: ${shape?.slice(1).join(' x ') ?? '?'}`),
    `    ${nodes.length} nodes, ${values} constants`,
  ].join('\n');
}

type Result = Awaited<ReturnType<Awaited<ReturnType<typeof load>>['convertModel']>>;

function summary({ exported, source, noReference, quantized, keptFloat, warnings }: Result): string {
  const { manifest, fellBack } = exported;
  const float = manifest.variants.find(({ id }) => id === 'fp32')!;
  const percent = (share: number) => `${(share * 100).toFixed(2)} %`;
  const lines = [
    source
      ? `    float file against the source model (${source.by}, ${source.items} items): max difference ${source.maxDifference.toPrecision(2)}, ${source.measure} ${percent(source.classes)}`
      : `    float file not compared with the source model's own program: ${noReference}`,
  ];
  if (quantized) {
    lines.push(
      `    quantized against float (${quantized.items} held-out items): max difference ${quantized.maxDifference.toPrecision(2)}, ${quantized.measure} ${percent(quantized.classes)}`,
    );
  }
  for (const warning of warnings) lines.push(`    note: ${warning}`);
  if (keptFloat.length > 0) lines.push(`    layers kept float, because classes changed: ${keptFloat.join(', ')}`);
  for (const variant of manifest.variants) {
    const { p50Us } = variant.metrics.latency as { p50Us: number };
    const smaller = variant === float ? '' : `, ${(float.bytes / variant.bytes).toFixed(2)} times smaller`;
    const mark = variant.id === manifest.defaultVariant ? ' *' : '';
    lines.push(`    ${`${variant.id}${mark}`.padEnd(15)} ${variant.bytes} bytes${smaller}, ${p50Us.toFixed(1)} us`);
  }
  if (fellBack) lines.push(`    the default is fp32: the quantized variant, ${fellBack}`);
  return lines.join('\n');
}

const STRATEGY_TEXTS: Readonly<Record<Strategy, string>> = {
  none: 'float32 as it is',
  float16: 'half the bytes, same speed, no data needed',
  dynamic: 'int8 weights, a quarter of the bytes, no data needed',
  static: 'int8 weights and activations; needs a representative dataset',
};

const TYPE_TEXTS: Readonly<Record<string, string>> = {
  'int8-weights': 'int8 weights, float arithmetic',
  int8: 'int8 arithmetic (static: 7-bit weights, the same answer on every machine)',
  'int8-full': '8-bit weights; may saturate on x64 machines without VNNI',
};

const pick = (texts: Readonly<Record<string, string>>, keys: readonly string[]) =>
  Object.fromEntries(keys.map((key) => [key, texts[key] ?? '']));

/** Asks on a terminal; elsewhere everything takes its default. */
class Questions {
  readonly possible = process.stdin.isTTY === true && process.stdout.isTTY === true;
  private readonly lines = this.possible ? createInterface({ input: process.stdin, output: process.stdout }) : null;

  async choice<Key extends string>(title: string, texts: Readonly<Record<Key, string>>, fallback: Key): Promise<Key> {
    if (!this.lines) return fallback;
    const keys = Object.keys(texts) as Key[];
    const list = keys.map((key, i) => `  ${i + 1} ${key.padEnd(13)} ${texts[key]}`).join('\n');
    for (;;) {
      const answer = (await this.lines.question(`${title}\n${list}\n  number or name [${fallback}]: `)).trim();
      const chosen = answer === '' ? fallback : (keys.find((key) => key === answer) ?? keys[Number(answer) - 1]);
      if (chosen) return chosen;
    }
  }

  async text(title: string): Promise<string> {
    return this.lines ? (await this.lines.question(`${title}: `)).trim() : '';
  }

  close(): void {
    this.lines?.close();
  }
}

function commas(text: string): string[] {
  const parts = text.split(',').map((part) => part.trim());
  if (parts.some((part) => part === '')) throw new InvalidArgumentError('names with commas between them are needed');
  return parts;
}

function share(text: string): number {
  const value = Number(text);
  if (!(value >= 0 && value <= 1)) throw new InvalidArgumentError('a share from 0 to 1 is needed');
  return value;
}

function shape(text: string, sofar: ReadonlyMap<string, readonly number[]>): ReadonlyMap<string, readonly number[]> {
  const [, name = '', sizes = ''] = /^(?:([^=]+)=)?(.*)$/.exec(text) ?? [];
  const values = sizes.split(/[,x]/).map(Number);
  if (values.some((size) => !Number.isInteger(size) || size < 1)) {
    throw new InvalidArgumentError('sizes with commas between them are needed, as 128,1');
  }
  return new Map([...sofar, [name, values]]);
}
