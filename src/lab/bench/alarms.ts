/**
 * What the alarms are worth: `npm run bench:alarms [-- --databases mitdb,svdb --workers 2 --out FILE]`. Every public
 * recording on this machine goes through `slothd replay` with the shipped models and settings; every health alert is
 * held against the reference annotations. Then the time to alarm, on simulated hearts and on splices of real records.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type AlertKind, HEALTH_KINDS } from '../../domain/alert.js';
import { type DelayRow, timeToAlarm } from './alarms/delays.js';
import { play } from './alarms/play.js';
import { DATABASES, type Task, tasksOf } from './alarms/records.js';
import { addCounts, judge, type KindCount, type KindTable, type WrongAlert } from './alarms/score.js';

const { values: flags } = parseArgs({
  options: {
    databases: { type: 'string', default: Object.keys(DATABASES).join(',') },
    workers: { type: 'string', default: String(Math.max(1, availableParallelism() - 1)) },
    /** Only every nth record: a pilot. */
    every: { type: 'string', default: '1' },
    'no-delays': { type: 'boolean', default: false },
    out: { type: 'string', default: 'bench/results/alarms.json' },
  },
});

/** Short records share a process: starting one costs more than they do. */
const BATCH_S = 3600;
const MOST_PER_BATCH = 60;

interface DatabaseResult {
  hours: number;
  records: number;
  normalHours: number;
  normalRecords: number;
  /** Health alerts on records of normal rhythm that the reference contradicts, by kind. */
  readonly normalWrong: Partial<Record<AlertKind, number>>;
  readonly kinds: KindTable;
}

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

const results = new Map<string, DatabaseResult>();
const wrongAlerts: WrongAlert[] = [];

const round = (value: number, digits = 2) => Math.round(value * 10 ** digits) / 10 ** digits;
const failures: string[] = [];

/** What cannot be played or judged is told at the end; it must not cost the hours before it. */
async function runBatch(batch: readonly Task[]): Promise<void> {
  await judgeBatch(batch).catch((error: Error) => {
    failures.push(`${batch.map(({ database, record }) => `${database} ${record}`).join(', ')}: ${error.message}`);
  });
}

async function judgeBatch(batch: readonly Task[]): Promise<void> {
  const played = await play(batch.length === 1 ? batch[0]!.args : batch.map(({ args }) => args[0]!));
  for (const [i, task] of batch.entries()) {
    const truth = await task.truth();
    const { alerts } = played[i]!;
    const health = alerts.filter(({ category }) => category === 'health');
    const result = results.get(task.database) ?? {
      hours: 0,
      records: 0,
      normalHours: 0,
      normalRecords: 0,
      normalWrong: {},
      kinds: {},
    };
    results.set(task.database, result);
    const wrong = judge(result.kinds, truth, health);
    result.hours += truth.hours;
    result.records++;
    if (truth.normal) {
      result.normalHours += truth.hours;
      result.normalRecords++;
      for (const { kind } of wrong) result.normalWrong[kind] = (result.normalWrong[kind] ?? 0) + 1;
    }
    for (const { kind, onsetS, raisedS, values } of wrong) {
      wrongAlerts.push({ database: task.database, record: task.record, kind, onsetS, raisedS, values });
      process.stderr.write(`  false: ${task.database} ${task.record} ${kind} at ${round(onsetS, 1)} s\n`);
    }
  }
}

const names = flags.databases.split(',').filter(Boolean);
for (const name of names) {
  if (!Object.hasOwn(DATABASES, name)) {
    process.stderr.write(`there is no database ${name} here; there are: ${Object.keys(DATABASES).join(', ')}\n`);
    process.exit(1);
  }
}
const { tasks: all, missing } = tasksOf(names);
const tasks = all.filter((_, i) => i % Number(flags.every) === 0);
if (missing.length > 0) process.stderr.write(`not on this machine (slothd data get NAME): ${missing.join(', ')}\n`);
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
// The longest first, so that no worker is left with a day when the others are done.
const queue = batches(tasks).sort((a, b) => b[0]!.guessS - a[0]!.guessS);
const delays: DelayRow[] = flags['no-delays'] ? [] : await timeToAlarm((text) => process.stderr.write(`${text}\n`));
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

// --- what came of it ---

const quantile = (values: readonly number[], share: number) =>
  values.length === 0
    ? null
    : round([...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))]!, 1);
const shown = (count: KindCount) => ({
  alerts: count.alerts,
  right: count.right,
  wrong: count.wrong,
  unjudged: count.unjudged,
  episodes: count.episodes,
  found: count.found,
  foundOrGraver: count.foundOrGraver,
  delayMedianS: quantile(count.delaysS, 0.5),
  delayP90S: quantile(count.delaysS, 0.9),
});
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  const lines = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  for (const line of lines) {
    process.stdout.write(
      `${line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ')}\n`,
    );
  }
  process.stdout.write('\n');
}

