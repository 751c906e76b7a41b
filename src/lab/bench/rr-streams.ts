/**
 * What a day of chest-strap intervals raises: `npm run bench:rr [-- --data DIR --out FILE]`. Plays mmash's RR.csv through
 * the daemon's pipeline and holds every health alert against the heart rate that the strap's own watch wrote down each
 * second: a rate alert is confirmed when that rate was within 5/min of the limit or beyond it in the 15 s around; the
 * people are young and healthy, so an alert of atrial fibrillation, a pause or an arrest is taken as false.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { replaySource } from '../../cli/replay/run.js';
import { openTable } from '../../cli/replay/source-table.js';
import { alarmSettingsSchema } from '../../config/alarms.js';
import { dataFolders } from '../data/find.js';

const AROUND_S = 15;
const NEAR_BPM = 5;

const { values: flags } = parseArgs({
  options: {
    data: { type: 'string', default: dataFolders()[0]! },
    out: { type: 'string', default: 'bench/results/rr-streams.json' },
  },
});

interface AlertLine {
  readonly type: string;
  readonly event?: string;
  readonly kind: string;
  readonly category: string;
  readonly t: number;
  readonly onsetT: number;
}

/** Seconds of a time of day. */
function secondsOf(text: string): number {
  return text.split(':').reduce((sum, part) => sum * 60 + Number(part), 0);
}

/** Second of the day (over midnight: the second day) -> the device's rate. */
function deviceRates(file: string): Map<number, number> {
  const rates = new Map<number, number>();
  const rows = readFileSync(file, 'utf8').trim().split('\n');
  const names = rows[0]!.split(',');
  const [hr, day, time] = ['HR', 'day', 'time'].map((name) => names.indexOf(name)) as [number, number, number];
  for (const row of rows.slice(1)) {
    const cells = row.split(',');
    rates.set((Number(cells[day]) - 1) * 86_400 + secondsOf(cells[time]!), Number(cells[hr]));
  }
  return rates;
}

const limits = alarmSettingsSchema.parse({});
const RATE_LIMITS: Readonly<Record<string, { bpm: number; side: 1 | -1 }>> = {
  'extreme-tachycardia': { bpm: limits['extreme-tachycardia'].aboveBpm, side: 1 },
  tachycardia: { bpm: limits.tachycardia.aboveBpm, side: 1 },
  'extreme-bradycardia': { bpm: limits['extreme-bradycardia'].belowBpm, side: -1 },
  bradycardia: { bpm: limits.bradycardia.belowBpm, side: -1 },
};

function confirmed(alert: AlertLine, startS: number, rates: ReadonlyMap<number, number>): boolean {
  const limit = RATE_LIMITS[alert.kind];
  if (!limit) return false;
  for (let s = Math.floor(startS + alert.onsetT - AROUND_S); s <= startS + alert.t + AROUND_S; s++) {
    const rate = rates.get(s);
    if (rate && (rate - limit.bpm) * limit.side > -NEAR_BPM) return true;
  }
  return false;
}

const folder = join(flags.data, 'mmash');
const users = readdirSync(folder)
  .filter((name) => name.startsWith('user_'))
  .sort();
const out = [];
process.stdout.write(
  `${'user'.padEnd(10)}${'beats'.padStart(8)}${'hours'.padStart(7)}${'confirmed'.padStart(11)}${'false'.padStart(7)}  kinds\n`,
);
for (const user of users) {
  const file = join(folder, user, 'RR.csv');
  const first = readFileSync(file, 'utf8').split('\n')[1]!.split(',');
  const startS = secondsOf(first[3]!);
  const rates = deviceRates(join(folder, user, 'Actigraph.csv'));
  const lines: AlertLine[] = [];
  let beats = 0;
  let endS = 0;
  const source = await openTable(file, { signal: undefined, rateHz: undefined, beats: null });
  await replaySource(source, {
    alarms: limits,
    version: 'bench',
    createClassifier: null,
    rhythmModel: null,
    shockableModel: null,
    anomalyModel: null,
    modelInfo: () => null,
    stages: { record() {} },
    speed: null,
    write(line) {
      const event = JSON.parse(line) as AlertLine & { beats?: number };
      if (event.type === 'alert' && event.event === 'new') lines.push(event);
      if (event.type === 'end') {
        beats = event.beats ?? 0;
        endS = event.t;
      }
    },
  });
  const health = lines.filter((line) => line.category === 'health');
  const wrong = health.filter((line) => !confirmed(line, startS, rates));
  const kinds: Record<string, number> = {};
  for (const { kind } of lines) kinds[kind] = (kinds[kind] ?? 0) + 1;
  const falseAlerts = wrong.map(({ kind, onsetT, t }) => ({ kind, onsetS: onsetT, raisedS: t }));
  out.push({
    user,
    beats,
    hours: endS / 3600,
    confirmed: health.length - wrong.length,
    false: wrong.length,
    kinds,
    falseAlerts,
  });
  process.stdout.write(
    `${user.padEnd(10)}${String(beats).padStart(8)}${(endS / 3600).toFixed(1).padStart(7)}${String(health.length - wrong.length).padStart(11)}${String(wrong.length).padStart(7)}  ${JSON.stringify(kinds)}\n`,
  );
  for (const alert of falseAlerts) process.stdout.write(`          false: ${JSON.stringify(alert)}\n`);
}
mkdirSync(dirname(flags.out), { recursive: true });
writeFileSync(flags.out, `${JSON.stringify(out, null, 2)}\n`);
process.stdout.write(`written to ${flags.out}\n`);
