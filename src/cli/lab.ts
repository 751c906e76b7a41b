import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import type { LabProgress } from '../lab/models/beat-ecg/index.js';
import { ProgressBar } from './progress.js';
import { UsageError } from './usage-error.js';

/** Where the steps leave what the next one takes, unless told otherwise. */
const WORK = '.slothd/lab/beat-ecg';

export function labCommand(): Command {
  const lab = new Command('lab').description(
    'Make models: train, prune, quantize, export, evaluate. All in TypeScript.',
  );
  lab.command('setup').description('Say what the lab computes with here, and how to make it faster.').action(setup);
  withData(lab.command('train'))
    .description('Train the float model on DS1 and svdb; cross-validated by patient.')
    .option('--out <dir>', 'where the model goes', join(WORK, 'float'))
    .option('--folds <n>', 'folds by patient; 0 trains only the model itself', whole, 5)
    .option('--seed <n>', 'seed of weights, sampling and augmentation', whole, 0)
    .option('--epochs <n>', "epochs, if not the recipe's", whole)
    .option('--backend <name>', 'native, wasm or auto', 'auto')
    .action(train);
  withData(lab.command('prune'))
    .description('Prune a trained model by magnitude while training it on (PolynomialDecay).')
    .option('--from <dir>', 'the trained model', join(WORK, 'float'))
    .option('--out <dir>', 'where the pruned model goes', join(WORK, 'pruned'))
    .option('--sparsity <share>', "share of each kernel's weights that become zero", share, 0.8)
    .option('--folds <n>', 'folds by patient for its own offsets; 0 keeps those of the float model', whole, 5)
    .option('--backend <name>', 'native, wasm or auto', 'auto')
    .action(prune);
  withData(lab.command('quantize'))
    .description('Write ONNX in float32, float16, int8 (static QDQ) and int8 weights; calibrated on training patients.')
    .option('--from <dir>', 'the trained or pruned model', join(WORK, 'float'))
    .option('--out <dir>', 'where the ONNX files go; beside the model unless told')
    .option('--method <name>', 'MinMax, Entropy or Percentile', 'Percentile')
    .option('--percentile <p>', 'for Percentile: share of values kept, in percent', Number, 99.999)
    .action(quantize);
  withData(lab.command('export'))
    .description('Check every variant in the shipped runtime on the test patients and write the bundle.')
    .option('--work <dir>', 'folder of float/, pruned/ and their onnx/', WORK)
    .option('--out <dir>', 'the bundle', 'models/beat-ecg')
    .option('--version <v>', 'version of the model', '1.0.0')
    .option('--default <variant>', 'variant to run by default', 'pruned-int8')
    .action(exportBundle);
  withData(lab.command('evaluate'))
    .description('Figures of a trained model on the test patients (DS2), reference beats.')
    .argument('[dir]', 'folder of a trained or pruned model', join(WORK, 'float'))
    .option('--json', 'as JSON, with every record')
    .action(evaluate);
  return lab;
}

interface DataOptions {
  readonly data?: string;
}

function withData(command: Command): Command {
  return command.option(
    '--data <dir>',
    'folder that holds mitdb/ and svdb/ ($SLOTHD_DATA, else the cache of `slothd data`)',
  );
}

/** The lab's own packages are optional: a device has none of them. */
async function beatEcg() {
  try {
    return await import('../lab/models/beat-ecg/index.js');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new UsageError('the lab needs TensorFlow.js: `npm install --include=optional` in the slothd folder');
  }
}

async function dataOptions({ data }: DataOptions) {
  const { needDatabase } = await import('../lab/data/find.js');
  return { dataFolder: data ?? dirname(needDatabase('mitdb')), cacheFolder: join(WORK, 'cache') };
}

function reporter() {
  const bar = new ProgressBar();
  const onProgress = ({ stage, done, of, epoch }: LabProgress) =>
    bar.show(stage, done, of, epoch ? `epoch ${epoch.epoch} loss ${epoch.loss.toFixed(4)}` : '');
  return { bar, onProgress };
}

async function setup(): Promise<void> {
  await beatEcg();
  const { openBackend, NATIVE_SETUP } = await import('../lab/backend.js');
  const { name, description } = await openBackend();
  process.stdout.write(`${description}\n${name === 'native' ? '' : `${NATIVE_SETUP}\n`}`);
}

