import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { needDatabase } from '../data/find.js';
import { readRecord } from '../wfdb/index.js';
import { assignFolds, FOLDS } from './folds.js';
import type { RecordedNoise } from './noise.js';
import { readRapidRecords } from './rapid-rates.js';
import { readBeatRecords } from './records.js';
import { trainBeatVerifiers } from './train.js';
import { readFoldWeights, readShippedWeights, writeFoldWeights, writeShippedWeights } from './weights.js';

/** Fixed, so that a retraining gives the same weights. */
const SEED = 100;

export interface MakeWeightsOptions {
  /** Folder with mitdb, svdb, vfdb and nstdb. */
  readonly dataDir: string;
  readonly projectDir: string;
  /** Fold numbers, and `ship` for the weights trained on everything. */
  readonly what: readonly (number | 'ship')[];
  /** Goes on with this round from the weights on disk, which the round before it left. */
  readonly firstRound?: number;
  readonly log?: (line: string) => void;
}

/**
 * Trains the verifiers asked for side by side and writes their weights, after each round anew. All seven take about 15 minutes of one
 * core and 4 GB of memory.
 */
export async function makeBeatWeights({
  dataDir,
  projectDir,
  what,
  firstRound = 0,
  log = () => {},
}: MakeWeightsOptions): Promise<void> {
  const records = [...(await readBeatRecords(dataDir, 'mitdb')), ...(await readBeatRecords(dataDir, 'svdb'))];
  const rapid = await readRapidRecords(dataDir);
  const folds = new Map([...assignFolds(records), ...assignFolds(rapid)]);
  const weightsOf = async (one: number | 'ship') =>
    Float64Array.from(await (one === 'ship' ? readShippedWeights(projectDir) : readFoldWeights(projectDir, one)));
  const from = firstRound > 0 ? await Promise.all(what.map(weightsOf)) : [];
  await trainBeatVerifiers(
    what.map((one, i) => ({
      name: String(one),
      from: from[i],
      sees: (key) => folds.get(key) !== one,
      done: (weights) =>
        one === 'ship' ? writeShippedWeights(projectDir, weights) : writeFoldWeights(projectDir, one, weights),
    })),
    { records, rapid, noise: await readTrainingNoise(dataDir), seed: SEED, firstRound, log },
  );
}

/** Muscle noise and baseline wander of nstdb. Its electrode motion is what the nstdb records are made with: never used. */
async function readTrainingNoise(dataDir: string): Promise<RecordedNoise[]> {
  const noise: RecordedNoise[] = [];
  for (const name of ['ma', 'bw']) {
    const { rateHz, signals } = await readRecord(join(dataDir, 'nstdb', name));
    noise.push({ rateHz, channels: signals.map((signal) => signal.samples) });
  }
  return noise;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { 'first-round': { type: 'string', default: '0' } },
  });
  const all = [...Array.from({ length: FOLDS }, (_, fold) => fold), 'ship' as const];
  const what = positionals.length === 0 ? all : all.filter((one) => positionals.includes(String(one)));
  const firstRound = Number(values['first-round']);
  if (what.length < positionals.length || !Number.isInteger(firstRound)) {
    console.error(`usage: make-weights.js [--first-round N] [${all.join('] [')}]`);
    process.exitCode = 1;
  } else {
    const projectDir = fileURLToPath(new URL('../../..', import.meta.url));
    await makeBeatWeights({
      dataDir: dirname(needDatabase('mitdb')),
      projectDir,
      what,
      firstRound,
      log: (line) => console.log(line),
    });
  }
}
