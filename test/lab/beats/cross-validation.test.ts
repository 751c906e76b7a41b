import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { assignFolds, FOLDS, recordKey } from '../../../src/lab/beats/folds.js';
import { beatRecordNames, readBeatRecord } from '../../../src/lab/beats/records.js';
import { detectBeats } from '../../../src/lab/beats/run.js';
import { readFoldWeights } from '../../../src/lab/beats/weights.js';
import { beatMetrics, poolScores, scoreBeats } from '../../../src/lab/evaluation/beat-match.js';
import { BeatVerifier } from '../../../src/signal/ecg/verifier.js';

const projectDir = fileURLToPath(new URL('../../..', import.meta.url));
const dataDir = process.env.SLOTHD_DATA;

/** A few whole records, the hard ones among them; `npm run bench:beats` takes all. */
const SOME = {
  mitdb: ['100', '105', '114', '200', '203', '207', '208', '232'],
  svdb: ['800', '849', '853', '865'],
} as const;

describe.skipIf(!dataDir)(
  'judged by weights that never saw the record (skipped: SLOTHD_DATA names no databases)',
  () => {
    it.each(Object.keys(SOME) as (keyof typeof SOME)[])('%s', async (database) => {
      const all = (
        await Promise.all(
          ['mitdb', 'svdb'].map(async (name) =>
            (await beatRecordNames(`${dataDir}/${name}`)).map((record) => ({ database: name, name: record })),
          ),
        )
      ).flat();
      const folds = assignFolds(all);
      expect(new Set(folds.values()).size).toBe(FOLDS);
      const scores = [];
      for (const name of SOME[database]) {
        const record = await readBeatRecord(dataDir!, database, name);
        const judge = new BeatVerifier(await readFoldWeights(projectDir, folds.get(recordKey(record))!));
        const { samples } = detectBeats(record.signals[0]!, record.rateHz, judge);
        scores.push(scoreBeats(record.reference, samples));
      }
      expect(beatMetrics(poolScores(scores)).f1).toBeGreaterThan(0.995);
    });
  },
);