async function train(
  options: DataOptions & { out: string; folds: number; seed: number; epochs?: number; backend: 'auto' },
) {
  const { trainBeatEcg } = await beatEcg();
  const { bar, onProgress } = reporter();
  const training = await trainBeatEcg({
    ...(await dataOptions(options)),
    outFolder: options.out,
    folds: options.folds,
    seed: options.seed,
    backend: options.backend,
    recipe: options.epochs ? { epochs: options.epochs } : {},
    onProgress,
  });
  bar.end();
  process.stdout.write(`${options.out}: trained on ${training.trainedOn.length} records with ${training.backend}\n`);
  process.stdout.write(`${JSON.stringify(training.validation, null, 1)}\n`);
}

async function prune(
  options: DataOptions & { from: string; out: string; sparsity: number; folds: number; backend: 'auto' },
) {
  const { pruneBeatEcg } = await beatEcg();
  const { bar, onProgress } = reporter();
  const training = await pruneBeatEcg({
    ...(await dataOptions(options)),
    modelFolder: options.from,
    outFolder: options.out,
    sparsity: options.sparsity,
    folds: options.folds,
    backend: options.backend,
    onProgress,
  });
  bar.end();
  process.stdout.write(`${options.out}: ${(training.sparsity * 100).toFixed(1)} % of the kernels' weights are zero\n`);
}

async function quantize(options: DataOptions & { from: string; out?: string; method: string; percentile: number }) {
  const { quantizeBeatEcg } = await beatEcg();
  const { method } = options;
  if (method !== 'MinMax' && method !== 'Entropy' && method !== 'Percentile') {
    throw new UsageError(`--method ${method}: there are MinMax, Entropy and Percentile`);
  }
  const { bar, onProgress } = reporter();
  const outFolder = options.out ?? join(options.from, 'onnx');
  const { calibration } = await quantizeBeatEcg({
    ...(await dataOptions(options)),
    modelFolder: options.from,
    outFolder,
    method,
    percentile: options.percentile,
    onProgress,
  });
  bar.end();
  process.stdout.write(
    `${outFolder}: fp32, fp16, int8, int8-weights; calibrated on ${calibration.items} beats (${method})\n`,
  );
}

async function exportBundle(options: DataOptions & { work: string; out: string; version: string; default: string }) {
  const { exportBeatEcg } = await beatEcg();
  const { bar, onProgress } = reporter();
  mkdirSync(dirname(options.out), { recursive: true });
  const { manifest, fellBack } = await exportBeatEcg({
    ...(await dataOptions(options)),
    floatFolder: join(options.work, 'float'),
    prunedFolder: join(options.work, 'pruned'),
    floatOnnxFolder: join(options.work, 'float', 'onnx'),
    prunedOnnxFolder: join(options.work, 'pruned', 'onnx'),
    outDir: options.out,
    version: options.version,
    defaultVariant: options.default,
    onProgress: (done, of, what) => onProgress({ stage: `reading ${what}`, done, of }),
  });
  bar.end();
  process.stdout.write(`${options.out}: ${manifest.variants.map((v) => `${v.id} ${v.bytes} bytes`).join(', ')}\n`);
  if (fellBack) process.stdout.write(`the default is fp32: ${options.default} ${fellBack}\n`);
}

async function evaluate(folder: string, options: DataOptions & { json?: boolean }) {
  const { evaluateBeatEcg } = await beatEcg();
  const { bar, onProgress } = reporter();
  const figures = await evaluateBeatEcg({
    ...(await dataOptions(options)),
    modelFolder: folder,
    onProgress: (done, of, what) => onProgress({ stage: `reading ${what}`, done, of }),
  });
  bar.end();
  if (options.json) {
    process.stdout.write(`${JSON.stringify(figures, null, 1)}\n`);
    return;
  }
  const percent = (value: number) => `${(value * 100).toFixed(2)}`.padStart(7);
  process.stdout.write(`${''.padEnd(14)} accuracy    N Se    S Se   S PPV    S F1    V Se   V PPV    V F1\n`);
  for (const [name, { accuracy, N, S, V }] of Object.entries({
    'DS2 pooled': figures.pooled,
    'without 232': figures.without232,
    'outside AF': figures.outsideAf,
    'inside AF': figures.insideAf,
  })) {
    const cells = [
      N.sensitivity,
      S.sensitivity,
      S.positivePredictivity,
      S.f1,
      V.sensitivity,
      V.positivePredictivity,
      V.f1,
    ];
    process.stdout.write(`${name.padEnd(14)}  ${percent(accuracy)} ${cells.map(percent).join(' ')}\n`);
  }
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('a whole number is needed');
  return value;
}

function share(text: string): number {
  const value = Number(text);
  if (!(value >= 0 && value < 1)) throw new InvalidArgumentError('a share from 0 up to below 1 is needed');
  return value;
}
