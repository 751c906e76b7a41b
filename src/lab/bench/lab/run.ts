/**
 * What pruning and quantization do to one model, on one fixed split: `npm run bench:lab [-- --seeds 3 --data DIR]`.
 *
 * beat-ecg is trained on four fifths of the patients of DS1 and svdb, with every seed anew, pruned, thinned by channels
 * and quantized; every variant is then judged on the patients left out, in the runtime the daemon uses. DS2 is not read.
 * --peer does one thing: the float model of seed 0 through Python's onnxruntime.quantization too, put beside ours in the JSON.
 * --peer-prune likewise: that float model pruned by 80 % by slothd and by Python's tensorflow_model_optimization.
 * --costs does one thing: what an epoch, pruning, quantizing and exporting take on native TensorFlow and on WebAssembly, and
 * whether tensors and resident memory stay over 50 epochs; a run without it measures that too, at its end, unless --no-costs
 * keeps what was measured before.
 * Trainings are kept in .slothd/bench-lab and a killed run goes on; --fresh begins anew.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { openBackend } from '../../backend.js';
import { needDatabase } from '../../data/find.js';
import type { EpochReport } from '../../train/loop.js';
import { type Costs, costsOf } from './costs.js';
import { comparePeer } from './peer.js';
import { comparePruning } from './peer-prune.js';
import { loadSplit } from './split.js';
import { TRAININGS, type TrainingId, trained } from './trainings.js';
import { figuresOf, latenciesOf, type VariantFigures, variantsOf } from './variants.js';

const { values: flags } = parseArgs({
  options: {
    data: { type: 'string' },
    seeds: { type: 'string', default: '3' },
    out: { type: 'string', default: 'bench/results/lab.json' },
    work: { type: 'string', default: '.slothd/bench-lab' },
    peer: { type: 'boolean', default: false },
    'peer-prune': { type: 'boolean', default: false },
    costs: { type: 'boolean', default: false },
    'no-costs': { type: 'boolean', default: false },
    fresh: { type: 'boolean', default: false },
  },
});

const print = (text: string) => process.stdout.write(`${text}\n`);
const { description } = await openBackend('auto');
print(`computing with ${description}`);
if (flags.fresh) rmSync(flags.work, { recursive: true, force: true });
const dataFolder = flags.data ?? dirname(needDatabase('mitdb'));
const cacheFolder = join(flags.work, 'cache');
const split = await loadSplit(dataFolder, cacheFolder);
const beats = split.validation.reduce((sum, { count }) => sum + count, 0);
print(`${split.train.length} patients' records to train on, ${split.validation.length} to judge with (${beats} beats)`);

const onEpoch =
  (s: number, which: TrainingId) =>
  ({ epoch, epochs, loss, seconds }: EpochReport) => {
    epochSeconds.push(seconds);
    print(`seed ${s} ${which} epoch ${epoch}/${epochs} loss ${loss.toFixed(4)} ${seconds.toFixed(1)} s`);
  };
const epochSeconds: number[] = [];

function measureCosts(): Costs[] {
  const all: Costs[] = [];
  for (const backend of ['native', 'wasm'] as const) {
    print(`costs on ${backend} ...`);
    const costs = costsOf(backend, dataFolder, cacheFolder);
    if (!costs) {
      print(`no costs of ${backend}: it failed, see above`);
      continue;
    }
    all.push(costs);
    const { epochSeconds, pruneSeconds, quantizeSeconds, exportSeconds, memory } = costs;
    print(
      `${costs.backend}\n  epoch ${epochSeconds.toFixed(1)} s, prune ${pruneSeconds.toFixed(1)} s, quantize ${quantizeSeconds.toFixed(1)} s, export ${exportSeconds.toFixed(1)} s` +
        `\n  ${memory.epochs} epochs: tensors ${memory.tensors.join(' to ')}, resident ${memory.rssMb.map((mb) => mb.toFixed(0)).join(' to ')} MB (${memory.rssKbPerEpoch.toFixed(0)} kB an epoch)`,
    );
  }
  return all;
}

/** What an earlier run wrote, for the parts that this one does not measure. */
function written(): Record<string, unknown> {
  return existsSync(flags.out) ? (JSON.parse(readFileSync(flags.out, 'utf8')) as Record<string, unknown>) : {};
}

if (flags.costs) {
  const costs = { at: new Date().toISOString(), command: 'npm run bench:lab -- --costs', backends: measureCosts() };
  writeFileSync(flags.out, `${JSON.stringify({ ...written(), costs }, null, 1)}\n`);
  process.exit(0);
}
if (flags.peer) {
  const floatFolder = await trained(0, 'float', { folder: flags.work, split, backend: description, onEpoch });
  const compared = await comparePeer(floatFolder, join(flags.work, 'peer'), split);
  if ('skipped' in compared) {
    print(`skipped: ${compared.skipped}`);
    process.exit(0);
  }
  print(
    `onnxruntime ${compared.version}\n${'by'.padEnd(26)}${'kind'.padEnd(24)}  bytes    gzip  accuracy %   F1 N    F1 S    F1 V`,
  );
  for (const { by, kind, bytes, gzipBytes, accuracy, f1 } of compared.rows) {
    const shares = [f1.N, f1.S, f1.V].map((value) => value.toFixed(4)).join('  ');
    const sizes = `${String(bytes).padStart(7)} ${String(gzipBytes).padStart(7)}`;
    print(`${by.padEnd(26)}${kind.padEnd(24)}${sizes}      ${(100 * accuracy).toFixed(2)}  ${shares}`);
  }
  const peer = { at: new Date().toISOString(), command: 'npm run bench:lab -- --peer', seed: 0, beats, ...compared };
  writeFileSync(flags.out, `${JSON.stringify({ ...written(), peer }, null, 1)}\n`);
  process.exit(0);
}

