import { Command, InvalidArgumentError, Option } from 'commander';
import { dataCommand } from './data.js';
import { anomalyRr } from './lab/anomaly-rr.js';
import { beatEcg } from './lab/beat-ecg.js';
import { evaluateBundle, isBundle, type ReportArguments, report } from './lab/bundle.js';
import { convertCommand } from './lab/convert.js';
import type {
  DataOptions,
  EvaluateArguments,
  ExportArguments,
  LabModel,
  PruneArguments,
  PruneTableArguments,
  QuantizeArguments,
  TrainArguments,
} from './lab/model.js';
import { personalizeCommand } from './lab/personalize.js';
import { pruningTable } from './lab/pruning-table.js';
import { rhythmRr } from './lab/rhythm-rr.js';
import { setupCommand } from './lab/setup.js';
import { shockableEcg } from './lab/shockable-ecg.js';
import { UsageError } from './usage-error.js';

/** The models that the lab makes. */
const MODELS: Readonly<Record<string, LabModel>> = {
  'beat-ecg': beatEcg,
  'rhythm-rr': rhythmRr,
  'shockable-ecg': shockableEcg,
  'anomaly-rr': anomalyRr,
};

type WithModel<Options extends DataOptions> = Options & { readonly model: string };

export function labCommand(): Command {
  const lab = new Command('lab').description(
    'Make models: train, prune, quantize, export, evaluate. All in TypeScript.',
  );
  lab.addCommand(setupCommand());
  lab.addCommand(dataCommand());
  verb(lab, 'train')
    .description('Train the float model on its training recordings; cross-validated by patient.')
    .option('--out <dir>', 'where the model goes (.slothd/lab/<model>/float)')
    .option(
      '--split <file>',
      'beat-ecg: recordings of your own to train and test on, a JSON file (docs/lab.md); the later steps follow it',
    )
    .option('--folds <n>', "folds by patient, if not the recipe's; 0 trains only the model itself", whole)
    .option('--seed <n>', 'seed of weights, sampling and augmentation', whole, 0)
    .option(
      '--seeds <n>',
      'beat-ecg: seeds to cross-validate, from --seed on, to tell what is chance; the first is trained',
      whole,
      1,
    )
    .option('--epochs <n>', "epochs, if not the recipe's", whole)
    .option('--resume', 'go on with a training of the same settings that was stopped or killed')
    .option(
      '--patience <n>',
      'beat-ecg: stop after so many epochs without a better validation loss, keep the best',
      whole,
    )
    .option('--class-weights <list>', 'beat-ecg: what an error on N, S and V weighs, such as 1,2,1', weights)
    .option(
      '--muscle <share>',
      'beat-ecg: add recorded muscle noise (nstdb) of up to this deviation, in QRS heights',
      share,
    )
    .option('--baseline <share>', 'beat-ecg: add recorded baseline wander (nstdb), likewise', share)
    .option('--mains <share>', 'beat-ecg: add mains hum of up to this amplitude, in QRS heights, such as 0.1', share)
    .option('--backend <name>', 'native, wasm or auto', 'auto')
    .action((options: WithModel<TrainArguments>) => {
      refuseSplit(options);
      return of(options).train(options);
    });
  verb(lab, 'prune')
    .description('Prune a trained model while training it on: single weights by magnitude, or whole channels.')
    .option('--from <dir>', 'the trained model (.slothd/lab/<model>/float)')
    .option('--out <dir>', 'where the pruned model goes (.slothd/lab/<model>/pruned)')
    .option('--sparsity <share>', "share of each kernel's weights that become zero, if not the recipe's", share)
    .addOption(
      new Option('--schedule <name>', 'how the sparsity rises').choices(['PolynomialDecay', 'ConstantSparsity']),
    )
    .option('--layer <name=share>', 'sparsity of one layer; may be given again', layerShare)
    .option('--levels <n>', 'beat-ecg: put weights on so many steps to either side of zero: compresses better', whole)
    .option(
      '--channels <share>',
      'take out this share of the channels of every layer that can lose some, then fine-tune',
      share,
    )
    .option('--channels-of <name=share>', 'the same for one layer; may be given again', layerShare)
    .option('--resume', 'go on with a pruning of the same settings that was stopped or killed')
    .option(
      '--folds <n>',
      'beat-ecg: folds by patient for its own offsets, those of the training unless told; 0 keeps those of the float model',
      whole,
    )
    .option(
      '--table',
      'prune nothing for keeps: print what each share of --shares and --channel-shares costs and brings, on a fifth of the patients',
    )
    .option('--shares <list>', 'with --table: shares of single weights', shares, [0.5, 0.8, 0.9, 0.95])
    .option('--channel-shares <list>', 'with --table: shares of whole channels', shares, [0.25, 0.5, 0.75])
    .option('--json', 'with --table: as JSON')
    .option('--backend <name>', 'native, wasm or auto', 'auto')
    .action((options: WithModel<PruneArguments & PruneTableArguments> & { table?: boolean }) =>
      options.table ? pruningTable(of(options), options) : of(options).prune(options),
    );
  verb(lab, 'quantize')
    .description('Write ONNX in float32, float16, int8 (static QDQ) and int8 weights; calibrated on training patients.')
    .option('--from <dir>', 'the trained or pruned model (.slothd/lab/<model>/float)')
    .option('--out <dir>', 'where the ONNX files go; beside the model unless told')
    .addOption(
      new Option('--method <name>', 'how the ranges are found')
        .choices(['MinMax', 'Entropy', 'Percentile'])
        .default('Percentile'),
    )
    .option('--percentile <p>', 'for Percentile: share of values kept, in percent', Number, 99.999)
    .option(
      '--max-loss <points>',
      'beat-ecg: points of accuracy that int8 may lose on validation patients; layers that cost more stay float',
      Number,
    )
    .option('--aware <epochs>', 'beat-ecg: epochs of quantization-aware fine-tuning before', whole)
    .action((options: WithModel<QuantizeArguments>) => of(options).quantize(options));
  verb(lab, 'export')
    .description('Check every variant in the shipped runtime on the test patients and write the bundle.')
    .option('--work <dir>', 'folder of float/, pruned/ and their onnx/ (.slothd/lab/<model>)')
    .option('--out <dir>', 'the bundle (models/<model>)')
    .option('--version <v>', 'version of the model', '1.0.0')
    .option('--notes <file>', 'Markdown that joins the card, such as figures of replays')
    .option('--again <bundle>', 'rhythm-rr: measures a finished bundle anew and tells it anew, its files as they are')
    .option('--default <variant>', 'variant to run by default (beat-ecg: pruned-int8, rhythm-rr: int8)')
    .action((options: WithModel<ExportArguments>) => of(options).export(options));
  verb(lab, 'evaluate')
    .description('Figures of a trained model, or of every variant of a bundle, on the test patients, reference beats.')
    .argument('[dir]', 'folder of a trained or pruned model, or of a bundle (.slothd/lab/<model>/float)')
    .option('--json', 'as JSON, with every record')
    .option('--events <file>', 'rhythm-rr: figures of what `slothd replay` wrote of records of mitdb or afdb instead')
    .action((folder: string | undefined, options: WithModel<EvaluateArguments>) =>
      folder !== undefined && isBundle(folder)
        ? evaluateBundle(of(options), folder, options)
        : of(options).evaluate(folder, options),
    );
  lab.addCommand(convertCommand());
  lab.addCommand(personalizeCommand());
  verb(lab, 'report')
    .description(
      'One HTML page about a bundle: tables, ROC and precision-recall, confusion, reliability, by record, curves.',
    )
    .option('--bundle <dir>', 'the bundle (models/<model>)')
    .option('--work <dir>', 'folder of float/ and pruned/, for the training curves (.slothd/lab/<model>)')
    .option('--out <file>', 'the page (report.html in the work folder)')
    .action((options: WithModel<ReportArguments>) => report(of(options), options));
  return lab;
}

