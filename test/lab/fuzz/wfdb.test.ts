import { join } from 'node:path';
import { expect, it } from 'vitest';
import { fuzzWfdb } from '../../../src/lab/fuzz/wfdb.js';

it('damaged WFDB files are read or refused with a clear error, never anything else', async () => {
  const report = await fuzzWfdb(join('test', 'fixtures', 'wfdb', '100'), 4000, 11);
  expect(report.faults).toEqual([]);
  expect(report.read + report.refused).toBe(4000);
  expect(report.refused).toBeGreaterThan(500);
});
