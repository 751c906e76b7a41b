import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { HAND_RULE } from '../../signal/ecg/judge.js';
import { type BeatScore, beatMetrics, poolScores, scoreBeats } from '../evaluation/beat-match.js';
import { readRecord } from '../wfdb/index.js';
import { detectBeats } from './run.js';

/** Short hand-held recordings have no beat marks: how far the shipped detector and the hand rule, which learnt nothing, agree. */
export async function handHeld(dataDir: string) {
  const folder = join(dataDir, 'cinc2017');
  const lines = (await readFile(join(folder, 'REFERENCE.csv'), 'utf8')).trim().split('\n');
  const byLabel = new Map<string, { records: number; alike: number; scores: BeatScore[]; apart: string[] }>();
  for (const line of lines) {
    const [name, label] = line.split(',') as [string, string];
    const record = await readRecord(join(folder, name)).catch(() => null);
    if (!record) continue;
    const signal = record.signals[0]!.samples;
    const ours = detectBeats(signal, record.rateHz).samples;
    const theirs = detectBeats(signal, record.rateHz, HAND_RULE).samples;
    const entry = byLabel.get(label) ?? { records: 0, alike: 0, scores: [], apart: [] };
    byLabel.set(label, entry);
    entry.records++;
    if (Math.abs(ours.length - theirs.length) <= 0.05 * theirs.length + 1) entry.alike++;
    else entry.apart.push(`${name} ${ours.length}/${theirs.length}`);
    entry.scores.push(
      scoreBeats(
        { rateHz: record.rateHz, samples: Float64Array.from(theirs), symbols: theirs.map(() => 'N'), flutter: [] },
        ours,
      ),
    );
  }
  return [...byLabel].map(([label, { records, alike, scores, apart }]) => {
    const { f1 } = beatMetrics(poolScores(scores));
    console.log(
      `cinc2017 ${label}: as many beats as the hand rule (within 5 % and 1) in ${alike} of ${records}, beats in common ${(100 * f1).toFixed(2)} % (F1); apart ${apart.slice(0, 6).join(', ')}`,
    );
    return { label, records, alike, f1, apart };
  });
}
