/**
 * What the alarms are worth: `npm run bench:alarms [-- --databases mitdb,svdb --workers 2 --out FILE]`. Every public
 * recording on this machine goes through `slothd replay` with the shipped models and settings; every health alert is
 * held against the reference annotations. The same for mitdb with nstdb's noise added. Then the time to alarm, on
 * simulated hearts and on splices of real records. A run that was cut short goes on with `--resume`; so one can also add
 * database after database.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { timeToAlarm } from './alarms/delays.js';
import { Journal } from './alarms/journal.js';
import { play } from './alarms/play.js';
import { DATABASES, type Task, tasksOf, USUAL_DATABASES } from './alarms/records.js';
import { report, round } from './alarms/report.js';
import { judge, type KindTable } from './alarms/score.js';

const { values: flags } = parseArgs({
  options: {
    databases: { type: 'string', default: USUAL_DATABASES.join(',') },
    workers: { type: 'string', default: String(Math.max(1, availableParallelism() - 1)) },
    /** Only every nth record of each database (`4`), or of those named (`ltafdb=4,nsr2db=2`). */
    every: { type: 'string', default: '1' },
    'no-delays': { type: 'boolean', default: false },
    /** Goes on where a former run stopped; records that it has judged are not played again, but are in the report. */
    resume: { type: 'boolean', default: false },
    out: { type: 'string', default: 'bench/results/alarms.json' },
  },
});

/** Short records share a process: starting one costs more than they do. */
const BATCH_S = 3600;
const MOST_PER_BATCH = 60;

function batches(tasks: readonly Task[]): Task[][] {
  const out: Task[][] = [];
  let seconds = 0;
  for (const task of tasks) {
    const last = out.at(-1);
    // Options hold for the whole command, so only records without any go together.
    const together =
      last && task.args.length === 1 && last[0]!.args.length === 1 && last[0]!.database === task.database;
    if (together && seconds + task.guessS <= BATCH_S && last.length < MOST_PER_BATCH) {
      last.push(task);
      seconds += task.guessS;
    } else {
      out.push([task]);
      seconds = task.guessS;
    }
  }
  return out;
}

/** `4` or `ltafdb=4,nsr2db=2`: which nth record is played, by database. */
function sharesOf(text: string): Readonly<Record<string, number>> {
  const shares = text.split(',').map((part) => {
    const [name, n] = part.includes('=') ? part.split('=') : ['all', part];
    return [name ?? '', Number(n)] as const;
  });
  for (const [name, n] of shares) {
    if (Number.isInteger(n) && n >= 1 && (name === 'all' || Object.hasOwn(DATABASES, name))) continue;
    process.stderr.write(`--every takes a whole number, or database=number: not '${text}'\n`);
    process.exit(1);
  }
  return Object.fromEntries(shares);
}

function openJournal(): Journal {
  try {
    return Journal.open(`.slothd/bench-alarms/${flags.out.replace(/\W+/g, '-')}.jsonl`, flags.resume);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exit(1);
  }
}

const journal = openJournal();
const failures: string[] = [];

/** What cannot be played or judged is told at the end; it must not cost the hours before it. */
async function runBatch(batch: readonly Task[]): Promise<void> {
  await judgeBatch(batch).catch((error: Error) => {
    failures.push(`${batch.map(({ database, record }) => `${database} ${record}`).join(', ')}: ${error.message}`);
  });
}

async function judgeBatch(batch: readonly Task[]): Promise<void> {
  for (const task of batch) await task.make?.();
  const played = await play(batch.length === 1 ? batch[0]!.args : batch.map(({ args }) => args[0]!)).finally(() => {
    for (const task of batch) task.remove?.();
  });
  for (const [i, { database, record, noisy, truth: truthOf }] of batch.entries()) {
    const truth = await truthOf();
    const kinds: KindTable = {};
    const health = played[i]!.alerts.filter(({ category }) => category === 'health');
    const wrong = judge(kinds, truth, health).map(({ kind, onsetS, raisedS, values }) => ({
      database,
      record,
      kind,
      onsetS,
      raisedS,
      values,
    }));
    for (const { kind, onsetS } of wrong)
      process.stderr.write(`  false: ${database} ${record} ${kind} at ${round(onsetS, 1)} s\n`);
    const { hours, normal } = truth;
    journal.add({ database, record, hours, normal, ...(noisy ? { noisy } : {}), kinds, wrong });
  }
}

const names = flags.databases.split(',').filter(Boolean);
for (const name of names) {
  if (!Object.hasOwn(DATABASES, name)) {
    process.stderr.write(`there is no database ${name} here; there are: ${Object.keys(DATABASES).join(', ')}\n`);
    process.exit(1);
  }
}
const shares = sharesOf(flags.every);
const { tasks: all, missing } = tasksOf(names, (name) => shares[name] ?? shares.all ?? 1);
const tasks = all.filter(({ database, record }) => !journal.has(database, record));
if (missing.length > 0) process.stderr.write(`not on this machine (slothd data get NAME): ${missing.join(', ')}\n`);
if (journal.results.length > 0) process.stderr.write(`${journal.results.length} records are already judged\n`);

const started = performance.now();
const totalS = tasks.reduce((sum, { guessS }) => sum + guessS, 0);
let doneS = 0;
function progress(text: string): void {
  const minutes = (performance.now() - started) / 60_000;
  const left = doneS > 0 ? (minutes * (totalS - doneS)) / doneS : Number.NaN;
  process.stderr.write(
    `${Math.round((100 * doneS) / totalS)} %, ${minutes.toFixed(1)} min${Number.isNaN(left) ? '' : `, about ${left.toFixed(0)} min left`}  ${text}\n`,
  );
}
if (!flags['no-delays'] && journal.delays === null)
  journal.setDelays(await timeToAlarm((text) => process.stderr.write(`${text}\n`)));
// The longest first, so that no worker is left with a day when the others are done.
const queue = batches(tasks).sort((a, b) => b[0]!.guessS - a[0]!.guessS);
let next = 0;
await Promise.all(
  Array.from({ length: Number(flags.workers) }, async () => {
    while (next < queue.length) {
      const batch = queue[next++]!;
      await runBatch(batch);
      doneS += batch.reduce((sum, { guessS }) => sum + guessS, 0);
      progress(`${batch[0]!.database} ${batch[0]!.record}${batch.length > 1 ? ` and ${batch.length - 1} more` : ''}`);
    }
  }),
);

const available: Record<string, number> = {};
for (const { database } of tasksOf(Object.keys(DATABASES)).tasks) available[database] = (available[database] ?? 0) + 1;
const body = report({ results: journal.results, delays: journal.delays ?? [], failures, available });
mkdirSync(dirname(flags.out), { recursive: true });
const head = { name: 'alarms', date: new Date().toISOString().slice(0, 10), node: process.version };
const whole = { ...head, every: flags.every, missing, failures, ...body };
writeFileSync(flags.out, `${JSON.stringify(whole, null, 2)}\n`);
process.stdout.write(`written to ${flags.out}, ${round((performance.now() - started) / 60_000, 1)} min\n`);
