import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Random, seededRandom } from '../random.js';
import { parseAnnotations } from '../wfdb/annotations.js';
import { parseHeader } from '../wfdb/header.js';
import { readRecord, WfdbError } from '../wfdb/index.js';

export interface WfdbFuzzReport {
  readonly tried: number;
  /** Read in spite of the damage, and refused with a WfdbError. */
  readonly read: number;
  readonly refused: number;
  /** Anything else: an error of another kind, or one that took longer than SLOW_MS. */
  readonly faults: readonly string[];
}

const SLOW_MS = 2000;
/** Mutations of headers and annotations in memory, for each one of a record on disk. */
const IN_MEMORY = 9;

/**
 * Damages the header, signals and annotations of a record in many ways and reads them: flipped bytes, cut ends, digits
 * made larger, lines doubled or lost. Only a WfdbError may come of it.
 * @param record path without extension of a sound record with `.hea`, `.dat` and `.atr`
 */
export async function fuzzWfdb(record: string, count: number, seed = 1): Promise<WfdbFuzzReport> {
  const random = seededRandom(seed);
  const [header, signals, annotations] = await Promise.all(
    ['hea', 'dat', 'atr'].map((end) => readFile(`${record}.${end}`)),
  );
  const folder = await mkdtemp(join(tmpdir(), 'slothd-fuzz-wfdb-'));
  const name = header!.toString('latin1').split(/\s/)[0]!;
  const report = { tried: 0, read: 0, refused: 0, faults: [] as string[] };
  // A short record is as good and quicker.
  await writeFile(join(folder, `${name}.dat`), signals!.subarray(0, 3000));
  const short = Buffer.from(header!.toString('latin1').replace(/^(\S+ \d+ \S+) \d+/, '$1 1000'));
  try {
    for (; report.tried < count; report.tried++) {
      const kind = report.tried % (IN_MEMORY + 1);
      const startedMs = performance.now();
      try {
        if (kind === IN_MEMORY) {
          await writeFile(join(folder, `${name}.hea`), random() < 0.5 ? short : mutated(short, random));
          if (random() < 0.5) await writeFile(join(folder, `${name}.dat`), mutated(signals!.subarray(0, 3000), random));
          await readRecord(join(folder, name));
        } else if (kind % 2 === 0) parseHeader('fuzz.hea', mutated(header!, random));
        else parseAnnotations('fuzz.atr', mutated(annotations!.subarray(0, 400), random));
        report.read++;
      } catch (error) {
        if (error instanceof WfdbError) report.refused++;
        else report.faults.push(`case ${report.tried} of seed ${seed}: ${String(error)}`);
      }
      const tookMs = performance.now() - startedMs;
      if (tookMs > SLOW_MS) report.faults.push(`case ${report.tried} of seed ${seed}: took ${tookMs.toFixed(0)} ms`);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return report;
}

function mutated(source: Uint8Array, random: Random): Buffer {
  let bytes = Buffer.from(source);
  const at = () => Math.floor(random() * bytes.length);
  for (let n = 1 + Math.floor(random() * 4); n > 0 && bytes.length > 0; n--) {
    switch (Math.floor(random() * 6)) {
      case 0:
        bytes[at()] = Math.floor(random() * 256);
        break;
      case 1:
        bytes = bytes.subarray(0, at());
        break;
      case 2: {
        // A digit becomes a long number.
        const place = bytes.findIndex((byte, i) => i >= at() && byte >= 48 && byte <= 57);
        if (place >= 0)
          bytes = Buffer.concat([
            bytes.subarray(0, place),
            Buffer.from('9'.repeat(1 + (at() % 14))),
            bytes.subarray(place),
          ]);
        break;
      }
      case 3: {
        const [from, to] = [at(), at()].sort((a, b) => a - b) as [number, number];
        bytes = Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)]);
        break;
      }
      case 4: {
        const [from, to] = [at(), at()].sort((a, b) => a - b) as [number, number];
        bytes = Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
        break;
      }
      default:
        bytes[at()] = '\n -/:+()x0'.charCodeAt(Math.floor(random() * 10));
    }
  }
  return Buffer.from(bytes);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const count = Number(process.argv[2] ?? 100_000);
  const report = await fuzzWfdb(join('test', 'fixtures', 'wfdb', '100'), count, Number(process.argv[3] ?? 1));
  console.log(
    `${report.tried} damaged records: ${report.read} read, ${report.refused} refused with a clear error, ${report.faults.length} faults`,
  );
  for (const fault of report.faults.slice(0, 20)) console.log(fault);
  process.exitCode = report.faults.length > 0 ? 1 : 0;
}