const order = [...results].sort(([a], [b]) => a.localeCompare(b));
const normalHours = sum(order.map(([, { normalHours: hours }]) => hours));
const normalWrong = sum(order.flatMap(([, result]) => Object.values(result.normalWrong)));
process.stdout.write('\nFalse health alerts on records of normal rhythm\n');
table(
  ['database', 'records', 'hours', 'false', 'per 24 h', 'kinds'],
  [
    ...order
      .filter(([, { normalRecords }]) => normalRecords > 0)
      .map(([name, r]) => {
        const wrong = sum(Object.values(r.normalWrong));
        const kinds = Object.entries(r.normalWrong).map(([kind, n]) => `${kind} ${n}`);
        return [
          name,
          r.normalRecords,
          round(r.normalHours, 1),
          wrong,
          round((24 * wrong) / r.normalHours),
          kinds.join(', '),
        ];
      }),
    [
      'all',
      sum(order.map(([, r]) => r.normalRecords)),
      round(normalHours, 1),
      normalWrong,
      round((24 * normalWrong) / normalHours, 3),
      '',
    ],
  ],
);
process.stdout.write(
  'All records, by kind (right and false: by the reference; found+: by this kind or a graver one)\n',
);
const totals: KindTable = {};
for (const [, { kinds }] of order) addCounts(totals, kinds);
const kindRows = [...order.map(([name, { kinds }]) => [name, kinds] as const), ['all', totals] as const].flatMap(
  ([name, kinds]) =>
    HEALTH_KINDS.flatMap((kind) => {
      const count = kinds[kind];
      if (!count) return [];
      const c = shown(count);
      const se = (n: number) => (c.episodes === 0 ? '-' : `${round((100 * n) / c.episodes, 1)} %`);
      return [
        [
          name,
          kind,
          c.alerts,
          c.right,
          c.wrong,
          c.unjudged,
          c.episodes,
          se(c.found),
          se(c.foundOrGraver),
          c.delayMedianS ?? '-',
          c.delayP90S ?? '-',
        ],
      ];
    }),
);
table(
  ['database', 'kind', 'alerts', 'right', 'false', 'unjudged', 'episodes', 'found', 'found+', 'delay s', 'p90 s'],
  kindRows,
);
process.stdout.write('Time to alarm\n');
table(
  ['what', 'trials', 'alarmed', 'mean s', 'worst s', 'target s', 'as'],
  delays.map((d) => [d.what, d.trials, d.alarmed, d.meanS ?? '-', d.worstS ?? '-', d.targetS, JSON.stringify(d.kinds)]),
);
const trained = ['beat-ecg', 'rhythm-rr', 'vf-ecg', 'anomaly-rr'].flatMap((model) => {
  try {
    const file = fileURLToPath(new URL(`../../../models/${model}/manifest.json`, import.meta.url));
    const { training } = JSON.parse(readFileSync(file, 'utf8')) as {
      training?: { data?: string; trainedOn?: string[] };
    };
    const databases = [...new Set((training?.trainedOn ?? []).map((record) => record.split('/')[0]!))];
    return [{ model, data: training?.data ?? '', databases }];
  } catch {
    return [];
  }
});
process.stdout.write('Trained on (figures on these databases are not of unseen people)\n');
for (const { model, data } of trained) process.stdout.write(`  ${model}: ${data}\n`);
process.stdout.write(
  '  beat detector (weights in src/signal/ecg): mitdb, all records; see npm run bench:beats for folds\n',
);
if (wrongAlerts.length > 0) process.stdout.write('\nFalse alerts\n');
for (const w of wrongAlerts) {
  process.stdout.write(
    `  ${w.database} ${w.record} ${w.kind} onset ${round(w.onsetS, 1)} raised ${round(w.raisedS, 1)} ${JSON.stringify(w.values)}\n`,
  );
}
for (const failure of failures) process.stdout.write(`not judged: ${failure}\n`);
mkdirSync(dirname(flags.out), { recursive: true });
const report = {
  name: 'alarms',
  date: new Date().toISOString().slice(0, 10),
  node: process.version,
  everyNth: Number(flags.every),
  missing,
  failures,
  trained,
  normal: {
    hours: round(normalHours, 1),
    falseAlerts: normalWrong,
    per24h: round((24 * normalWrong) / normalHours, 3),
  },
  databases: Object.fromEntries(
    order.map(([name, { kinds, hours, normalHours: hoursNormal, ...rest }]) => [
      name,
      {
        ...rest,
        hours: round(hours, 1),
        normalHours: round(hoursNormal, 1),
        kinds: Object.fromEntries(Object.entries(kinds).map(([kind, count]) => [kind, shown(count)])),
      },
    ]),
  ),
  timeToAlarm: delays,
  wrongAlerts,
};
writeFileSync(flags.out, `${JSON.stringify(report, null, 2)}\n`);
process.stdout.write(`written to ${flags.out}, ${round((performance.now() - started) / 60_000, 1)} min\n`);