if (flags['peer-prune']) {
  const floatFolder = await trained(0, 'float', { folder: flags.work, split, backend: description, onEpoch });
  const compared = await comparePruning(floatFolder, join(flags.work, 'peer-prune'), split);
  if ('skipped' in compared) {
    print(`skipped: ${compared.skipped}`);
    process.exit(0);
  }
  print(
    `${JSON.stringify(compared.versions)}\n${'by'.padEnd(32)}zeros     bytes    gzip  accuracy %   F1 N    F1 S    F1 V      s`,
  );
  for (const { by, sparsity, bytes, gzipBytes, accuracy, f1, seconds } of compared.rows) {
    const shares = [f1.N, f1.S, f1.V].map((value) => value.toFixed(4)).join('  ');
    const sizes = `${String(bytes).padStart(7)} ${String(gzipBytes).padStart(7)}`;
    print(
      `${by.padEnd(32)}${(100 * sparsity).toFixed(1)} % ${sizes}      ${(100 * accuracy).toFixed(2)}  ${shares} ${seconds.toFixed(0).padStart(6)}`,
    );
  }
  const pruningPeer = {
    at: new Date().toISOString(),
    command: 'npm run bench:lab -- --peer-prune',
    beats,
    ...compared,
  };
  writeFileSync(flags.out, `${JSON.stringify({ ...written(), pruningPeer }, null, 1)}\n`);
  process.exit(0);
}

const seeds = Array.from({ length: Number(flags.seeds) }, (_, seed) => seed);
const bySeed: VariantFigures[][] = [];
const latency: Record<string, { p50Us: number; p99Us: number; byFloat32: number }> = {};
for (const seed of seeds) {
  const folders = new Map<TrainingId, string>();
  for (const id of TRAININGS) {
    const folder = await trained(seed, id, {
      ...{ folder: flags.work, split, backend: description },
      onEpoch,
    });
    folders.set(id, folder);
  }
  const variants = await variantsOf(folders, split);
  const figures: VariantFigures[] = [];
  // The features' constants are the same in every folder of a seed: pruning keeps them.
  for (const variant of variants) figures.push(await figuresOf(variant, folders.get('float')!, split));
  bySeed.push(figures);
  if (seed !== 0) continue;
  for (const [id, { p50Us, p99Us, byFirst }] of await latenciesOf(variants, folders.get('float')!, split)) {
    latency[id] = { p50Us, p99Us, byFloat32: byFirst };
  }
}

const spread = (values: readonly number[]) => ({
  mean: values.reduce((sum, value) => sum + value, 0) / values.length,
  range: [Math.min(...values), Math.max(...values)] as const,
});
const variants = bySeed[0]!.map((first, v) => {
  const all = bySeed.map((figures) => figures[v]!);
  const gzip = spread(all.map(({ gzipBytes }) => gzipBytes));
  return {
    ...{ id: first.id, bytes: first.bytes, gzipBytes: gzip, sparsity: first.sparsity },
    ...{ parameters: first.parameters, macs: first.macs, ...latency[first.id]! },
    accuracy: spread(all.map(({ accuracy }) => accuracy)),
    /** Against float32 of the same seed, in points: positive is a loss. */
    loss: spread(all.map(({ accuracy }, seed) => 100 * (bySeed[seed]![0]!.accuracy - accuracy))),
    f1: Object.fromEntries((['N', 'S', 'V'] as const).map((label) => [label, spread(all.map(({ f1 }) => f1[label]))])),
  };
});

print(
  `\n${'variant'.padEnd(28)}   bytes    gzip  sparse    MACs  accuracy % (range)      loss  F1 N    F1 S    F1 V    p50 us  p99 us  by float32`,
);
for (const { id, bytes, gzipBytes, sparsity, macs, accuracy, loss, f1, p50Us, p99Us, byFloat32 } of variants) {
  const percent = (value: number) => (100 * value).toFixed(2);
  const cells = [
    String(bytes).padStart(7),
    gzipBytes.mean.toFixed(0).padStart(7),
    `${percent(sparsity)} %`.padStart(8),
    String(macs).padStart(7),
    `${percent(accuracy.mean)} (${accuracy.range.map(percent).join(' to ')})`.padEnd(23),
    loss.mean.toFixed(2).padStart(5),
    ...(['N', 'S', 'V'] as const).map((label) => f1[label]!.mean.toFixed(4)),
    ...[p50Us.toFixed(1).padStart(7), p99Us.toFixed(1).padStart(7), byFloat32.toFixed(2)],
  ];
  print(`${id.padEnd(28)} ${cells.join('  ')}`);
}

mkdirSync(dirname(flags.out), { recursive: true });
const { peer, pruningPeer, costs: costsBefore } = written();
const costs = flags['no-costs']
  ? costsBefore
  : { at: new Date().toISOString(), command: 'npm run bench:lab', backends: measureCosts() };
const result = {
  ...{
    at: new Date().toISOString(),
    command: `npm run bench:lab${flags['no-costs'] ? ' -- --no-costs' : ''}`,
    cpu: cpus()[0]?.model ?? '',
    backend: description,
  },
  split: {
    train: split.train.map(({ database, record }) => `${database}/${record}`),
    validation: split.validation.map(({ database, record }) => `${database}/${record}`),
    beats,
  },
  seeds: seeds.length,
  epochSeconds: epochSeconds.length > 0 ? spread(epochSeconds) : null,
  variants,
  ...(costs !== undefined && { costs }),
  ...(peer !== undefined && { peer }),
  ...(pruningPeer !== undefined && { pruningPeer }),
};
writeFileSync(flags.out, `${JSON.stringify(result, null, 1)}\n`);
print(`\n${flags.out}`);
