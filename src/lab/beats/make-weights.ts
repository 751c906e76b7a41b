import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { needDatabase } from '../data/find.js';
import { readRecord } from '../wfdb/index.js';
import { assignFolds, FOLDS, recordKey } from './folds.js';
import type { RecordedNoise } from './noise.js';
import { readBeatRecords } from './records.js';
import { trainBeatVerifier } from './train.js';
import { writeFoldWeights, writeShippedWeights } from './weights.js';

/** Fixed, so that a retraining gives the same weights. */
const SEED = 100;

export interface MakeWeightsOptions {
  /** Folder with mitdb, svdb and nstdb. */
  readonly dataDir: string;
  readonly projectDir: string;
  /** Fold numbers, and `ship` for the weights trained on everything. */
  readonly what: readonly (number | 'ship')[];
  readonly log?: (line: string) => void;
}

/** Trains the beat verifier and writes its weights. About 2 minutes and 2 GB of memory for each. */
export async function makeBeatWeights({
  dataDir,
  projectDir,
  what,
  log = () => {},
}: MakeWeightsOptions): Promise<void> {
  const records = [...(await readBeatRecords(dataDir, 'mitdb')), ...(await readBeatRecords(dataDir, 'svdb'))];
  const foldOf = assignFolds(records);
  const noise = await readTrainingNoise(dataDir);
  for (const one of what) {
    const fold = one === 'ship' ? FOLDS : one;
    log(`${one === 'ship' ? 'everything' : `fold ${one}`}:`);
    const weights = trainBeatVerifier({
      records: records.filter((record) => foldOf.get(recordKey(record)) !== fold),
      noise,
      seed: SEED + fold,
      log,
    });
    if (one === 'ship') await writeShippedWeights(projectDir, weights);
    else await writeFoldWeights(projectDir, one, weights);
  }
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
  const all = [...Array.from({ length: FOLDS }, (_, fold) => fold), 'ship' as const];
  const asked = process.argv.slice(2);
  const what = asked.length === 0 ? all : all.filter((one) => asked.includes(String(one)));
  if (what.length < asked.length) {
    console.error(`usage: make-weights.js [${all.join('] [')}]`);
    process.exitCode = 1;
  } else {
    const projectDir = fileURLToPath(new URL('../../..', import.meta.url));
    await makeBeatWeights({
      dataDir: dirname(needDatabase('mitdb')),
      projectDir,
      what,
      log: (line) => console.log(line),
    });
  }
}
