// Beat detection side by side: slothd's detector (weights that never saw the record) and the Python world's, on the same
// records with the same scorer. Peers work offline on the whole signal; slothd is causal.
// Usage: npm run bench:beats-peers -- [--detectors sleepecg,xqrs,gqrs,neurokit2,...] [--databases mitdb,nstdb]
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { beatRecordNames, readBeatRecord } from '../dist/lab/beats/records.js';
import { needDatabase } from '../dist/lab/data/find.js';
import { beatMetrics, poolScores, scoreBeats } from '../dist/lab/evaluation/beat-match.js';
import { median } from './lib/processes.mjs';
import { load, save, table } from './lib/report.mjs';
import './lib/plain-errors.mjs';

const DETECTORS = 'sleepecg,neurokit2,neurokit2:kalidas2017,neurokit2:emrich2023,biosppy-hamilton,xqrs,gqrs';
/** nstdb: noise from 5 min on, two minutes with and two without. */
const NOISY = [5, 9, 13, 17, 21, 25, 29].map((minute) => [minute * 60, (minute + 2) * 60]);
const { values: options } = parseArgs({
  options: { detectors: { type: 'string', default: DETECTORS }, databases: { type: 'string', default: 'mitdb,nstdb' } },
});
const PYTHON = fileURLToPath(new URL('./peers/env/venv/bin/python', import.meta.url));
if (!existsSync(PYTHON)) {
  console.log('peers are skipped: no Python environment; run `node bench/peers/setup.mjs`');
  process.exit(0);
}
const rows = (load('beats-peers')?.rows ?? []).filter((row) => !options.detectors.split(',').includes(row.detector));
for (const detector of options.detectors.split(',')) {
  const row = { detector };
  for (const database of options.databases.split(','))
    Object.assign(row, { [database]: await score(detector, database) });
  rows.push(row);
  save('beats-peers', { rows });
}
const ours = load('beats');
const percent = (value) => (value === undefined ? '-' : (100 * value).toFixed(3));
console.log('MITDB, 48 records, signal 0; offsets: own median delay taken off for 50 ms');
table(
  ['detector', 'F1 150 ms %', 'F1 50 ms %', 'CPU s per record-hour'],
  [
    ...rows.map(({ detector, mitdb }) => [
      detector,
      percent(mitdb?.f1At150Ms),
      percent(mitdb?.f1At50Ms),
      mitdb?.cpuSecondsPerHour.toFixed(3) ?? '-',
    ]),
    [
      'slothd (causal, cross-validated)',
      percent(ours?.crossValidated.mitdb.f1At150Ms),
      percent(ours?.crossValidated.mitdb.f1At50Ms),
      ours?.crossValidated.mitdb.cpuSecondsPerHour.toFixed(3) ?? '-',
    ],
  ],
);

/** One detector on one database: MITDB as a whole, NSTDB per noise level over its noisy two-minute parts. */
async function score(detector, database) {
  const folder = needDatabase(database);
  const records = await beatRecordNames(folder);
  const run = spawnSync(
    PYTHON,
    [fileURLToPath(new URL('./peers/beats.py', import.meta.url)), folder, detector, ...records],
    {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1' },
    },
  );
  if (run.status !== 0) {
    console.log(`${detector} failed on ${database}`);
    return null;
  }
  const found = [];
  for (const line of run.stdout.trim().split('\n').map(JSON.parse)) {
    const { reference, rateHz } = await readBeatRecord(dirname(folder), database, line.record);
    found.push({ ...line, reference, rateHz });
  }
  if (database === 'nstdb')
    return Object.fromEntries(
      found.map(({ record, beats, reference }) => [
        record,
        beatMetrics(scoreBeats(reference, beats, { toleranceMs: 150, windows: NOISY })).f1,
      ]),
    );
  // Each detector marks its own place in the QRS: at 50 ms its own median delay is taken off.
  const delayMs = median(
    found.flatMap(({ reference, beats }) => scoreBeats(reference, beats, { toleranceMs: 150 }).offsetsMs),
  );
  const f1 = (toleranceMs, shiftMs) =>
    beatMetrics(
      poolScores(
        found.map(({ reference, beats, rateHz }) =>
          scoreBeats(
            reference,
            beats.map((beat) => beat - Math.round((shiftMs * rateHz) / 1000)),
            { toleranceMs },
          ),
        ),
      ),
    ).f1;
  const hours = found.reduce((sum, each) => sum + each.hours, 0);
  return {
    records: found.length,
    f1At150Ms: f1(150, 0),
    f1At50Ms: f1(50, delayMs),
    medianDelayMs: Math.round(delayMs * 10) / 10,
    cpuSecondsPerHour: found.reduce((sum, each) => sum + each.cpuSeconds, 0) / hours,
  };
}
