import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type AlertKind, HEALTH_KINDS } from '../../../domain/alert.js';
import type { DelayRow } from './delays.js';
import type { RecordResult } from './journal.js';
import { addCounts, type KindCount, type KindTable } from './score.js';

interface DatabaseResult {
  readonly noisy: boolean;
  records: number;
  hours: number;
  normalRecords: number;
  normalHours: number;
  /** Health alerts on records of normal rhythm that the reference contradicts, by kind. */
  readonly normalWrong: Partial<Record<AlertKind, number>>;
  readonly kinds: KindTable;
}

export const round = (value: number, digits = 2) => Math.round(value * 10 ** digits) / 10 ** digits;
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const quantile = (values: readonly number[], share: number) =>
  values.length === 0
    ? null
    : round([...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(share * values.length))]!, 1);
const shown = ({ delaysS, ...counts }: KindCount) => ({
  ...counts,
  delayMedianS: quantile(delaysS, 0.5),
  delayP90S: quantile(delaysS, 0.9),
});

function byDatabase(results: readonly RecordResult[]): [string, DatabaseResult][] {
  const out = new Map<string, DatabaseResult>();
  for (const { database, hours, normal, noisy = false, kinds, wrong } of results) {
    const all = out.get(database) ?? {
      noisy,
      records: 0,
      hours: 0,
      normalRecords: 0,
      normalHours: 0,
      normalWrong: {},
      kinds: {},
    };
    out.set(database, all);
    all.records++;
    all.hours += hours;
    addCounts(all.kinds, kinds);
    if (!normal) continue;
    all.normalRecords++;
    all.normalHours += hours;
    for (const { kind } of wrong) all.normalWrong[kind] = (all.normalWrong[kind] ?? 0) + 1;
  }
  return [...out].sort(([a], [b]) => a.localeCompare(b));
}

/** The models that run by default (anomaly-rr does not). */
const MODELS = ['beat-ecg', 'rhythm-rr', 'shockable-ecg'];

interface Manifest {
  readonly version: string;
  readonly defaultVariant: string;
  readonly variants: readonly { readonly id: string; readonly precision: string; readonly sha256: string }[];
  readonly training?: { readonly data?: string; readonly trainedOn?: readonly string[] };
}

/** The models that ran, by hash, and what they were trained on: figures there are not of unseen people. */
function modelsThatRan() {
  return MODELS.flatMap((model) => {
    try {
      const file = fileURLToPath(new URL(`../../../../models/${model}/manifest.json`, import.meta.url));
      const { version, defaultVariant, variants, training } = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
      // A replay takes each bundle's default variant.
      const { precision, sha256 } = variants.find(({ id }) => id === defaultVariant)!;
      const databases = [...new Set((training?.trainedOn ?? []).map((record) => record.split('/')[0]!))];
      return [{ model, version, variant: defaultVariant, precision, sha256, data: training?.data ?? '', databases }];
    } catch {
      return [];
    }
  });
}

function print(head: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  const lines = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, i) => Math.max(...lines.map((line) => line[i]!.length)));
  for (const line of lines) {
    process.stdout.write(
      `${line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ')}\n`,
    );
  }
  process.stdout.write('\n');
}

export interface ReportInput {
  readonly results: readonly RecordResult[];
  readonly delays: readonly DelayRow[];
  /** What could not be played or judged. */
  readonly failures: readonly string[];
  /** Records on this machine, by database: how much of it `results` is. */
  readonly available: Readonly<Record<string, number>>;
}

/** Half of such a record is noise: whatever the reference contradicts is false, on every record. */
function printNoise(databases: readonly (readonly [string, DatabaseResult])[]): void {
  process.stdout.write('False health alerts where noise was added (to half of the time)\n');
  print(
    ['database', 'records', 'hours', 'false', 'kinds'],
    databases.map(([name, { records, hours, kinds }]) => {
      const wrong = Object.entries(kinds).flatMap(([kind, { wrong: n }]) => (n > 0 ? [`${kind} ${n}`] : []));
      return [name, records, round(hours, 1), sum(Object.values(kinds).map((c) => c.wrong)), wrong.join(', ')];
    }),
  );
}

