import { createHash } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DelayRow } from './delays.js';
import type { KindTable, WrongAlert } from './score.js';

/** What came of one record. */
export interface RecordResult {
  readonly database: string;
  readonly record: string;
  readonly hours: number;
  /** Normal rhythm throughout. */
  readonly normal: boolean;
  /** Noise was added. */
  readonly noisy?: boolean;
  readonly kinds: KindTable;
  readonly wrong: readonly WrongAlert[];
}

type Line = { readonly build: string } | { readonly result: RecordResult } | { readonly delays: readonly DelayRow[] };

const DIST = fileURLToPath(new URL('../../../', import.meta.url));
const MODELS = join(DIST, '../models');
/** What decides on an alert: another build of these, or other models, and figures must not be mixed. */
const DECIDING = ['alarm', 'config', 'daemon', 'domain', 'inference', 'sensor', 'signal'];

/**
 * Results of single records, kept as they come, so that a run that was cut short goes on where it stopped. A JSON line
 * each, the first one says of which build they are.
 */
export class Journal {
  readonly results: RecordResult[] = [];
  delays: readonly DelayRow[] | null = null;

  private constructor(private readonly file: string) {}

  /** @throws Error where the journal there is of another build */
  static open(file: string, resume: boolean): Journal {
    const journal = new Journal(file);
    const build = buildHash();
    if (resume && existsSync(file)) {
      journal.read(build);
    } else {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, `${JSON.stringify({ build } satisfies Line)}\n`);
    }
    return journal;
  }

  has(database: string, record: string): boolean {
    return this.results.some((result) => result.database === database && result.record === record);
  }

  add(result: RecordResult): void {
    this.results.push(result);
    this.append({ result });
  }

  setDelays(delays: readonly DelayRow[]): void {
    this.delays = delays;
    this.append({ delays });
  }

  private append(line: Line): void {
    appendFileSync(this.file, `${JSON.stringify(line)}\n`);
  }

  private read(build: string): void {
    for (const text of readFileSync(this.file, 'utf8').split('\n')) {
      let line: Line;
      try {
        line = JSON.parse(text) as Line;
      } catch {
        // The last line of a run that was killed while it wrote.
        continue;
      }
      if ('build' in line && line.build !== build)
        throw new Error(`${this.file} is of another build of slothd or of other models: run without --resume`);
      if ('result' in line) this.results.push(line.result);
      if ('delays' in line) this.delays = line.delays;
    }
  }
}

/** One hash over the compiled stations and the models. */
function buildHash(): string {
  const hash = createHash('sha256');
  for (const folder of [...DECIDING.map((name) => join(DIST, name)), MODELS]) {
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name));
    for (const file of files.filter((name) => /\.(js|onnx)$|manifest\.json$/.test(name)).sort())
      hash.update(relative(DIST, file)).update(readFileSync(file));
  }
  return hash.digest('hex').slice(0, 16);
}