function verb(lab: Command, name: string): Command {
  return lab
    .command(name)
    .addOption(new Option('--model <name>', 'which model').choices(Object.keys(MODELS)).default('beat-ecg'))
    .option('--data <dir>', 'folder that holds mitdb/ and the others ($SLOTHD_DATA, else the cache of `slothd data`)');
}

function of({ model }: { readonly model: string }): LabModel {
  return MODELS[model]!;
}

/** The people of the other models are part of their recipes. */
function refuseSplit({ model, split }: WithModel<TrainArguments>): void {
  if (split === undefined || model === 'beat-ecg') return;
  throw new UsageError(`${model} takes no --split: beat-ecg can be trained on recordings of your own`);
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw new InvalidArgumentError('a whole number is needed');
  return value;
}

function weights(text: string): number[] {
  const values = text.split(',').map(Number);
  if (!values.every((value) => value > 0)) throw new InvalidArgumentError('positive numbers with commas are needed');
  return values;
}

function layerShare(text: string, before: Readonly<Record<string, number>> = {}): Record<string, number> {
  const [name, value] = text.split('=');
  if (!name || value === undefined) throw new InvalidArgumentError('a layer and a share are needed, such as conv1=0.5');
  return { ...before, [name]: share(value) };
}

function shares(text: string): number[] {
  return text === '' || text === 'none' ? [] : text.split(',').map(share);
}

function share(text: string): number {
  const value = Number(text);
  if (!(value >= 0 && value < 1)) throw new InvalidArgumentError('a share from 0 up to below 1 is needed');
  return value;
}
