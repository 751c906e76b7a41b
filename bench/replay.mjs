// The whole pipeline over the MIT-BIH Arrhythmia Database, as a user would: `slothd replay` of all 48 records, first lead,
// whole record, then scored against the reference. Beats by EC57 matching (150 ms and 50 ms; the flutter of 207 left out),
// classes over DS2 on our own beats. Usage: npm run bench:replay
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needDatabase } from '../dist/lab/data/find.js';
import { MITDB_DS2 } from '../dist/lab/data/splits.js';
import { addMatrices, newClassMatrix, reportOf } from '../dist/lab/evaluation/beat-classes.js';
import { beatMetrics, matchBeats, poolScores, referenceBeats, scoreBeats } from '../dist/lab/evaluation/beat-match.js';
import { aamiClass, readAnnotations } from '../dist/lab/wfdb/index.js';
import { save, table } from './lib/report.mjs';
import './lib/plain-errors.mjs';

const RATE_HZ = 360;
const CLASSES = ['N', 'S', 'V', 'F', 'Q'];
const folder = needDatabase('mitdb');
const records = readdirSync(folder)
  .filter((name) => /^\d+\.hea$/.test(name))
  .map((name) => name.slice(0, -4))
  .sort();
const work = mkdtempSync(join(tmpdir(), 'slothd-bench-'));
const events = join(work, 'events.jsonl');
const started = performance.now();
const run = spawnSync(
  process.execPath,
  ['dist/main.js', 'replay', ...records.map((name) => join(folder, name)), '--events', events],
  { stdio: ['ignore', 'inherit', 'inherit'] },
);
const wallSeconds = (performance.now() - started) / 1000;
if (run.status !== 0) process.exit(run.status ?? 2);

const beats = new Map();
const alerts = {};
let hours = 0;
let current = '';
for (const line of readFileSync(events, 'utf8').split('\n')) {
  if (!line) continue;
  const event = JSON.parse(line);
  if (event.type === 'start') {
    current = event.record;
    beats.set(current, []);
  }
  if (event.type === 'beat') beats.get(current).push(event);
  if (event.type === 'end') hours += event.t / 3600;
  if (event.type === 'alert' && event.event === 'new') alerts[event.kind] = (alerts[event.kind] ?? 0) + 1;
}
rmSync(work, { recursive: true });

const scores = { 150: [], 50: [] };
const matrices = [];
let classified = 0;
let found = 0;
for (const name of records) {
  const reference = referenceBeats(await readAnnotations(join(folder, `${name}.atr`)), RATE_HZ);
  const test = beats.get(name);
  const samples = test.map((beat) => beat.sample);
  for (const toleranceMs of [150, 50]) scores[toleranceMs].push(scoreBeats(reference, samples, { toleranceMs }));
  found += test.length;
  classified += test.filter((beat) => beat.class !== null).length;
  if (!MITDB_DS2.includes(name)) continue;
  const matrix = newClassMatrix();
  const pairs = matchBeats(reference.samples, samples, Math.round(0.15 * RATE_HZ));
  reference.symbols.forEach((symbol, i) => {
    const said = ['N', 'S', 'V'].indexOf(test[pairs[i]]?.class ?? '');
    const truth = CLASSES.indexOf(aamiClass(symbol));
    if (said >= 0 && truth >= 0) matrix[truth][said]++;
  });
  matrices.push(matrix);
}
const at150 = beatMetrics(poolScores(scores[150]));
const at50 = beatMetrics(poolScores(scores[50]));
const classes = reportOf(addMatrices(matrices));
const percent = (value) => Math.round(value * 1e5) / 1e3;
const result = {
  records: records.length,
  beats: at150.beats,
  f1At150Percent: percent(at150.f1),
  sensitivityAt150Percent: percent(at150.sensitivity),
  precisionAt150Percent: percent(at150.precision),
  f1At50Percent: percent(at50.f1),
  absOffsetMedianMs: Math.round(at150.absOffsetMedianMs * 10) / 10,
  classifiedShare: Math.round((classified / found) * 1e5) / 1e5,
  ds2OwnBeats: {
    accuracyPercent: percent(classes.accuracy),
    vF1: Math.round(classes.V.f1 * 1e4) / 1e4,
    vSe: Math.round(classes.V.sensitivity * 1e4) / 1e4,
    vPpv: Math.round(classes.V.positivePredictivity * 1e4) / 1e4,
    sF1: Math.round(classes.S.f1 * 1e4) / 1e4,
    nSe: Math.round(classes.N.sensitivity * 1e4) / 1e4,
  },
  alerts,
  hours: Math.round(hours * 100) / 100,
  wallSecondsPerHour: Math.round((wallSeconds / hours) * 1000) / 1000,
};
save('replay', result);
console.log(
  `slothd replay, ${records.length} MITDB records, first lead, whole record, ${result.beats} reference beats`,
);
table(
  ['', 'Se %', 'PPV %', 'F1 %'],
  [
    ['beats, 150 ms', result.sensitivityAt150Percent, result.precisionAt150Percent, result.f1At150Percent],
    ['beats, 50 ms', percent(at50.sensitivity), percent(at50.precision), result.f1At50Percent],
  ],
);
console.log(
  `median offset ${result.absOffsetMedianMs} ms; ${(100 * result.classifiedShare).toFixed(2)} % of the beats classified`,
);
console.log(
  'note: the shipped detector was trained on these records; `npm run bench:beats` prints the cross-validated figures',
);
console.log(
  `DS2, own beats: accuracy ${result.ds2OwnBeats.accuracyPercent} %, V Se ${result.ds2OwnBeats.vSe} PPV ${result.ds2OwnBeats.vPpv} F1 ${result.ds2OwnBeats.vF1}, S F1 ${result.ds2OwnBeats.sF1}`,
);
console.log(
  `alerts in ${result.hours} h: ${Object.entries(alerts)
    .map(([kind, n]) => `${kind} ${n}`)
    .join(', ')}`,
);
console.log(`wall time for an hour of ECG: ${result.wallSecondsPerHour} s`);