/** Prints everything and returns it as the committed JSON has it. */
export function report({ results, delays, failures, available }: ReportInput) {
  const order = byDatabase(results);
  const asRecorded = order.filter(([, { noisy }]) => !noisy);
  const normalHours = sum(asRecorded.map(([, { normalHours: hours }]) => hours));
  const normalWrong = sum(asRecorded.flatMap(([, result]) => Object.values(result.normalWrong)));
  const per24h = (wrong: number, hours: number, digits = 2) => (hours > 0 ? round((24 * wrong) / hours, digits) : '-');
  process.stdout.write('\nFalse health alerts on records of normal rhythm\n');
  print(
    ['database', 'records', 'hours', 'false', 'per 24 h', 'kinds'],
    [
      ...asRecorded
        .filter(([, { normalRecords }]) => normalRecords > 0)
        .map(([name, r]) => {
          const wrong = sum(Object.values(r.normalWrong));
          const kinds = Object.entries(r.normalWrong).map(([kind, n]) => `${kind} ${n}`);
          return [
            name,
            r.normalRecords,
            round(r.normalHours, 1),
            wrong,
            per24h(wrong, r.normalHours),
            kinds.join(', '),
          ];
        }),
      [
        'all',
        sum(asRecorded.map(([, r]) => r.normalRecords)),
        round(normalHours, 1),
        normalWrong,
        per24h(normalWrong, normalHours, 3),
        '',
      ],
    ],
  );
  const inNoise = order.filter(([, { noisy }]) => noisy);
  if (inNoise.length > 0) printNoise(inNoise);
  process.stdout.write(
    'All records, by kind (right and false: by the reference; in name: of the false, the reference has the next of kin there; found+: by this kind or a graver one)\n',
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
        const counts = [c.alerts, c.right, c.wrong, c.wrongInName, c.unjudged, c.episodes];
        return [[name, kind, ...counts, se(c.found), se(c.foundOrGraver), c.delayMedianS ?? '-', c.delayP90S ?? '-']];
      }),
  );
  print(
    [
      'database',
      'kind',
      'alerts',
      'right',
      'false',
      'in name',
      'unjudged',
      'episodes',
      'found',
      'found+',
      'delay s',
      'p90 s',
    ],
    kindRows,
  );
  process.stdout.write('Time to alarm\n');
  print(
    ['what', 'trials', 'alarmed', 'mean s', 'worst s', 'target s', 'as'],
    delays.map((d) => [
      d.what,
      d.trials,
      d.alarmed,
      d.meanS ?? '-',
      d.worstS ?? '-',
      d.targetS,
      JSON.stringify(d.kinds),
    ]),
  );
  const models = modelsThatRan();
  process.stdout.write('Models, and what they were trained on (figures on these databases are not of unseen people)\n');
  for (const { model, version, variant, sha256, data } of models)
    process.stdout.write(`  ${model} ${version} ${variant} ${sha256.slice(0, 12)}: ${data}\n`);
  process.stdout.write(
    '  beat detector (weights in src/signal/ecg): mitdb, all records; see npm run bench:beats for folds\n',
  );
  const wrongAlerts = results.flatMap(({ wrong }) => wrong);
  if (wrongAlerts.length > 0) process.stdout.write('\nFalse alerts\n');
  for (const w of wrongAlerts) {
    process.stdout.write(
      `  ${w.database} ${w.record} ${w.kind} onset ${round(w.onsetS, 1)} raised ${round(w.raisedS, 1)} ${JSON.stringify(w.values)}\n`,
    );
  }
  for (const failure of failures) process.stdout.write(`not judged: ${failure}\n`);
  return {
    models,
    normal: {
      hours: round(normalHours, 1),
      falseAlerts: normalWrong,
      per24h: normalHours > 0 ? round((24 * normalWrong) / normalHours, 3) : null,
    },
    databases: Object.fromEntries(
      order.map(([name, { kinds, hours, normalHours: hoursNormal, ...rest }]) => [
        name,
        {
          ...rest,
          recordsAvailable: available[name] ?? null,
          hours: round(hours, 1),
          normalHours: round(hoursNormal, 1),
          kinds: Object.fromEntries(Object.entries(kinds).map(([kind, count]) => [kind, shown(count)])),
        },
      ]),
    ),
    timeToAlarm: delays,
    wrongAlerts,
  };
}
